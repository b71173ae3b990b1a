"""A soak's accounts: what adds up, and everything that does not."""

from typing import Any

import pytest

from demo.soak.ledger import Call, Ledger, NodeRecord
from demo.soak.plan import BreakBroker, KillHomeAssistant, Reload, Scale, Send, Step, make_plan

NODES = [(home_id, f"plug-{number}") for home_id in ("a", "b") for number in range(3)]


def send(number: int = 0, *, queue: bool = False) -> Send:
    fields = {"action": "on", "queue": queue}
    return Send(at=0, home_id="a", node_id="plug-0", number=number, kind="relay", fields=fields)


def result(request_id: str = "r", outcome: str = "confirmed", **changes: Any) -> dict[str, Any]:
    return {
        "home_id": "a",
        "node_id": "plug-0",
        "command": "relay",
        "action": "on",
        "request_id": request_id,
        "outcome": outcome,
        "reason": None,
        "attempts": 1,
        **changes,
    }


def node(*executed: str) -> list[NodeRecord]:
    return [NodeRecord(home_id="a", node_id="plug-0", executed=executed, relay=True)]


def answered(*events: dict[str, Any], response: dict[str, Any] | None = None) -> Ledger:
    """One answered call, and what was told."""
    return Ledger([Call(send(), 0.0, response=response or result())], list(events))


def cut_off(*events: dict[str, Any], queue: bool, after: float = 5.0) -> Ledger:
    """One caller who lost Home Assistant."""
    return Ledger([Call(send(queue=queue), 0.0, cut_off=after)], list(events))


@pytest.mark.parametrize(
    ("ledger", "executed"),
    [
        (answered(result()), ["r"]),
        (answered(result(outcome="timed_out"), response=result(outcome="timed_out")), []),
        (answered(result(outcome="timed_out"), response=result(outcome="timed_out")), ["r"]),
        (answered(result(), response=result(outcome="queued", attempts=0)), ["r"]),
        (answered(response=result(request_id=None, outcome="rejected")), []),  # type: ignore[arg-type]  # as is
        (cut_off(result(), queue=True), ["r"]),
        (cut_off(queue=True, after=0.1), []),
        (cut_off(queue=False), ["r"]),
        (cut_off(result(), queue=False), ["r"]),
        (Ledger([Call(send(), 0.0, refused="not loaded")]), []),
    ],
)
def test_these_add_up(ledger: Ledger, executed: list[str]) -> None:
    assert ledger.verify(node(*executed)) == []


@pytest.mark.parametrize(
    ("ledger", "executed", "words"),
    [
        (answered(), ["r"], "no event"),
        (answered(result(), result()), ["r"], "told 2 times"),
        (answered(result(outcome="timed_out")), ["r"], "several outcomes"),
        (answered(response=result(outcome="queued")), [], "no event"),
        (answered(result()), [], "confirmed but not carried out"),
        (answered(result()), ["r", "r"], "carried out 2 times"),
        (
            answered(result(outcome="rejected"), response=result(outcome="rejected")),
            ["r"],
            "but it was carried out",
        ),
        (
            answered(
                result(outcome="expired", attempts=0),
                response=result(outcome="expired", attempts=0),
            ),
            ["r"],
            "but it was carried out",
        ),
        (cut_off(queue=True), [], "queued callers cut off"),
        (cut_off(result("r"), result("s"), queue=False), ["r", "s"], "without a caller"),
        (cut_off(queue=False), ["r", "s"], "nobody told of"),
        (Ledger([Call(send(), 0.0)]), [], "never ended"),
        (Ledger([Call(send(), 0.0, refused="not found")] * 11), [], "did not become commands"),
        (Ledger(rested={"r": 1.0}), [], "never ended"),
    ],
)
def test_these_do_not_add_up(ledger: Ledger, executed: list[str], words: str) -> None:
    (problem, *_) = ledger.verify(node(*executed))

    assert words in problem


def test_what_a_kill_made_home_assistant_tell_again_is_counted_apart() -> None:
    ledger = answered(result(), result())
    ledger.rested["r"] = 1.0

    assert ledger.verify(node("r")) == []
    assert list(ledger.repeated) == ["r"]


def test_a_resting_command_is_open_until_it_is_told() -> None:
    ledger = answered(response=result(outcome="queued"))
    assert ledger.open() == {"r"}

    ledger.events.append(result())

    assert ledger.open() == set()


def test_a_seed_decides_everything() -> None:
    scale = Scale(commands=200, seconds=60, broker_breaks=3, kills=2, reloads=4)

    def plan(seed: int) -> list[Step]:
        return make_plan(seed, scale, NODES)

    assert plan(1) == plan(1)
    assert plan(1) != plan(2)
    kinds = [type(step) for step in plan(1)]
    assert [kinds.count(kind) for kind in (Send, BreakBroker, KillHomeAssistant, Reload)] == [
        200,
        3,
        2,
        4,
    ]
    assert plan(1) == sorted(plan(1), key=lambda step: step.at)
