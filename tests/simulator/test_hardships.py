"""Nodes that take their time, sleep, or crash in the middle."""

from dataclasses import replace

import pytest

from simulator import Behaviour, Broker, Event, Node, NodeConfig

from .observer import Observer

TOGGLE = {"action": "toggle", "request_id": "r1"}


async def test_accept_first_asks_for_patience_before_it_answers(
    node: Node, observer: Observer
) -> None:
    node.behaviour = Behaviour(accept_first=True, delay=0.05)
    observer.command("relay", TOGGLE)
    await observer.wait_for(lambda: len(observer.answers) == 2)
    accepted, answer = observer.answers
    assert accepted == {"request_id": "r1", "status": "accepted", "wait": 1}
    assert (answer["status"], answer["result"]) == ("success", "on")
    assert len(node.executed) == 1


async def test_accept_first_asks_for_twice_its_delay(node: Node, observer: Observer) -> None:
    node.behaviour = Behaviour(accept_first=True, delay=60, twice=True, wrong_id=True)
    observer.command("relay", TOGGLE)
    await observer.wait_for(lambda: len(observer.answers) == 2)
    assert [each["wait"] for each in observer.answers] == [120, 120]
    assert observer.answers[0]["request_id"].startswith("wrong-")


async def test_an_answer_that_is_lost_is_not_accepted_before(
    node: Node, observer: Observer
) -> None:
    node.behaviour = Behaviour(accept_first=True, lose_every=1)
    observer.command("relay", TOGGLE)
    await node.wait_for(lambda: len(node.executed) == 1)
    await observer.nothing_more_than(0)


async def test_a_restart_waits_for_its_late_answer(node: Node, observer: Observer) -> None:
    node.behaviour = Behaviour(accept_first=True, delay=0.05)
    observer.command("restart", {"request_id": "r1"})
    await observer.wait_for(lambda: observer.online == [True, False, True])
    assert [each["status"] for each in observer.answers] == ["accepted", "success"]


async def test_a_silent_node_restarts_all_the_same(node: Node, observer: Observer) -> None:
    node.behaviour = Behaviour(silent=True)
    observer.command("restart", {"request_id": "r1"})
    await observer.wait_for(lambda: observer.online == [True, False, True])
    assert observer.answers == []


@pytest.mark.parametrize("before", [True, False])
async def test_a_crash_leaves_the_command_to_its_repeat(
    node: Node, observer: Observer, *, before: bool
) -> None:
    node.behaviour = Behaviour(reboot_on=2, reboot_before=before)
    observer.command("relay", {"action": "off", "request_id": "r0"})
    # Who crashes right after an answer takes it along.
    await observer.wait_for(lambda: len(observer.answers) == 1)
    observer.command("relay", TOGGLE)
    await observer.wait_for(lambda: observer.online == [True, False, True])
    assert observer.on("status/online")[1].json["reason"] == "unexpected_disconnect"
    await node.wait_online()
    assert [each["request_id"] for each in observer.answers] == ["r0"]
    assert node.relay is not before
    observer.command("relay", TOGGLE)
    await observer.wait_for(lambda: len(observer.answers) == 2)
    assert observer.answers[-1]["result"] == "on"
    assert node.relay is True
    assert node.executed[-1].receptions == (1 if before else 2)
    assert len(node.executed) == 2
    assert node.restarts == 1


async def test_a_crash_during_a_restart_is_one_boot(node: Node, observer: Observer) -> None:
    node.behaviour = Behaviour(reboot_on=1)
    observer.command("restart", {"request_id": "r1"})
    await observer.wait_for(lambda: observer.online == [True, False, True])
    assert node.restarts == 1
    assert observer.answers == []


def times(events: list[Event], why: str) -> int:
    return sum(event.details.get("why") == why for event in events)


@pytest.fixture(params=[4, 5])
def sleeper(
    modern: NodeConfig, broker: Broker, events: list[Event], request: pytest.FixtureRequest
) -> Node:
    config = replace(modern, mqtt_version=request.param)
    return Node(config, broker, Behaviour(sleepy=3600), events.append)


async def test_a_sleeper_takes_its_commands_when_it_wakes_up(
    sleeper: Node, observer: Observer, events: list[Event]
) -> None:
    await sleeper.start()
    await sleeper.wait_for(lambda: times(events, "asleep") == 1)
    assert sleeper.running
    assert not sleeper.online
    await observer.wait_for(lambda: observer.online[-1:] == [False])
    assert observer.on("status/online")[-1].json == {"online": False, "reason": "sleep"}
    observer.command("relay", TOGGLE)
    await observer.wait_for(lambda: bool(observer.on("command/relay")))
    assert sleeper.received == ()
    sleeper.behaviour = Behaviour(sleepy=3600)
    await observer.wait_for(lambda: len(observer.answers) == 1)
    assert observer.answers[0]["result"] == "on"
    until_then = observer.seen[: observer.seen.index(observer.on("response/command")[0])]
    status = [each for each in until_then if "/status/online" in each.topic]
    assert status[-1].json["online"] is True
    assert sleeper.restarts == 0
    await sleeper.wait_for(lambda: times(events, "asleep") == 2)
    await sleeper.stop()


async def test_a_node_that_becomes_sleepy_asks_for_a_session_before_it_sleeps(
    modern_node: Node, observer: Observer, events: list[Event]
) -> None:
    modern_node.behaviour = Behaviour(sleepy=3600)
    await modern_node.wait_for(lambda: times(events, "asleep") == 2)
    observer.command("relay", TOGGLE)
    await observer.wait_for(lambda: bool(observer.on("command/relay")))
    modern_node.behaviour = Behaviour(sleepy=3600)
    await observer.wait_for(lambda: len(observer.answers) == 1)


async def test_a_sleeper_that_becomes_good_stays_awake_and_forgets_its_session(
    sleeper: Node, observer: Observer, events: list[Event]
) -> None:
    await sleeper.start()
    await sleeper.wait_for(lambda: times(events, "asleep") == 1)
    observer.command("relay", TOGGLE)
    await observer.wait_for(lambda: bool(observer.on("command/relay")))
    sleeper.behaviour = Behaviour()
    await sleeper.wait_online()
    observer.command("relay", {"action": "on", "request_id": "r2"})
    await observer.wait_for(lambda: len(observer.answers) == 1)
    assert [each.request_id for each in sleeper.executed] == ["r2"]
    await sleeper.stop()


async def test_a_sleeper_sends_its_values_when_it_wakes_up(
    modern: NodeConfig, broker: Broker, observer: Observer
) -> None:
    node = Node(replace(modern, interval=3600), broker, Behaviour(sleepy=0.02))
    await node.start()
    await observer.wait_for(lambda: len(observer.on("telemetry/power")) >= 3)
    assert node.connections >= 3
    await node.stop()


async def test_a_sleeper_stays_awake_until_it_has_answered(
    modern: NodeConfig, broker: Broker, observer: Observer, events: list[Event]
) -> None:
    slow = Behaviour(delay=0.5, accept_first=True)
    node = Node(modern, broker, slow, events.append)
    await node.start()
    observer.command("relay", TOGGLE)
    await node.wait_for(lambda: bool(node.executed))
    node.behaviour = replace(slow, sleepy=3600)
    await node.wait_for(lambda: times(events, "asleep") == 1)
    await observer.wait_for(lambda: len(observer.answers) == 2)
    assert observer.answers[-1]["status"] == "success"
    await node.stop()
