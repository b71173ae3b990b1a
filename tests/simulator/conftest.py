"""A villa with one node, and somebody who watches."""

from collections.abc import AsyncIterator

import pytest

from simulator import Broker, Event, Node, NodeConfig
from tests.broker import Mosquitto

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
