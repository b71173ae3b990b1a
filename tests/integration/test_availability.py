"""When entities are unavailable, and when they are back."""

from datetime import timedelta

from homeassistant.core import HomeAssistant
from homeassistant.util import dt as dt_util
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry, async_fire_time_changed

from simulator import Node
from tests.broker import Mosquitto

from .conftest import SetUp, StartNode
from .lookup import is_connected, state
from .waiting import until
from .wire import Wire

RELAY = ("switch", "plug-1", "status/relay")
POWER = ("sensor", "plug-1", "telemetry/power")
ONLINE = ("binary_sensor", "plug-1", "status/online")
LAST_SEEN = ("sensor", "plug-1", "last_seen")


async def pass_time(hass: HomeAssistant, seconds: float) -> None:
    async_fire_time_changed(hass, dt_util.utcnow() + timedelta(seconds=seconds))
    await hass.async_block_till_done()


async def with_power(hass: HomeAssistant, entry: MockConfigEntry, node: Node) -> None:
    """Wait until the node's values are shown."""
    await until(hass, lambda: state(hass, entry, *RELAY) == "on")
    await node.send_telemetry({"power": 5})
    await until(hass, lambda: state(hass, entry, *POWER) == "5")


@pytest.mark.usefixtures("all_enabled")
async def test_a_last_will_makes_all_unavailable_but_what_tells_of_the_node(
    hass: HomeAssistant, mosquitto: Mosquitto, set_up: SetUp, start_node: StartNode
) -> None:
    entry = await set_up(mosquitto.port)
    node = await start_node()
    await with_power(hass, entry, node)
    assert state(hass, entry, "sensor", "nodes_online") == "1"

    node.die()
    await until(hass, lambda: state(hass, entry, *ONLINE) == "off")

    assert state(hass, entry, *RELAY) == "unavailable"
    assert state(hass, entry, *POWER) == "unavailable"
    assert state(hass, entry, "sensor", "plug-1", "last_boot") == "unavailable"
    assert state(hass, entry, *LAST_SEEN) not in {"unavailable", "unknown", None}
    assert state(hass, entry, "sensor", "nodes_online") == "0"

    await node.start()
    await until(hass, lambda: state(hass, entry, *ONLINE) == "on")
    assert state(hass, entry, *RELAY) == "on"
    assert state(hass, entry, *POWER) == "5"
    assert state(hass, entry, "sensor", "nodes_online") == "1"


async def test_a_planned_end_is_seen_too(
    hass: HomeAssistant, mosquitto: Mosquitto, set_up: SetUp, start_node: StartNode
) -> None:
    entry = await set_up(mosquitto.port)
    node = await start_node()
    await with_power(hass, entry, node)

    await node.stop()

    await until(hass, lambda: state(hass, entry, *ONLINE) == "off")
    assert state(hass, entry, *RELAY) == "unavailable"


async def test_one_offline_node_leaves_the_others_alone(
    hass: HomeAssistant, mosquitto: Mosquitto, set_up: SetUp, start_node: StartNode
) -> None:
    entry = await set_up(mosquitto.port)
    dying, living = await start_node("plug-1"), await start_node("plug-2")
    await until(hass, lambda: state(hass, entry, "switch", "plug-2", "status/relay") == "on")

    dying.die()
    await until(hass, lambda: state(hass, entry, *RELAY) == "unavailable")

    assert living.online
    assert state(hass, entry, "switch", "plug-2", "status/relay") == "on"
    assert state(hass, entry, "sensor", "nodes_online") == "1"


async def test_values_stay_for_the_grace_time_and_no_longer(
    hass: HomeAssistant, mosquitto: Mosquitto, set_up: SetUp, start_node: StartNode
) -> None:
    entry = await set_up(mosquitto.port, options={"grace_time": 300})
    node = await start_node()
    await with_power(hass, entry, node)

    mosquitto.kill()
    await until(hass, lambda: not is_connected(hass, entry))
    await pass_time(hass, 290)
    assert state(hass, entry, *RELAY) == "on"
    assert state(hass, entry, *POWER) == "5"
    assert state(hass, entry, "sensor", "nodes_online") == "1"

    await pass_time(hass, 301)
    assert state(hass, entry, *RELAY) == "unavailable"
    assert state(hass, entry, *POWER) == "unavailable"
    assert state(hass, entry, *ONLINE) == "unavailable"
    assert state(hass, entry, "sensor", "nodes_online") == "unavailable"
    assert state(hass, entry, "binary_sensor", "connected") == "off"

    mosquitto.start()
    await until(hass, lambda: state(hass, entry, *RELAY) == "on")
    assert state(hass, entry, *POWER) == "5"


async def test_the_default_grace_time_is_half_a_minute(
    hass: HomeAssistant, mosquitto: Mosquitto, set_up: SetUp, start_node: StartNode
) -> None:
    entry = await set_up(mosquitto.port)
    await with_power(hass, entry, await start_node())

    mosquitto.kill()
    await until(hass, lambda: not is_connected(hass, entry))
    await pass_time(hass, 25)
    assert state(hass, entry, *RELAY) == "on"
    await pass_time(hass, 31)
    assert state(hass, entry, *RELAY) == "unavailable"


async def test_a_short_interruption_starts_the_grace_time_anew(
    hass: HomeAssistant, mosquitto: Mosquitto, set_up: SetUp, start_node: StartNode
) -> None:
    entry = await set_up(mosquitto.port, options={"grace_time": 300})
    await with_power(hass, entry, await start_node())
    mosquitto.kill()
    await until(hass, lambda: not is_connected(hass, entry))
    mosquitto.start()
    await until(hass, lambda: is_connected(hass, entry))

    await pass_time(hass, 301)

    assert state(hass, entry, *POWER) == "5"


async def test_without_grace_time_the_loss_shows_at_once(
    hass: HomeAssistant, mosquitto: Mosquitto, set_up: SetUp, start_node: StartNode
) -> None:
    entry = await set_up(mosquitto.port, options={"grace_time": 0})
    await with_power(hass, entry, await start_node())

    mosquitto.kill()
    await until(hass, lambda: state(hass, entry, *RELAY) == "unavailable")

    mosquitto.start()
    await until(hass, lambda: state(hass, entry, *RELAY) == "on")


async def test_an_empty_retained_message_takes_a_value_back(
    hass: HomeAssistant, mosquitto: Mosquitto, set_up: SetUp, wire: Wire
) -> None:
    entry = await set_up(mosquitto.port)
    await until(hass, lambda: is_connected(hass, entry))
    wire.say("status/online", {"online": True})
    wire.say("status/relay", {"state": "on"})
    wire.say("telemetry/power", {"value": 5})
    await until(hass, lambda: state(hass, entry, *POWER) == "5")

    wire.say("status/relay", b"")
    wire.say("telemetry/power", b"", retain=True)
    await until(hass, lambda: state(hass, entry, *POWER) == "unknown")
    assert state(hass, entry, *RELAY) == "unknown"
    assert state(hass, entry, *ONLINE) == "on"

    wire.say("status/online", b"")
    await until(hass, lambda: state(hass, entry, *ONLINE) == "off")
    assert state(hass, entry, *RELAY) == "unavailable"


async def test_a_node_that_tells_nothing_of_itself_is_reachable_as_long_as_the_household_is(
    hass: HomeAssistant, mosquitto: Mosquitto, set_up: SetUp, wire: Wire
) -> None:
    entry = await set_up(mosquitto.port, options={"grace_time": 0})
    await until(hass, lambda: is_connected(hass, entry))
    wire.say("telemetry/power", {"value": 5})
    await until(hass, lambda: state(hass, entry, *POWER) == "5")
    assert state(hass, entry, *ONLINE) == "unknown"
    assert state(hass, entry, "sensor", "nodes_online") == "1"

    mosquitto.kill()
    await until(hass, lambda: state(hass, entry, *POWER) == "unavailable")
