"""A broker that is not there, goes, and comes back."""

import logging

from homeassistant.config_entries import ConfigEntryState
from homeassistant.core import HomeAssistant
import pytest

from tests.broker import Mosquitto

from .conftest import SetUp, StartNode, StartScripted
from .lookup import attribute, connection_state, is_connected, state
from .scripted import refusal
from .waiting import until

COORDINATOR = "custom_components.homesync.coordinator"
RELAY = ("switch", "plug-1", "status/relay")


def told(caplog: pytest.LogCaptureFixture) -> list[str]:
    """What the log says of the connection to somebody who did not ask for details."""
    return [
        record.getMessage()
        for record in caplog.records
        if record.name == COORDINATOR and record.levelno >= logging.INFO
    ]


async def test_a_household_loads_without_its_broker_and_tells_why(
    hass: HomeAssistant, mosquitto: Mosquitto, set_up: SetUp
) -> None:
    mosquitto.stop()
    entry = await set_up(mosquitto.port)

    assert entry.state is ConfigEntryState.LOADED
    await until(
        hass,
        lambda: attribute(hass, entry, "sensor", "connection_state", name="cause") == "refused",
    )
    assert connection_state(hass, entry) in {"disconnected", "connecting"}
    assert state(hass, entry, "binary_sensor", "connected") == "off"
    assert state(hass, entry, "sensor", "nodes_online") == "unavailable"
    reason = attribute(hass, entry, "sensor", "connection_state", name="reason")
    assert reason == "nothing listens on the broker's port (connection refused)"

    mosquitto.start()
    await until(hass, lambda: is_connected(hass, entry))
    assert connection_state(hass, entry) == "connected"
    assert attribute(hass, entry, "sensor", "connection_state", name="cause") == "none"
    assert attribute(hass, entry, "sensor", "connection_state", name="reason") == ""
    assert state(hass, entry, "sensor", "nodes_online") == "0"


async def test_known_nodes_are_there_but_unavailable_until_the_broker_comes(
    hass: HomeAssistant, mosquitto: Mosquitto, set_up: SetUp, start_node: StartNode
) -> None:
    node = await start_node("plug-1")
    entry = await set_up(mosquitto.port)
    await until(hass, lambda: state(hass, entry, *RELAY) == "on")
    assert await hass.config_entries.async_unload(entry.entry_id)
    mosquitto.stop()

    assert await hass.config_entries.async_setup(entry.entry_id)
    await until(hass, lambda: connection_state(hass, entry) == "disconnected")
    assert state(hass, entry, *RELAY) == "unavailable"
    assert state(hass, entry, "binary_sensor", "plug-1", "status/online") == "unavailable"

    mosquitto.start()
    await node.wait_online()
    await until(hass, lambda: state(hass, entry, *RELAY) == "on")


async def test_a_broker_that_is_killed_is_found_again_with_fresh_states(
    hass: HomeAssistant,
    mosquitto: Mosquitto,
    set_up: SetUp,
    start_node: StartNode,
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.INFO)
    node = await start_node("plug-1")
    entry = await set_up(mosquitto.port)
    await until(hass, lambda: state(hass, entry, *RELAY) == "on")
    caplog.clear()

    mosquitto.kill()
    await until(hass, lambda: not is_connected(hass, entry))
    node.press(on=False)
    mosquitto.start()
    await node.wait_online()
    await until(hass, lambda: state(hass, entry, *RELAY) == "off")

    assert is_connected(hass, entry)
    lost, regained = told(caplog)
    assert lost == (
        "Household Villa: no connection to its broker: the broker closed the connection"
    )
    assert regained == "Household Villa: connected to its broker"


async def test_failed_attempts_are_told_once(
    hass: HomeAssistant,
    start_scripted: StartScripted,
    set_up: SetUp,
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.INFO)
    broker = await start_scripted(connack=refusal(3))
    entry = await set_up(broker.port)

    await until(hass, lambda: broker.connections >= 8)

    assert told(caplog) == [
        "Household Villa: no connection to its broker: the broker says that it is unavailable"
    ]
    assert not is_connected(hass, entry)


@pytest.mark.parametrize(
    ("code", "cause"), [(1, "protocol_version"), (2, "client_id"), (4, "credentials")]
)
async def test_a_refusal_shows_as_error_with_its_cause(
    hass: HomeAssistant, start_scripted: StartScripted, set_up: SetUp, code: int, cause: str
) -> None:
    broker = await start_scripted(connack=refusal(code))
    entry = await set_up(broker.port)

    await until(hass, lambda: connection_state(hass, entry) == "error")

    assert attribute(hass, entry, "sensor", "connection_state", name="cause") == cause


async def test_a_subscription_that_is_refused_names_its_filter(
    hass: HomeAssistant, start_scripted: StartScripted, set_up: SetUp
) -> None:
    broker = await start_scripted(codes=(0, 0x80, 1))
    entry = await set_up(broker.port)

    await until(hass, lambda: connection_state(hass, entry) == "error")

    cause = attribute(hass, entry, "sensor", "connection_state", name="cause")
    reason = attribute(hass, entry, "sensor", "connection_state", name="reason")
    assert cause == "subscription_refused"
    assert "homesync/villa/nodes/+/status/+" in str(reason)
