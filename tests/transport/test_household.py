"""A household's commands where the broker itself has something to say."""

import asyncio
from collections.abc import Callable

from custom_components.homesync.client import (
    ConnectionState,
    Delivery,
    Household,
    HouseholdSettings,
    MqttVersion,
    Outcome,
    Reason,
    RelayAction,
    RelayCommand,
    Timing,
)
from tests.broker import Mosquitto

from . import packets
from .conftest import Serve
from .link import LOGGER, settings, until
from .scripted import Peer

ON = RelayCommand(RelayAction.ON)
ACL = "topic read homesync/villa/nodes/#\ntopic write homesync/villa/nodes/_echo/#\n"


def household(port: int, version: int, timing: Timing | None = None) -> Household:
    return Household(
        HouseholdSettings(name="Villa", home_id="villa"),
        settings(port, version=MqttVersion(version)),
        LOGGER,
        timing=timing,
    )


async def test_f21_mqtt_5_rejects_a_forbidden_command_at_once(
    start_mosquitto: Callable[..., Mosquitto],
) -> None:
    villa = household(start_mosquitto(acl=ACL).port, 5)
    villa.start()
    await until(lambda: villa.link.state is ConnectionState.CONNECTED)
    result = await villa.commands.execute("plug-1", ON, Delivery(timeout=30, retries=3))
    await villa.stop()
    assert (result.outcome, result.reason) == (Outcome.REJECTED, Reason.REFUSED_BY_BROKER)
    assert result.attempts == 1
    assert result.detail


async def test_f21_mqtt_311_lets_a_forbidden_command_time_out(
    start_mosquitto: Callable[..., Mosquitto],
) -> None:
    villa = household(start_mosquitto(acl=ACL).port, 4)
    villa.start()
    await until(lambda: villa.link.state is ConnectionState.CONNECTED)
    result = await villa.commands.execute("plug-1", ON, Delivery(timeout=0.1, retries=0))
    await villa.stop()
    assert (result.outcome, result.reason) == (Outcome.TIMED_OUT, Reason.NO_ANSWER)


async def test_a_command_that_nobody_listens_to_says_so(mosquitto: Mosquitto) -> None:
    villa = household(mosquitto.port, 5)
    villa.start()
    # At first the household itself listens, for commands that the broker keeps.
    await until(lambda: "Received UNSUBSCRIBE" in mosquitto.log)
    result = await villa.commands.execute("plug-1", ON, Delivery(timeout=2, retries=0))
    await villa.stop()
    assert (result.outcome, result.reason) == (Outcome.TIMED_OUT, Reason.NOBODY_LISTENS)


async def test_the_end_of_a_probe_repeats_no_command(serve: Serve) -> None:
    async def play(peer: Peer) -> None:
        await peer.accept()
        await peer.serve(echo=False)

    stage = await serve(play)
    villa = household(stage.settings.port, 5, Timing(echo_within=0.2, echo_every=0.05))
    told: list[ConnectionState] = []
    villa.link.add_listener(told.append)
    villa.start()
    await until(lambda: villa.link.state is ConnectionState.CONNECTED)
    command = asyncio.create_task(
        villa.commands.execute("plug-1", ON, Delivery(timeout=30, retries=3))
    )
    before = len(told)
    await until(lambda: len(told) >= before + 3)
    commands = [
        each
        for each in stage.broker.peer.received
        if each[0] & 0xF0 == packets.PUBLISH and b"/command/" in each
    ]
    assert len(commands) == 1
    await villa.stop()
    assert (await command).outcome is Outcome.CANCELLED
