"""The real Home Assistant with the integration, against a real broker."""

from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from pathlib import Path
import ssl
from typing import Any
from unittest.mock import PropertyMock, patch

from homeassistant.config_entries import ConfigEntryState
from homeassistant.core import HomeAssistant
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry
from pytest_homeassistant_custom_component.syrupy import HomeAssistantSnapshotExtension
from syrupy.assertion import SnapshotAssertion
import trustme

from custom_components.homesync.client import Timing
from custom_components.homesync.const import DOMAIN
from simulator import Broker, Node, NodeConfig, Updates
from simulator.images import ImageServer
from tests.broker import Mosquitto

from .lookup import state
from .scripted import ScriptedBroker
from .waiting import until
from .wire import Wire

type SetUp = Callable[..., Awaitable[MockConfigEntry]]
type StartNode = Callable[..., Awaitable[Node]]
type StartScripted = Callable[..., Awaitable[ScriptedBroker]]


@pytest.fixture
def hass_config_dir(tmp_path: Path) -> str:
    """A folder of the test's own: queued commands are written into it."""
    folder = tmp_path / "config"
    (folder / ".storage").mkdir(parents=True)
    return str(folder)


@pytest.fixture(autouse=True)
def _custom_integrations(enable_custom_integrations: None) -> None:
    """Let Home Assistant load what is under test."""


@pytest.fixture(autouse=True)
def _short_waits() -> Iterator[None]:
    """Try a broker again at once; how long the waits really are is the client's tests' subject."""
    with (
        patch("custom_components.homesync.broker.Timing", quick()),
        patch("custom_components.homesync.client.transport.preflight._ECHO_WITHIN", 60),
        patch("custom_components.homesync.client.transport.echo._LOOKS", 1200),
        patch("custom_components.homesync.client.retained._STEP", 0.1),
        patch("custom_components.homesync.client.retained._QUIET", 0.4),
        patch("custom_components.homesync.config_flow._PROGRESS_LASTS", 0),
        # All at once, however slow the machine is; pacing has tests of its own.
        patch("custom_components.homesync.paced._SLICE_SECONDS", 60),
    ):
        yield


@pytest.fixture
def short_echo() -> Iterator[None]:
    """Give up soon an echo that is not to come back."""
    with (
        patch("custom_components.homesync.broker.Timing", quick(echo_within=3.0)),
        patch("custom_components.homesync.client.transport.preflight._ECHO_WITHIN", 2),
        patch("custom_components.homesync.client.transport.echo._LOOKS", 20),
    ):
        yield


def quick(**changes: float) -> Callable[..., Timing]:
    """Timing with short waits, whatever the options say of them."""

    def make(**chosen: float) -> Timing:
        waits = {"first_gap": 0.02, "longest_gap": 0.05, "echo_within": 60.0, **changes}
        return Timing(**{**chosen, **waits})  # type: ignore[arg-type]  # a test is loose here

    return make


@pytest.fixture
def all_enabled() -> Iterator[None]:
    """Add also those entities that are disabled at first."""
    default = "homeassistant.helpers.entity.Entity.entity_registry_enabled_default"
    with patch(default, new_callable=PropertyMock, return_value=True):
        yield


@pytest.fixture
def snapshot(snapshot: SnapshotAssertion) -> SnapshotAssertion:
    return snapshot.use_extension(HomeAssistantSnapshotExtension)


def entry_data(port: int, home_id: str = "villa", **changes: Any) -> dict[str, Any]:
    """The data of a household's config entry."""
    return {
        "home_id": home_id,
        "host": "127.0.0.1",
        "port": port,
        "tls": False,
        "prefix": "homesync",
        "client_id": f"homesync_{home_id}_0123abcd",
        **changes,
    }


@pytest.fixture
async def set_up(hass: HomeAssistant, socket_enabled: None) -> AsyncIterator[SetUp]:
    """Set households up, and unload those that are loaded at the end."""
    entries: list[MockConfigEntry] = []

    async def _set_up(
        port: int,
        home_id: str = "villa",
        *,
        title: str = "Villa",
        options: dict[str, Any] | None = None,
        **changes: Any,
    ) -> MockConfigEntry:
        entry = MockConfigEntry(
            domain=DOMAIN,
            entry_id=f"entry_{home_id}",
            title=title,
            data=entry_data(port, home_id, **changes),
            options=options or {},
            unique_id=f"{home_id}@127.0.0.1:{port}",
        )
        entry.add_to_hass(hass)
        entries.append(entry)
        assert await hass.config_entries.async_setup(entry.entry_id)
        return entry

    yield _set_up
    for entry in entries:
        if entry.state is ConfigEntryState.LOADED:
            await hass.config_entries.async_unload(entry.entry_id)


@pytest.fixture
async def start_node(mosquitto: Mosquitto) -> AsyncIterator[StartNode]:
    """Start reference nodes that send telemetry only when told to."""
    started: list[Node] = []

    async def start(
        node_id: str = "plug-1", home_id: str = "villa", *, port: int | None = None, **config: Any
    ) -> Node:
        node = Node(
            NodeConfig(
                home_id=home_id,
                node_id=node_id,
                interval=None,
                backoff_min=0.02,
                backoff_max=0.05,
                **config,
            ),
            Broker(port=port or mosquitto.port),
        )
        started.append(node)
        await node.start()
        return node

    yield start
    for node in started:
        await node.stop()


@pytest.fixture
async def wire(mosquitto: Mosquitto) -> AsyncIterator[Wire]:
    wire = Wire(mosquitto.port)
    await wire.open()
    yield wire
    await wire.close()


@pytest.fixture
async def start_scripted(socket_enabled: None) -> AsyncIterator[StartScripted]:
    """Start brokers that follow a script."""
    started: list[ScriptedBroker] = []

    async def start(**script: Any) -> ScriptedBroker:
        broker = ScriptedBroker(**script)
        await broker.start()
        started.append(broker)
        return broker

    yield start
    for broker in started:
        await broker.stop()


@pytest.fixture(scope="session")
def authority() -> trustme.CA:
    """Who signs certificates; Home Assistant does not know it."""
    return trustme.CA()


@pytest.fixture
async def images(authority: trustme.CA, socket_enabled: None) -> AsyncIterator[ImageServer]:
    tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert("127.0.0.1", "localhost").configure_cert(tls)
    async with ImageServer(tls) as server:
        yield server


@pytest.fixture
def updates(authority: trustme.CA, tmp_path: Path) -> Updates:
    """How nodes fetch images: they trust the images' server."""
    authority.cert_pem.write_to_path(tmp_path / "authority.pem")
    return Updates(ca=tmp_path / "authority.pem")


@pytest.fixture
async def automations_at_rest(hass: HomeAssistant, set_up: SetUp) -> AsyncIterator[None]:
    """End all automations before their entities go."""
    yield
    if hass.services.has_service("automation", "turn_off"):
        everyone = {"entity_id": "all"}
        await hass.services.async_call("automation", "turn_off", everyone, blocking=True)


@pytest.fixture
async def entry(hass: HomeAssistant, mosquitto: Mosquitto, set_up: SetUp) -> MockConfigEntry:
    """Set a household up; many tests have an entry of their own kind instead."""
    return await set_up(mosquitto.port)


@pytest.fixture
async def nodes(
    hass: HomeAssistant, entry: MockConfigEntry, start_node: StartNode
) -> tuple[Node, Node]:
    """Two nodes of it, of which the first knows commands of its own."""
    own = {"shutter": lambda fields: f"at {fields['position']}", "echo": None}
    first = await start_node("plug-1", relay_on=False, own_commands=own)
    second = await start_node("plug-2", relay_on=False)
    relays = [("switch", node_id, "status/relay") for node_id in ("plug-1", "plug-2")]
    await until(hass, lambda: all(state(hass, entry, *relay) for relay in relays))
    return first, second
