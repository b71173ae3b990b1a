"""A villa with one node, and somebody who watches."""

from collections.abc import AsyncIterator
from pathlib import Path
import ssl

import pytest
import trustme

from simulator import Broker, Event, Info, Node, NodeConfig, Updates
from simulator.images import Image, ImageServer
from tests.broker import Mosquitto

from .installing import FIRMWARE, IMAGE
from .observer import Observer


@pytest.fixture
def broker(mosquitto: Mosquitto) -> Broker:
    return Broker(host=mosquitto.host, port=mosquitto.port)


@pytest.fixture
async def observer(mosquitto: Mosquitto) -> AsyncIterator[Observer]:
    observer = Observer()
    await observer.start(mosquitto)
    yield observer
    await observer.stop()


@pytest.fixture
def events() -> list[Event]:
    return []


@pytest.fixture
async def node(broker: Broker, observer: Observer, events: list[Event]) -> AsyncIterator[Node]:
    """Online, sends telemetry only on demand, and comes back fast."""
    config = NodeConfig(
        home_id="villa",
        node_id="plug-1",
        interval=None,
        relay_on=False,
        backoff_min=0.02,
        backoff_max=0.1,
    )
    node = Node(config, broker, on_event=events.append)
    await node.start()
    await observer.wait_for(lambda: bool(observer.on("status/relay")))
    yield node
    await node.stop()


@pytest.fixture
def authority() -> trustme.CA:
    """Who signs the certificate of the images' server."""
    return trustme.CA()


@pytest.fixture
async def images(authority: trustme.CA, socket_enabled: None) -> AsyncIterator[ImageServer]:
    tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert("127.0.0.1", "localhost").configure_cert(tls)
    async with ImageServer(tls) as server:
        yield server


@pytest.fixture
def modern(authority: trustme.CA, tmp_path: Path) -> NodeConfig:
    """A node that announces everything, and trusts the images' server."""
    authority.cert_pem.write_to_path(tmp_path / "authority.pem")
    return NodeConfig(
        home_id="villa",
        node_id="plug-1",
        interval=None,
        relay_on=False,
        backoff_min=0.02,
        backoff_max=0.1,
        info=Info(),
        updates=Updates(ca=tmp_path / "authority.pem", max_size=1_000_000),
        awake=0.05,
    )


@pytest.fixture
async def modern_node(
    modern: NodeConfig, broker: Broker, observer: Observer, events: list[Event]
) -> AsyncIterator[Node]:
    node = Node(modern, broker, on_event=events.append)
    await node.start()
    await observer.wait_for(lambda: bool(observer.on("status/led")))
    yield node
    await node.stop()


@pytest.fixture
def image(images: ImageServer) -> Image:
    return images.serve(IMAGE, FIRMWARE)
