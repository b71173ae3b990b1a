"""What a broker keeps for a household: found, shown, and taken away when asked to."""

import asyncio

import pytest

from custom_components.homesync.client import (
    ConnectionState,
    InvalidSettingError,
    NotConnectedError,
    Publication,
)
from tests.broker import Mosquitto

from ..transport.link import until
from .home import Home, Stranger
from .villa import ROOT, Villa
from .virtual_time import on_virtual_time

pytestmark = pytest.mark.usefixtures("socket_enabled")

COMMAND = f"{ROOT}/plug-1/command/relay"
FOREIGN = "homesync/chalet/nodes/plug-1/command/relay"


async def test_f49_a_command_that_the_broker_keeps_is_found_and_can_be_taken_away(
    mosquitto: Mosquitto,
) -> None:
    async with Stranger(mosquitto) as stranger:
        for topic in (COMMAND, FOREIGN):
            stranger.publish(topic.removeprefix("homesync/"), '{"action": "on"}', retain=True)
        await until(lambda: len(stranger.seen) == 2)
        async with Home(mosquitto) as home:
            await until(lambda: home.household.left_overs.commands)
            assert list(home.household.left_overs.commands) == [COMMAND]
            assert home.household.left_overs.clear([COMMAND, FOREIGN]) == 1
            assert not home.household.left_overs.commands
            assert not home.household.nodes
            assert set(home.household.counts) == {"superseded"}
            await until(lambda: (COMMAND, b"") in stranger.seen)
        async with Stranger(mosquitto, "another") as another:
            await until(lambda: another.seen)
            assert [topic for topic, _ in another.seen] == [FOREIGN]


async def test_what_is_left_of_nodes_that_are_gone_is_found(mosquitto: Mosquitto) -> None:
    async with Stranger(mosquitto) as stranger, Home(mosquitto) as home:
        home.household.accepts = lambda node_id: node_id == "plug-1"
        stranger.publish("villa/nodes/plug-1/status/online", '{"online": true}', retain=True)
        stranger.publish("villa/nodes/old/status/online", '{"online": false}', retain=True)
        stranger.publish("villa/nodes/old/own/topic/of/it", "12345", retain=True)
        stranger.publish("villa/nodes/plug-1/response/command", "{}", retain=True)
        stranger.publish("chalet/nodes/old/status/online", "{}", retain=True)
        stranger.publish("villa/nodes/plug-1/status/relay", '{"state": "on"}', retain=True)
        await home.knows("status/relay", True)
        left = {
            f"{ROOT}/old/status/online": 17,
            f"{ROOT}/old/own/topic/of/it": 5,
            f"{ROOT}/plug-1/response/command": 2,
        }
        assert await home.household.left_overs.find() == left
        assert home.household.left_overs.clear(left) == 3
        assert await home.household.left_overs.find() == {}


@on_virtual_time
async def test_after_the_search_nothing_is_listened_to_any_more() -> None:
    async with Villa() as villa:
        await until(lambda: [each for each in villa.peer.received if each[0] == 0xA2])
        topics = [
            topic
            for each in villa.peer.received
            if each[0] == 0xA2
            for topic in [each[6:].decode()]
        ]
        assert topics == [f"{ROOT}/+/command/+"]


@on_virtual_time
async def test_a_search_that_nobody_waits_for_any_more_listens_to_nothing() -> None:
    async with Villa() as villa:
        await until(lambda: [each for each in villa.peer.received if each[0] == 0xA2])
        begun = asyncio.Event()

        async def for_ever(_: float) -> None:
            begun.set()
            await asyncio.Event().wait()

        villa.household._scan._sleep = for_ever
        search = asyncio.create_task(villa.household.left_overs.find())
        await begun.wait()
        search.cancel()
        await asyncio.wait((search,))
        everything = f"{ROOT}/#".encode()
        await until(lambda: any(everything in each for each in villa.peer.received[-1:]))
        await until(lambda: villa.peer.received[-1][0] == 0xA2)


@on_virtual_time
async def test_a_broker_that_does_not_let_us_look_tells_nothing() -> None:
    async with Villa() as villa:
        villa.keeps = [(COMMAND, b"{}")]
        villa.granted = 0x80
        assert await villa.household.left_overs.find() is None
        villa.household.reconnect()
        await until(lambda: len(villa.broker.peers) == 2)
        await villa.connected()
        await asyncio.sleep(60)
        assert villa.household.left_overs.commands == ()
        assert villa.household.link.state is ConnectionState.CONNECTED


@on_virtual_time
async def test_each_connection_looks_again() -> None:
    async with Villa() as villa:
        assert not villa.household.left_overs.commands
        villa.keeps = [(COMMAND, b"{}"), (f"{ROOT}/plug-1/status/relay", b"{}")]
        villa.household.reconnect()
        await until(lambda: villa.household.left_overs.commands)
        assert list(villa.household.left_overs.commands) == [COMMAND]


@on_virtual_time
async def test_nothing_outside_the_household_is_ever_taken_away() -> None:
    async with Villa() as villa:
        others = [
            FOREIGN,
            "homesync/villa/bridge/status",
            "homesync/villa/nodes",
            "homesync/villa2/nodes/plug-1/status/relay",
            "",
            "#",
        ]
        assert villa.household.left_overs.clear(others) == 0
        assert villa.household.left_overs.clear(each for each in (COMMAND, COMMAND)) == 1
        await villa.settle()
        assert [(topic, header) for topic, _, header in villa.commands] == [(COMMAND, 0x33)]


@on_virtual_time
async def test_a_topic_that_cannot_be_is_passed_over_and_costs_no_connection() -> None:
    async with Villa() as villa:
        topics = [f"{ROOT}/#", f"{ROOT}/+/status/relay", f"{ROOT}/a\0b", COMMAND]
        assert villa.household.left_overs.clear(topics) == 1
        await villa.settle()
        assert [topic for topic, _, _ in villa.commands] == [COMMAND]
        assert len(villa.broker.peers) == 1


@on_virtual_time
async def test_without_a_connection_there_is_nothing_to_look_at() -> None:
    async with Villa() as villa:
        await villa.household.stop()
        with pytest.raises(NotConnectedError):
            await villa.household.left_overs.find()
        with pytest.raises(NotConnectedError):
            villa.household.left_overs.clear([COMMAND])


@pytest.mark.parametrize("topic", [COMMAND, FOREIGN, "x/nodes/y/command/z", f"{ROOT}/#", ""])
@on_virtual_time
async def test_f49_plain_messages_are_no_way_to_send_a_command(topic: str) -> None:
    async with Villa() as villa:
        with pytest.raises(InvalidSettingError):
            villa.household.publish(Publication(topic, b"{}", retain=True))
        await villa.settle()
        assert villa.commands == []
