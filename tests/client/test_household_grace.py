"""A household whose link is away for a moment, or for longer; and what is no command."""

import asyncio

import pytest

from custom_components.homesync.client import (
    ConnectionState,
    NotConnectedError,
    Outcome,
    Publication,
    Reason,
)

from ..transport.link import until
from ..transport.packets import packet
from .desk import OFF, UPDATE
from .villa import ROOT, Villa
from .virtual_time import on_virtual_time

pytestmark = pytest.mark.usefixtures("socket_enabled")


async def lose_link(villa: Villa) -> None:
    """Until `may_reconnect` is set again."""
    villa.may_reconnect.clear()
    villa.peer.send(packet(0xF0))
    await until(lambda: villa.household.link.state is ConnectionState.DISCONNECTED)


@on_virtual_time
async def test_a_switch_is_sent_when_the_link_is_back_within_the_time_of_grace() -> None:
    async with Villa(grace_time=30) as villa:
        villa.household.restore_node("plug-1")
        await lose_link(villa)
        task = villa.execute()
        await asyncio.sleep(20)
        assert villa.household.link.reachable
        villa.may_reconnect.set()
        await until(lambda: len(villa.broker.peers) == 2 and villa.commands)
        await villa.answer()
        result = await task
        assert (result.outcome, result.attempts) == (Outcome.CONFIRMED, 1)


@on_virtual_time
async def test_when_the_time_of_grace_is_over_everybody_is_told_and_nothing_waits() -> None:
    async with Villa(grace_time=30) as villa:
        villa.household.restore_node("plug-1")
        await lose_link(villa)
        told: list[bool] = []
        villa.household.link.add_listener(lambda _: told.append(villa.household.link.reachable))
        begin = asyncio.get_running_loop().time()
        switch, queued = villa.execute(), villa.execute("plug-2", queue=True, ttl=600)
        result = await switch
        assert (result.outcome, result.reason) == (Outcome.EXPIRED, Reason.NOT_CONNECTED)
        assert asyncio.get_running_loop().time() - begin <= 30
        await asyncio.sleep(1)
        assert told == [False]
        late = await villa.execute()
        assert (late.outcome, late.reason) == (Outcome.REJECTED, Reason.NOT_CONNECTED)
        assert not queued.done()
        villa.household.commands.cancel()
        await queued


@on_virtual_time
async def test_without_a_time_of_grace_a_switch_is_refused_at_once() -> None:
    async with Villa(grace_time=0) as villa:
        villa.household.restore_node("plug-1")
        await lose_link(villa)
        for command in (OFF, UPDATE):
            result = await villa.execute(command=command)
            assert (result.outcome, result.reason) == (Outcome.REJECTED, Reason.NOT_CONNECTED)


@on_virtual_time
async def test_f48_before_the_first_connection_only_what_is_queued_waits() -> None:
    villa = Villa()
    villa.may_reconnect.clear()
    connecting = asyncio.create_task(villa.__aenter__())
    await until(lambda: hasattr(villa, "household"))
    villa.household.restore_node("plug-1")
    refused, queued = await villa.execute(), villa.execute(queue=True)
    assert (refused.outcome, refused.reason) == (Outcome.REJECTED, Reason.NOT_CONNECTED)
    villa.may_reconnect.set()
    await connecting
    await until(lambda: villa.commands)
    await villa.answer()
    assert (await queued).outcome is Outcome.CONFIRMED
    await villa.__aexit__()


@on_virtual_time
async def test_a_plain_message_is_sent_as_it_is() -> None:
    async with Villa() as villa:
        villa.household.publish(Publication("elsewhere/x", b'{"a": 1}', retain=True))
        await villa.settle()
        assert villa.commands == [("elsewhere/x", {"a": 1}, 0x33)]
        await lose_link(villa)
        with pytest.raises(NotConnectedError):
            villa.household.publish(Publication("elsewhere/x", b""))


@on_virtual_time
async def test_all_that_the_broker_keeps_of_a_node_can_be_taken_away() -> None:
    async with Villa() as villa:
        await villa.arrive("plug-1/status/online", {"online": True})
        own = f"{ROOT}/plug-1/own/topic"
        villa.keeps = [(own, b"x"), (f"{ROOT}/plug-1/command/relay", b"{}")]
        await villa.household.left_overs.clear_node("plug-1")
        await villa.settle()
        assert {topic for topic, _, _ in villa.commands} == {topic for topic, _ in villa.keeps}
        assert {header for _, _, header in villa.commands} == {0x33}
        villa.granted = 0x80
        await villa.household.left_overs.clear_node("plug-1")
        await lose_link(villa)
        await villa.household.left_overs.clear_node("plug-1")
        assert list(villa.household.nodes) == ["plug-1"]
