"""Commands when things go wrong, as the wire sees them."""

import asyncio
import json

import pytest

from custom_components.homesync.client import (
    Command,
    ConfigCommand,
    ConnectionState,
    LedAction,
    LedCommand,
    Outcome,
    OwnCommand,
    Reason,
    RestartCommand,
    StoredCommand,
)

from ..transport.link import until
from ..transport.packets import GOODBYE, packet, puback
from .desk import IDENTIFY, OFF, ON, UPDATE
from .villa import NOW, ROOT, Villa
from .virtual_time import on_virtual_time

pytestmark = pytest.mark.usefixtures("socket_enabled")

EVERYTHING: tuple[Command, ...] = (
    ON,
    LedCommand(LedAction.ON, brightness=5, color=(1, 2, 3), effect="blink"),
    IDENTIFY,
    ConfigCommand('{"interval": 5}'),
    UPDATE,
    RestartCommand(),
    OwnCommand("dance", '{"retain": true, "qos": 0}'),
)


@on_virtual_time
async def test_f44_an_answer_that_overtakes_the_acknowledgement_confirms() -> None:
    async with Villa() as villa:
        villa.household.restore_node("plug-1")
        task = await villa.command()
        await villa.answer()
        result = await task
        assert (result.outcome, result.attempts) == (Outcome.CONFIRMED, 1)
        villa.peer.send(puback(villa.packet_ids[-1]))
        await villa.settle()
        assert villa.household.counts == {"superseded": 0, "confirmed": 1}


@pytest.mark.parametrize("command", EVERYTHING, ids=lambda each: str(each.kind))
@on_virtual_time
async def test_f49_no_command_is_retained_and_no_repeat_of_one(command: Command) -> None:
    async with Villa() as villa:
        villa.household.restore_node("plug-1")
        task = await villa.command(command=command, queue=True)
        await asyncio.sleep(6.5)
        villa.peer.send(packet(0xF0))
        await until(lambda: len(villa.broker.peers) == 2)
        await villa.connected()
        await until(lambda: villa.commands)
        villa.household.commands.cancel()
        await task
        sent = [each for peer in villa.broker.peers for each in peer.received]
        headers = [each[0] for each in sent if each[0] & 0xF0 == 0x30]
        assert headers == [0x32] * 3
        topic, content, _ = villa.commands[0]
        assert topic == f"{ROOT}/plug-1/command/{command.kind}"
        assert content["request_id"] == (await task).request_id


@on_virtual_time
async def test_f48_what_is_queued_for_a_node_goes_when_it_is_back() -> None:
    async with Villa() as villa:
        await villa.arrive("plug-1/status/online", {"online": False})
        task = villa.execute(queue=True, ttl=100)
        await asyncio.sleep(90)
        assert villa.commands == []
        await villa.arrive("plug-1/status/online", {"online": True})
        assert len(villa.commands) == 1
        await villa.answer()
        assert (await task).outcome is Outcome.CONFIRMED


@on_virtual_time
async def test_f48_what_expired_is_not_sent_when_the_node_is_back() -> None:
    async with Villa() as villa:
        await villa.arrive("plug-1/status/online", {"online": False})
        result = await villa.execute(queue=True, ttl=100)
        assert (result.outcome, result.reason) == (Outcome.EXPIRED, Reason.NODE_OFFLINE)
        await villa.arrive("plug-1/status/online", {"online": True})
        assert villa.commands == []


@on_virtual_time
async def test_f50_what_is_too_large_for_the_broker_is_rejected_and_the_link_stays() -> None:
    async with Villa(broker={"maximum_packet": 300}) as villa:
        villa.household.restore_node("plug-1")
        result = await villa.execute(command=ConfigCommand(json.dumps({"x": "x" * 200})))
        assert (result.outcome, result.reason) == (Outcome.REJECTED, Reason.TOO_LARGE)
        assert (villa.commands, result.attempts) == ([], 0)
        task = await villa.command()
        await villa.answer()
        assert (await task).outcome is Outcome.CONFIRMED
        assert len(villa.broker.peers) == 1


@on_virtual_time
async def test_f50_what_makes_the_broker_leave_is_dropped_and_the_queue_goes_on() -> None:
    async with Villa() as villa:
        villa.household.restore_node("plug-1")
        villa.hates = "command/dance"
        poison = villa.execute(command=OwnCommand("dance"))
        other = villa.execute(queue=True)
        result = await poison
        assert (result.outcome, result.reason) == (Outcome.DROPPED, Reason.POISONOUS)
        assert (result.attempts, len(villa.broker.peers)) == (3, 3)
        await until(lambda: len(villa.broker.peers) == 4 and villa.commands)
        assert villa.commands[-1][0].endswith("command/relay")
        await villa.answer()
        assert (await other).outcome is Outcome.CONFIRMED


@on_virtual_time
async def test_a_broker_that_is_away_for_long_blames_the_command_once() -> None:
    async with Villa() as villa:
        villa.household.restore_node("plug-1")
        task = await villa.command()
        villa.turned_away = 8
        villa.peer.send(packet(0xF0))
        await until(lambda: len(villa.broker.peers) == 10)
        await villa.connected()
        await until(lambda: villa.commands)
        await villa.answer()
        assert (await task).outcome is Outcome.CONFIRMED


@on_virtual_time
async def test_f52_a_stop_during_a_command_ends_it_and_says_goodbye_to_the_broker() -> None:
    async with Villa() as villa:
        villa.household.restore_node("plug-1")
        task = await villa.command()
        queued = await villa.command("plug-2", queue=True)
        waiting = villa.execute("plug-2", OwnCommand("dance"), queue=True)
        await asyncio.sleep(0)
        await villa.household.stop()
        assert [each.done() for each in (task, queued, waiting)] == [True] * 3
        assert (await task).outcome is Outcome.CANCELLED
        rest = {(await each).request_id for each in (queued, waiting)}
        assert {each.request_id for each in villa.household.commands.stored()} == rest
        await until(lambda: villa.peer.received[-1] == GOODBYE)
        await asyncio.sleep(100)
        assert {each.request_id for each in villa.household.commands.stored()} == rest


@on_virtual_time
async def test_f51_what_rested_goes_with_its_id_once_there_is_a_connection() -> None:
    async with Villa() as villa:
        villa.household.restore_node("plug-1")
        stored = StoredCommand(
            request_id="id-1",
            node_id="plug-1",
            kind="relay",
            fields='{"action": "off"}',
            created=NOW - 50,
            ttl=100,
            timeout=5,
            retries=3,
        )
        told: list[str] = []
        villa.household.add_result_listener(lambda result: told.append(result.outcome))

        def take_up(state: ConnectionState) -> None:
            if state is ConnectionState.DISCONNECTED:
                villa.household.commands.restore(stored)

        villa.household.link.add_listener(take_up)
        villa.household.reconnect()
        await until(lambda: len(villa.broker.peers) == 2 and villa.commands)
        ((_, content, _),) = villa.commands
        assert (content["action"], content["request_id"]) == ("off", "id-1")
        await villa.answer(result="off")
        assert told == ["confirmed"]


@on_virtual_time
async def test_f53_of_many_commands_in_turn_none_gets_a_packet_id_that_is_in_use() -> None:
    async with Villa() as villa:
        for node_id in ("plug-1", "slow"):
            villa.household.restore_node(node_id)
        engine = villa.household._session._connection._engine  # type: ignore[union-attr]  # a test looks inside
        await villa.command("slow", ConfigCommand("{}"), timeout=600)
        villa.acknowledges = True
        (in_use,) = villa.packet_ids
        for last in (0xFFFE, in_use - 1):
            engine._last_id = last
            for _ in range(3):
                task = await villa.command()
                await villa.answer()
                assert (await task).outcome is Outcome.CONFIRMED
        ids = villa.packet_ids
        assert ids.count(in_use) == 1
        assert ids[1:3] == [0xFFFF, in_use + 1]
        villa.household.commands.cancel()


@on_virtual_time
async def test_f53_over_what_is_not_acknowledged_the_commands_of_other_nodes_pass() -> None:
    async with Villa() as villa:
        for node_id in ("plug-1", "plug-2"):
            villa.household.restore_node(node_id)
        blocked = [await villa.command(command=OwnCommand("dance"))]
        blocked += [villa.execute(command=OwnCommand("dance")) for _ in range(19)]
        other = await villa.command("plug-2", OFF)
        assert [topic.split("/")[3] for topic, _, _ in villa.commands] == ["plug-1", "plug-2"]
        await villa.answer(node_id="plug-2")
        assert (await other).outcome is Outcome.CONFIRMED
        more = [villa.execute(command=OwnCommand("dance")) for _ in range(110)]
        await asyncio.sleep(0)
        result = await blocked[1]
        assert (result.outcome, result.reason) == (Outcome.DROPPED, Reason.OUTBOX_FULL)
        villa.household.commands.cancel()
        assert {(await each).outcome for each in (*blocked[2:], *more)} == {Outcome.CANCELLED}


@on_virtual_time
async def test_an_update_is_shown_while_it_goes_on_and_confirmed_by_the_new_version() -> None:
    async with Villa() as villa:
        await villa.arrive("plug-1/status/firmware", {"version": "1.2.3"})
        task = await villa.command(command=UPDATE)
        request_id = villa.commands[-1][1]["request_id"]
        for content in (
            {"status": "accepted"},
            {"status": "progress", "stage": "writing", "percentage": 40},
        ):
            await villa.arrive("plug-1/response/ota", {"request_id": request_id, **content})
        installation = villa.node.get("ota/installation")
        assert (installation.stage, installation.percentage) == ("writing", 40)  # type: ignore[union-attr]  # it is one
        await villa.arrive("plug-1/status/online", {"online": False})
        await villa.arrive("plug-1/status/online", {"online": True, "firmware": "1.3.0"})
        result = await task
        assert (result.outcome, result.result) == (Outcome.CONFIRMED, "1.3.0")
        assert villa.node.get("ota/installation") is None
        assert villa.node.get("status/firmware") == "1.3.0"


@on_virtual_time
async def test_an_led_answers_with_what_it_shows() -> None:
    async with Villa() as villa:
        await villa.arrive("plug-1/status/led", {"state": "off", "color": [1, 2, 3]})
        task = await villa.command(command=LedCommand(LedAction.ON, brightness=9))
        await villa.answer(result="on", led={"state": "on", "brightness": 8})
        assert (await task).outcome is Outcome.CONFIRMED
        led = villa.node.get("status/led")
        assert (led.on, led.brightness, led.color) == (True, 8, (1, 2, 3))  # type: ignore[union-attr]  # it is one
