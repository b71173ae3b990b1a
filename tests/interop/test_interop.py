"""One household and one node on each broker: the same story everywhere."""

import asyncio
from collections.abc import Callable, Iterator
import logging
from pathlib import Path

import pytest

from custom_components.homesync.client import (
    RELAY,
    BrokerSettings,
    ConnectionState,
    HomeSyncDialect,
    Household,
    HouseholdSettings,
    MqttVersion,
    Outcome,
    Publication,
    RelayAction,
    RelayCommand,
    Timing,
    preflight,
    subscriptions_of,
    telemetry_key,
)
from custom_components.homesync.client.transport import echo, preflight as trial
from simulator import Broker, Node, NodeConfig

from .brokers import HOST, OtherBroker, amqtt, nats

LOGGER = logging.getLogger("interop")
POWER = telemetry_key("power")
TIMING = Timing(echo_within=5.0, deadline=6.0)


@pytest.fixture(autouse=True)
def _patience(monkeypatch: pytest.MonkeyPatch) -> None:
    """Wait for echoes as long as a busy machine takes."""
    monkeypatch.setattr(echo, "_LOOKS", 1000)
    monkeypatch.setattr(trial, "_ECHO_WITHIN", 60)


@pytest.fixture(params=[nats, amqtt], ids=["nats", "amqtt"])
def broker(
    request: pytest.FixtureRequest, tmp_path: Path, socket_enabled: None
) -> Iterator[OtherBroker]:
    chosen: OtherBroker = request.param(tmp_path)
    chosen.start()
    yield chosen
    chosen.stop()


async def until(condition: Callable[[], object], seconds: float = 60.0) -> None:
    loop = asyncio.get_running_loop()
    give_up_at = loop.time() + seconds
    while not condition():
        assert loop.time() < give_up_at
        await asyncio.sleep(0.005)


async def _soon(_: float) -> None:
    await asyncio.sleep(0.05)


def status(text: bytes) -> Publication:
    return Publication("homesync/villa/bridge/status", text, 1, True)


async def villa_on(broker: OtherBroker) -> Household:
    """Set up as a person would: tried first, and what that taught is used."""
    settings = BrokerSettings(
        host=HOST,
        port=broker.port,
        client_id="hsVilla",
        will=status(b"offline"),
        birth=status(b"online"),
        farewell=status(b"offline"),
    )
    report = await preflight(
        settings, subscriptions_of(HomeSyncDialect("homesync", "villa")), TIMING
    )
    assert report.echo.unproven == ()
    return Household(
        HouseholdSettings(name="Villa", home_id="villa"),
        settings,
        LOGGER,
        learned=report.learned,
        timing=TIMING,
        sleep=_soon,
    )


async def test_a_household_lives_on_it_and_survives_its_restart(broker: OtherBroker) -> None:
    config = NodeConfig(
        home_id="villa",
        node_id="plug-1",
        interval=None,
        relay_on=False,
        backoff_min=0.02,
        backoff_max=0.1,
    )
    node = Node(config, Broker(host=HOST, port=broker.port))
    await node.start()
    villa = await villa_on(broker)
    villa.start()
    try:
        await until(lambda: villa.link.state is ConnectionState.CONNECTED)
        assert villa.link.learned.version is MqttVersion.V311

        # Its status is retained: the household came later.
        await until(lambda: "plug-1" in villa.nodes)
        await until(lambda: villa.nodes["plug-1"].get(RELAY) is False)
        await node.send_telemetry({"power": 42.5})
        await until(lambda: villa.nodes["plug-1"].get(POWER) == 42.5)
        await until(lambda: villa.link.echo and not villa.link.echo.unproven)

        result = await villa.commands.execute("plug-1", RelayCommand(RelayAction.ON))
        assert result.outcome is Outcome.CONFIRMED
        await until(lambda: villa.nodes["plug-1"].get(RELAY) is True)

        broker.restart()
        await until(lambda: villa.link.state is not ConnectionState.CONNECTED)
        await until(lambda: villa.link.state is ConnectionState.CONNECTED)
        await node.wait_online()
        result = await villa.commands.execute("plug-1", RelayCommand(RelayAction.OFF))
        assert result.outcome is Outcome.CONFIRMED
        await node.send_telemetry({"power": 7.0})
        await until(lambda: villa.nodes["plug-1"].get(POWER) == 7.0)
        assert len(node.executed) == 2
    finally:
        await villa.stop()
        await node.stop()
