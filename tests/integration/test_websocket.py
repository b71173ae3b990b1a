"""Households that reach their broker over a WebSocket."""

from collections.abc import Callable, Iterator
from pathlib import Path
import socket

from homeassistant.core import HomeAssistant
from homeassistant.data_entry_flow import FlowResultType
import pytest
import trustme

from custom_components.homesync.const import DOMAIN
from tests.broker import Mosquitto, free_port

from .certificates import listener, pem_of
from .conftest import SetUp
from .flows import begin, submit, typed
from .lookup import coordinator, is_connected, state
from .waiting import until
from .wire import Wire

pytestmark = pytest.mark.usefixtures("socket_enabled")


def plain(port: int) -> tuple[str, str]:
    """Another listener; mosquitto 2.0 does not start with WebSockets alone."""
    return (f"listener {port} 127.0.0.1", "protocol mqtt")


@pytest.fixture
def unused_port() -> int:
    return free_port()


@pytest.fixture
def blocked_port() -> Iterator[int]:
    """A port that is taken and refuses."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        yield taken.getsockname()[1]


async def test_a_household_over_a_secure_websocket_has_nodes_that_can_be_switched(
    hass: HomeAssistant,
    *,
    start_mosquitto: Callable[..., Mosquitto],
    tmp_path: Path,
    authority: trustme.CA,
    unused_port: int,
) -> None:
    broker = start_mosquitto(
        settings=("protocol websockets", *listener(tmp_path, authority), *plain(unused_port))
    )
    flow = await begin(hass)
    fields = typed(
        broker.port,
        tls=True,
        ca=pem_of(authority),
        transport="websocket",
        websocket_port=broker.port,
        websocket_headers="X-Test: yes",
    )

    result = await submit(hass, flow, fields)

    assert result["type"] is FlowResultType.CREATE_ENTRY, result
    (entry,) = hass.config_entries.async_entries(DOMAIN)
    await until(hass, lambda: is_connected(hass, entry))
    assert state(hass, entry, "sensor", "transport") == "secure_websocket"
    assert coordinator(entry).household.link.certificate_expires is not None
    wire = Wire(unused_port)
    await wire.open()
    wire.say("status/relay", {"state": "on"})
    await until(hass, lambda: state(hass, entry, "switch", "plug-1", "status/relay") == "on")
    await wire.close()
    assert await hass.config_entries.async_unload(entry.entry_id)


async def test_a_blocked_tls_port_leads_to_the_websocket_and_that_is_remembered(
    hass: HomeAssistant,
    *,
    start_mosquitto: Callable[..., Mosquitto],
    tmp_path: Path,
    authority: trustme.CA,
    unused_port: int,
    blocked_port: int,
) -> None:
    broker = start_mosquitto(
        settings=("protocol websockets", *listener(tmp_path, authority), *plain(unused_port))
    )
    flow = await begin(hass)
    fields = typed(
        blocked_port, tls=True, ca=pem_of(authority), transport="tcp", websocket_port=broker.port
    )

    result = await submit(hass, flow, fields)

    assert result["type"] is FlowResultType.CREATE_ENTRY, result
    (entry,) = hass.config_entries.async_entries(DOMAIN)
    assert entry.data["learned_transport"] == "websocket"
    await until(hass, lambda: is_connected(hass, entry))
    assert state(hass, entry, "sensor", "transport") == "secure_websocket"
    assert await hass.config_entries.async_unload(entry.entry_id)


async def test_a_websocket_without_an_address_is_told(
    hass: HomeAssistant, mosquitto: Mosquitto
) -> None:
    flow = await begin(hass)

    result = await submit(hass, flow, typed(mosquitto.port, transport="websocket"))

    assert result["type"] is FlowResultType.FORM
    assert result["errors"] == {"base": "websocket"}


async def test_a_port_that_speaks_no_websocket_is_told(
    hass: HomeAssistant, mosquitto: Mosquitto
) -> None:
    flow = await begin(hass)
    fields = typed(mosquitto.port, transport="websocket", websocket_port=mosquitto.port)

    result = await submit(hass, flow, fields)

    assert result["type"] is FlowResultType.FORM
    assert result["errors"] == {"base": "websocket"}


async def test_a_household_over_a_plain_websocket_says_so(
    hass: HomeAssistant,
    start_mosquitto: Callable[..., Mosquitto],
    set_up: SetUp,
    unused_port: int,
) -> None:
    broker = start_mosquitto(settings=("protocol websockets", *plain(unused_port)))

    entry = await set_up(broker.port, transport="websocket", websocket_port=broker.port)

    await until(hass, lambda: is_connected(hass, entry))
    assert state(hass, entry, "sensor", "transport") == "websocket"
