"""A password is seen by the broker alone."""

from collections.abc import Callable, Iterator
import logging
from unittest.mock import patch

from homeassistant.core import HomeAssistant
import pytest

from custom_components.homesync.broker import async_broker_settings
from custom_components.homesync.const import DOMAIN
from tests.broker import Mosquitto

from .canaries import CANARY, everything_shown, logged
from .conftest import SetUp, StartNode, entry_data
from .flows import begin, submit, typed
from .lookup import connection_state, coordinator, is_connected, state
from .waiting import until

FLOW = "custom_components.homesync.config_flow"


@pytest.fixture(autouse=True)
def _nothing_in_the_log(caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    caplog.set_level(logging.DEBUG)
    yield
    assert CANARY not in logged(caplog)


async def test_a_password_that_works_shows_nowhere(
    hass: HomeAssistant,
    start_mosquitto: Callable[..., Mosquitto],
    set_up: SetUp,
    start_node: StartNode,
) -> None:
    broker = start_mosquitto(users={"me": CANARY, "node": "node"})
    entry = await set_up(broker.port, username="me", password=CANARY)
    await until(hass, lambda: is_connected(hass, entry))

    assert CANARY not in everything_shown(hass)
    assert CANARY not in repr(coordinator(entry).household._session.__dict__)


async def test_a_password_that_is_refused_shows_nowhere(
    hass: HomeAssistant, start_mosquitto: Callable[..., Mosquitto], set_up: SetUp
) -> None:
    broker = start_mosquitto(users={"me": "another"})
    entry = await set_up(broker.port, username="me", password=CANARY)
    await until(hass, lambda: connection_state(hass, entry) == "error")

    assert CANARY not in everything_shown(hass)
    error = coordinator(entry).household.link.error
    assert error is not None
    assert CANARY not in repr(error) + str(error)
    (flow,) = hass.config_entries.flow.async_progress()
    result = await submit(hass, flow["flow_id"], {"username": "me", "password": CANARY})
    assert result["errors"] == {"base": "not_authorised"}
    assert CANARY not in repr(result)
    assert CANARY not in everything_shown(hass)


async def test_what_is_typed_does_not_come_back(
    hass: HomeAssistant, start_mosquitto: Callable[..., Mosquitto]
) -> None:
    broker = start_mosquitto(users={"me": CANARY})
    flow = await begin(hass)

    result = await submit(hass, flow, typed(1, username="me", password=CANARY))
    assert CANARY not in repr(result)
    result = await submit(hass, flow, typed(broker.port, prefix="#", username="me", password=""))
    assert CANARY not in repr(result)
    with patch(f"{FLOW}.preflight", side_effect=RuntimeError):
        result = await submit(hass, flow, typed(broker.port, username="me"))
    assert result["errors"] == {"base": "unknown"}
    assert CANARY not in repr(result)
    assert CANARY not in everything_shown(hass)

    await submit(hass, flow, typed(broker.port, username="me"))
    (entry,) = hass.config_entries.async_entries(DOMAIN)
    assert entry.data["password"] == CANARY
    await until(hass, lambda: is_connected(hass, entry))
    assert CANARY not in everything_shown(hass)
    assert await hass.config_entries.async_unload(entry.entry_id)


async def test_settings_can_be_printed(hass: HomeAssistant) -> None:
    data = entry_data(1883, username="me", password=CANARY)
    settings = await async_broker_settings(hass, data, {})

    assert settings.password == CANARY
    assert CANARY not in repr(settings)
    assert CANARY not in str(settings)


async def test_payloads_of_nodes_are_not_logged_unless_they_are_broken(
    hass: HomeAssistant, mosquitto: Mosquitto, set_up: SetUp, start_node: StartNode
) -> None:
    entry = await set_up(mosquitto.port)
    node = await start_node(firmware=CANARY)
    await until(hass, lambda: state(hass, entry, "switch", "plug-1", "status/relay") == "on")
    await node.send_telemetry({"power": {"value": 1, "note": CANARY}})
    await until(hass, lambda: state(hass, entry, "sensor", "plug-1", "telemetry/power") == "1")
