"""What is asked of an order to install something, and which version is older."""

import json

import pytest

from simulator import Updates
from simulator.commands import Commands
from simulator.device import Device
from simulator.orders import is_older

ORDER = {
    "action": "install",
    "version": "1.3.0",
    "url": "https://firmware.example/1.3.0.bin",
    "sha256": 32 * "aB",
    "size": 1000,
    "request_id": "r1",
}


def answer_to(changes: dict[str, object], *, updating: bool = False) -> dict[str, object]:
    updates = Updates(max_size=1000)
    device = Device(firmware="1.2.3", updates=updates, updating=updating)
    commands = Commands(device, lambda: 0.0)
    fields = {name: value for name, value in {**ORDER, **changes}.items() if value != "absent"}
    outcome = commands.receive("ota", json.dumps(fields).encode())
    assert outcome is not None
    assert outcome.answer is not None
    assert outcome.answer.leaf == "response/ota"
    answer: dict[str, object] = outcome.answer.payload()
    return answer


@pytest.mark.parametrize(
    "changes",
    [{}, {"size": "absent"}, {"version": "1.2.3"}, {"version": "nightly"}, {"size": 1}],
)
def test_a_good_order_is_accepted(changes: dict[str, object]) -> None:
    answer = answer_to(changes)
    assert answer["status"] == "accepted"
    assert "result" not in answer


@pytest.mark.parametrize(
    "changes",
    [
        {"action": "absent"},
        {"action": "remove"},
        {"version": "absent"},
        {"version": ""},
        {"version": "1" * 65},
        {"version": 2},
        {"url": "absent"},
        {"url": "http://firmware.example/1.3.0.bin"},
        {"url": "https:///1.3.0.bin"},
        {"url": "https://[bad/"},
        {"url": "https://firmware.example/" + "x" * 255},
        {"sha256": "absent"},
        {"sha256": "ab"},
        {"sha256": "g" * 64},
        {"size": 0},
        {"size": -1},
        {"size": True},
        {"size": 1.5},
        {"size": "1000"},
    ],
)
def test_an_order_that_cannot_be_read_is_invalid(changes: dict[str, object]) -> None:
    answer = answer_to(changes)
    assert (answer["status"], answer["error"]) == ("error", "invalid")


@pytest.mark.parametrize(
    ("changes", "error"),
    [({"version": "1.2.2"}, "older version"), ({"size": 1001}, "too large")],
)
def test_an_order_that_is_not_wanted_is_refused(changes: dict[str, object], error: str) -> None:
    assert answer_to(changes)["error"] == error


def test_a_second_order_meanwhile_finds_it_busy() -> None:
    assert answer_to({}, updating=True)["error"] == "busy"


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("1.2.3", "1.2.4"),
        ("1.9", "1.10"),
        ("1.2", "1.2.1"),
        ("v1", "2"),
        ("1.3.0-beta", "1.3.0"),
        ("1.3.0-beta.2", "1.3.0-beta.10"),
        ("1.3.0-1", "1.3.0-rc"),
        ("1.2.3", "1.3.0-beta"),
    ],
)
def test_one_version_is_older_than_the_other(one: str, other: str) -> None:
    assert is_older(one, other)
    assert not is_older(other, one)


@pytest.mark.parametrize(
    ("one", "other"), [("1.2", "1.2.0"), ("1.2+a", "1.2+b"), ("nightly", "1.2"), ("1.2", "next")]
)
def test_neither_version_is_older(one: str, other: str) -> None:
    assert not is_older(one, other)
    assert not is_older(other, one)
