"""Commands to nodes, as the wire sees them."""

import asyncio

import pytest

from custom_components.homesync.client import Outcome, Reason, RelayAction, RelayCommand

from ..transport.packets import packet, publish
from .villa import ROOT, Villa
from .virtual_time import on_virtual_time

pytestmark = pytest.mark.usefixtures("socket_enabled")


@on_virtual_time
async def test_a_confirmed_command_shows_its_result_at_once() -> None:
    async with Villa() as villa:
        await villa.arrive("plug-1/status/online", {"online": True})
        task = await villa.command()
        villa.changes.clear()
        await villa.answer(result="on")
        result = await task
        assert (result.outcome, result.result, result.attempts) == (Outcome.CONFIRMED, "on", 1)
        assert villa.told == [("status/relay", True)]
        ((topic, content, header),) = villa.commands
        assert topic == f"{ROOT}/plug-1/command/relay"
        assert header == 0x32
        assert content == {
            "action": "on",
            "request_id": result.request_id,
            "timestamp": "2025-02-06T14:30:00.000+00:00",
        }
        assert villa.household.counts["confirmed"] == 1


@on_virtual_time
async def test_f45_a_rejected_command_leaves_the_state() -> None:
    async with Villa() as villa:
        await villa.arrive("plug-1/status/relay", {"state": "off"})
        task = await villa.command()
        await villa.answer(status="error", result=None, error="overload protection")
        result = await task
        assert (result.outcome, result.reason) == (Outcome.REJECTED, Reason.REFUSED_BY_NODE)
        assert result.detail == "overload protection"
        assert villa.node.get("status/relay") is False


@on_virtual_time
async def test_a_rejection_with_an_endless_reason_is_a_rejection() -> None:
    async with Villa() as villa:
        villa.household.restore_node("plug-1")
        task = await villa.command()
        await villa.answer(status="error", error="x" * 10_000)
        result = await task
        assert (result.outcome, result.detail) == (Outcome.REJECTED, None)
        assert villa.household.counts["invalid_field"] == 1


@on_virtual_time
async def test_f40_an_unanswered_command_times_out_after_four_sends_with_one_id() -> None:
    async with Villa() as villa:
        villa.household.restore_node("plug-1")
        begin = asyncio.get_running_loop().time()
        result = await villa.execute(command=RelayCommand(RelayAction.TOGGLE))
        assert (result.outcome, result.reason) == (Outcome.TIMED_OUT, Reason.NO_ANSWER)
        assert asyncio.get_running_loop().time() - begin == pytest.approx(27)
        assert [content["action"] for _, content, _ in villa.commands] == ["toggle"] * 4
        assert {content["request_id"] for _, content, _ in villa.commands} == {result.request_id}


@on_virtual_time
async def test_a_node_that_is_offline_gets_no_command() -> None:
    async with Villa() as villa:
        await villa.arrive("plug-1/status/online", {"online": False})
        result = await villa.execute()
        assert (result.outcome, result.reason) == (Outcome.REJECTED, Reason.NODE_OFFLINE)
        assert villa.commands == []


@on_virtual_time
async def test_without_a_connection_a_command_is_rejected_at_once() -> None:
    async with Villa() as villa:
        villa.household.restore_node("plug-1")
        await villa.household.stop()
        result = await villa.execute()
        assert (result.outcome, result.reason) == (Outcome.CANCELLED, Reason.STOPPED)
    fresh = Villa()
    async with fresh:
        await fresh.household._session.stop()
        result = await fresh.execute()
        assert (result.outcome, result.reason) == (Outcome.REJECTED, Reason.NOT_CONNECTED)


@on_virtual_time
async def test_f43_answers_that_do_not_match_are_counted_and_confirm_nothing() -> None:
    async with Villa() as villa:
        for node_id in ("plug-1", "plug-2"):
            villa.household.restore_node(node_id)
        task = await villa.command()
        request_id = villa.commands[0][1]["request_id"]
        good = {"request_id": request_id, "status": "success", "result": "on"}
        await villa.arrive("plug-1/response/command", {**good, "request_id": "0" * 32})
        await villa.arrive("plug-2/response/command", good)
        await villa.arrive("stranger/response/command", good)
        await villa.arrive("plug-1/response/ota", good)
        await villa.arrive("plug-1/response/command", good, retain=True)
        await villa.arrive(b"homesync/chalet/nodes/plug-1/response/command", good)
        assert villa.household.counts == {
            "superseded": 0,
            "unmatched_answer": 2,
            "foreign_answer": 1,
            "misplaced_answer": 1,
            "retained_answer": 1,
            "foreign_topic": 1,
        }
        await villa.arrive(b"homesync/villa/nodes/plug-1/command/relay", good)
        await villa.arrive("plug-1/status/relay", {**good, "state": "off"})
        assert not task.done()
        assert villa.told == [("status/relay", False)]
        await villa.arrive("plug-1/response/command", good)
        assert (await task).outcome is Outcome.CONFIRMED
        assert "stranger" not in villa.household.nodes


@on_virtual_time
async def test_f41_f42_a_late_and_a_second_answer_change_nothing() -> None:
    async with Villa() as villa:
        villa.household.restore_node("plug-1")
        task = await villa.command(timeout=1.0, retries=0)
        assert (await task).outcome is Outcome.TIMED_OUT
        await villa.answer(result="on")
        assert villa.told == []
        task = await villa.command()
        await villa.answer(result="off")
        await villa.answer(result="on")
        assert (await task).result == "off"
        assert villa.told == [("status/relay", False)]
        assert villa.household.counts["late_answer"] == 1
        assert villa.household.counts["repeated_answer"] == 1


@pytest.mark.parametrize("rest", ["status/relay", "status/online"])
@on_virtual_time
async def test_a_remembered_answer_does_not_undo_what_the_node_told_since(rest: str) -> None:
    async with Villa() as villa:
        villa.household.restore_node("plug-1")
        task = await villa.command()
        await asyncio.sleep(6.5)
        assert len(villa.commands) == 2
        await villa.arrive(f"plug-1/{rest}", {"online": True, "state": "off", "relay": "off"})
        await villa.answer(result="on")
        assert (await task).outcome is Outcome.CONFIRMED
        assert villa.node.get("status/relay") is False


@on_virtual_time
async def test_a_status_message_that_was_refused_does_not_outdate_an_answer() -> None:
    async with Villa() as villa:
        villa.household.restore_node("plug-1")
        task = await villa.command()
        await asyncio.sleep(6.5)
        await villa.arrive("plug-1/status/relay", {"state": "nonsense", "uptime": 5})
        await villa.answer(result="on")
        await task
        assert villa.node.get("status/relay") is True


@pytest.mark.parametrize("result", ["applied", None])
@on_virtual_time
async def test_a_result_that_is_no_switch_state_confirms_and_shows_nothing(
    result: str | None,
) -> None:
    async with Villa() as villa:
        villa.household.restore_node("plug-1")
        task = await villa.command()
        await villa.answer(result=result)
        assert (await task).outcome is Outcome.CONFIRMED
        assert villa.told == []


@on_virtual_time
async def test_f31_after_a_lost_link_the_command_is_sent_again_with_its_id() -> None:
    async with Villa() as villa:
        villa.household.restore_node("plug-1")
        task = await villa.command()
        request_id = villa.commands[0][1]["request_id"]
        villa.peer.send(packet(0xF0))
        await asyncio.sleep(0.5)
        await villa.connected()
        assert len(villa.broker.peers) == 2
        assert [content["request_id"] for _, content, _ in villa.commands] == [request_id]
        await villa.answer()
        result = await task
        assert (result.outcome, result.attempts) == (Outcome.CONFIRMED, 2)


@on_virtual_time
async def test_f52_stopping_ends_open_commands_and_they_learn_it() -> None:
    async with Villa() as villa:
        villa.household.restore_node("plug-1")
        tasks = [await villa.command()]
        tasks.append(villa.execute())
        await villa.household.stop()
        results = await asyncio.gather(*tasks)
        assert {(each.outcome, each.reason) for each in results} == {
            (Outcome.CANCELLED, Reason.STOPPED)
        }


@on_virtual_time
async def test_a_forgotten_node_is_taken_off_the_broker_and_stays_away() -> None:
    async with Villa() as villa:
        for node_id in ("plug-1", "plug-2", "plug-1", "plug-2"):
            await villa.arrive(f"{node_id}/status/online", {"online": True})
        assert len(villa.household._intake._routes) == 2
        villa.changes.clear()
        villa.household.remove_node("plug-1")
        assert not [each for each in villa.household._intake._routes if b"plug-1" in each]
        await villa.settle()
        assert [(topic, header) for topic, _, header in villa.commands] == [
            (f"{ROOT}/plug-1/status/{leaf}", 0x33)
            for leaf in ("firmware", "info", "led", "online", "relay", "rssi")
        ]
        for leaf in ("firmware", "info", "led", "online", "relay", "rssi"):
            await villa.arrive(f"plug-1/status/{leaf}", b"")
        assert list(villa.household.nodes) == ["plug-2"]
        assert villa.changes == []
        await villa.arrive("plug-1/telemetry/power", {"value": 1})
        assert set(villa.household.nodes) == {"plug-1", "plug-2"}


@on_virtual_time
async def test_a_node_can_be_forgotten_without_a_connection() -> None:
    async with Villa() as villa:
        villa.household.restore_node("plug-1")
        await villa.household.stop()
        villa.household.remove_node("plug-1")
        assert not villa.household.nodes


@on_virtual_time
async def test_a_node_that_is_forgotten_takes_its_open_commands_along(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async with Villa() as villa:
        villa.household.restore_node("plug-1")
        task = await villa.command()
        # The answer is received and waits in the inbox when the node is removed.
        villa.household.add_change_listener(
            lambda node, keys: villa.household.remove_node("plug-1")
        )
        request_id = villa.commands[0][1]["request_id"]
        answer = b'{"request_id": "%s", "status": "success", "result": "on"}' % request_id.encode()
        villa.peer.send(
            publish(4, f"{ROOT}/plug-1/status/relay".encode(), b'{"state": "off"}')
            + publish(4, f"{ROOT}/plug-1/response/command".encode(), answer)
        )
        result = await task
        assert (result.outcome, result.reason) == (Outcome.CANCELLED, Reason.WITHDRAWN)
        await villa.settle()
        assert villa.household.counts["late_answer"] == 1
        assert not villa.household.nodes
    assert not [each for each in caplog.records if each.levelname == "ERROR"]
