"""A household with one node, and an administrator's WebSocket."""

from homeassistant.core import HomeAssistant
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry
from pytest_homeassistant_custom_component.typing import MockHAClientWebSocket, WebSocketGenerator

from tests.broker import Mosquitto

from ..conftest import SetUp, StartNode
from ..lookup import coordinator, state
from ..waiting import reached, until


@pytest.fixture
async def entry(
    hass: HomeAssistant, mosquitto: Mosquitto, set_up: SetUp, start_node: StartNode
) -> MockConfigEntry:
    entry = await set_up(mosquitto.port)
    await start_node(relay_on=False)
    await until(hass, lambda: state(hass, entry, "switch", "plug-1", "status/relay") == "off")
    # Its messages are seen and counted like all others.
    await reached(lambda: coordinator(entry).household.link.echo is not None)
    return entry


@pytest.fixture
async def client(
    entry: MockConfigEntry, hass_ws_client: WebSocketGenerator
) -> MockHAClientWebSocket:
    return await hass_ws_client()
