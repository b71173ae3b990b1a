"""Commands over a real broker, well and badly answered."""

import pytest

from simulator import Behaviour, Event, Node
from simulator.behaviour import GOOD, MALFORMED_TELEMETRY

from .observer import Observer

TOGGLE = {"action": "toggle", "request_id": "r1"}


async def test_a_command_is_answered_and_the_relay_reported(node: Node, observer: Observer) -> None:
    observer.command("relay", {"action": "on", "request_id": "r1"})
    await observer.wait_for(lambda: len(observer.on("status/relay")) == 2)
    answer = observer.on("response/command")[0]
    assert (answer.qos, answer.retain) == (1, False)
    assert answer.json["request_id"] == "r1"
    assert answer.json["status"] == "success"
    assert answer.json["result"] == "on"
    assert observer.on("status/relay")[-1].json["state"] == "on"
    assert observer.on("status/relay")[-1].retain


async def test_a_repeated_request_is_carried_out_once_and_answered_again(
    node: Node, observer: Observer
) -> None:
    for _ in range(3):
        observer.command("relay", TOGGLE)
    await observer.wait_for(lambda: len(observer.answers) == 3)
    assert {answer["result"] for answer in observer.answers} == {"on"}
    assert node.relay is True
    (execution,) = node.executed
    assert execution.request_id == "r1"
    assert (execution.kind, execution.action, execution.result) == (
        "relay",
        "toggle",
        "on",
    )
    assert execution.receptions == 3
    assert len(node.received) == 3


async def test_retained_commands_are_ignored(node: Node, observer: Observer) -> None:
    await node.stop()
    observer.command("relay", TOGGLE, retain=True)
    await observer.wait_for(lambda: bool(observer.on("command/relay")))
    await node.start()
    await node.wait_for(lambda: bool(node.received))
    assert node.received[0].retained
    await observer.nothing_more_than(0)
    assert node.executed == ()


async def test_a_command_without_request_id_is_carried_out_unanswered(
    node: Node, observer: Observer
) -> None:
    observer.command("relay", {"action": "on"})
    await node.wait_for(lambda: len(node.executed) == 1)
    await node.drained()
    await observer.nothing_more_than(0)
    assert node.relay is True


async def test_led_and_config_are_kept(node: Node, observer: Observer) -> None:
    observer.command("led", {"action": "on", "brightness": 9, "request_id": "r1"})
    observer.command("config", {"config": {"max_power": 2000}, "request_id": "r2"})
    await observer.wait_for(lambda: len(observer.answers) == 2)
    assert [each["result"] for each in observer.answers] == ["on", "applied"]
    assert node.led.brightness == 9
    assert node.settings == {"max_power": 2000}


async def test_what_cannot_be_read_is_left_unanswered(
    node: Node, observer: Observer, events: list[Event]
) -> None:
    observer.command("relay", b"{not json")
    await node.wait_for(lambda: events[-1].name == "command not understood")
    await observer.nothing_more_than(0)


async def test_ota_is_unsupported_and_answered_on_its_own_topic(
    node: Node, observer: Observer
) -> None:
    observer.command("ota", {"request_id": "r1", "url": "x"})
    await observer.wait_for(lambda: bool(observer.on("response/ota")))
    answer = observer.on("response/ota")[0].json
    assert (answer["status"], answer["error"]) == ("error", "unsupported")
    assert node.executed == ()
    assert node.refused[0].error == "unsupported"


async def test_silent_carries_out_and_never_answers(node: Node, observer: Observer) -> None:
    node.behaviour = Behaviour(silent=True)
    observer.command("relay", TOGGLE)
    await observer.wait_for(lambda: len(observer.on("status/relay")) == 2)
    await observer.nothing_more_than(0)
    assert node.relay is True


async def test_deaf_does_nothing_but_counts(
    node: Node, observer: Observer, events: list[Event]
) -> None:
    node.behaviour = Behaviour(deaf=True)
    observer.command("relay", TOGGLE)
    await node.wait_for(lambda: len(node.received) == 1)
    await observer.nothing_more_than(0)
    assert node.executed == ()
    assert node.relay is False
    assert events[-1].name == "command ignored"


async def test_skip_first_answers_only_a_later_arrival(node: Node, observer: Observer) -> None:
    node.behaviour = Behaviour(skip_first=2)
    for _ in range(3):
        observer.command("relay", TOGGLE)
    await observer.wait_for(lambda: len(observer.answers) == 1)
    await observer.nothing_more_than(1)
    assert node.executed[0].receptions == 3
    assert node.relay is True


async def test_lose_every_second_answer(node: Node, observer: Observer) -> None:
    node.behaviour = Behaviour(lose_every=2)
    for number in range(5):
        observer.command("relay", {"action": "on", "request_id": f"r{number}"})
    await observer.wait_for(lambda: len(observer.answers) == 3)
    assert [each["request_id"] for each in observer.answers] == ["r0", "r2", "r4"]
    assert len(node.executed) == 5


async def test_a_late_answer_comes_after_the_new_state(node: Node, observer: Observer) -> None:
    node.behaviour = Behaviour(delay=0.1)
    observer.command("relay", TOGGLE)
    await observer.wait_for(lambda: len(observer.answers) == 1)
    answer = observer.on("response/command")[0]
    state = observer.on("status/relay")[1]
    assert observer.seen.index(state) < observer.seen.index(answer)


@pytest.mark.parametrize("vanish", [True, False])
async def test_an_answer_still_to_come_dies_with_the_node(
    node: Node, observer: Observer, *, vanish: bool
) -> None:
    node.behaviour = Behaviour(delay=60)
    observer.command("relay", TOGGLE)
    await node.wait_for(lambda: len(node.executed) == 1)
    if vanish:
        node.die()
    await node.stop()
    await observer.nothing_more_than(0)


async def test_twice_sends_the_answer_twice(node: Node, observer: Observer) -> None:
    node.behaviour = Behaviour(twice=True)
    observer.command("relay", TOGGLE)
    await observer.wait_for(lambda: len(observer.answers) == 2)
    first, second = observer.answers
    assert first == second
    assert len(node.executed) == 1


async def test_wrong_id_answers_something_nobody_asked(node: Node, observer: Observer) -> None:
    node.behaviour = Behaviour(wrong_id=True)
    observer.command("relay", TOGGLE)
    await observer.wait_for(lambda: len(observer.answers) == 1)
    assert observer.answers[0]["request_id"].startswith("wrong-")
    assert node.executed[0].request_id == "r1"


async def test_reject_answers_with_the_reason_and_does_nothing(
    node: Node, observer: Observer
) -> None:
    node.behaviour = Behaviour(reject="overload protection")
    observer.command("relay", TOGGLE)
    await observer.wait_for(lambda: len(observer.answers) == 1)
    answer = observer.answers[0]
    assert (answer["status"], answer["error"]) == ("error", "overload protection")
    assert "result" not in answer
    assert node.executed == ()
    assert node.refused[0].receptions == 1
    assert node.relay is False


async def test_malformed_telemetry_is_every_kind_of_nonsense(
    node: Node, observer: Observer
) -> None:
    node.behaviour = Behaviour(malformed=True)
    for _ in MALFORMED_TELEMETRY:
        await node.send_telemetry({"power": 1})
    await observer.wait_for(lambda: len(observer.on("telemetry/power")) == len(MALFORMED_TELEMETRY))
    assert {each.payload for each in observer.on("telemetry/power")} == set(MALFORMED_TELEMETRY)


def test_behaviour_is_read_from_texts() -> None:
    texts = ["delay=1.5", "skip_first=2", "twice=yes", "reject=too hot"]
    changed = GOOD.changed(texts)
    assert changed == Behaviour(delay=1.5, skip_first=2, twice=True, reject="too hot")
    assert changed.changed(["reject=", "twice=off"]) == Behaviour(delay=1.5, skip_first=2)


@pytest.mark.parametrize(
    "text", ["nonsense", "rude=yes", "delay=soon", "delay=-1", "delay=nan", "twice=2"]
)
def test_behaviour_that_makes_no_sense_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=text.partition("=")[0]):
        GOOD.changed([text])
