"""Commands without a broker."""

import json

import pytest

from simulator.commands import Commands
from simulator.device import Device, Led


class Clock:
    """Seconds that pass when told."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def device() -> Device:
    return Device(relay=False)


@pytest.fixture
def commands(device: Device, clock: Clock) -> Commands:
    return Commands(device, clock)


def toggle(request_id: str) -> bytes:
    return json.dumps({"action": "toggle", "request_id": request_id}).encode()


def test_sixty_seconds_are_remembered_however_many_came(commands: Commands, clock: Clock) -> None:
    for number in range(500):
        commands.receive("relay", toggle(str(number)))
    clock.now += 60
    outcome = commands.receive("relay", toggle("0"))
    assert outcome is not None
    assert outcome.repeated


def test_thirty_two_requests_are_remembered_however_old(commands: Commands, clock: Clock) -> None:
    for number in range(32):
        commands.receive("relay", toggle(str(number)))
    clock.now += 1e6
    outcome = commands.receive("relay", toggle("0"))
    assert outcome is not None
    assert outcome.repeated


def test_what_is_neither_recent_nor_among_the_last_is_carried_out_again(
    commands: Commands, clock: Clock
) -> None:
    for number in range(33):
        commands.receive("relay", toggle(str(number)))
    clock.now += 61
    outcome = commands.receive("relay", toggle("0"))
    assert outcome is not None
    assert not outcome.repeated
    assert [each.request_id for each in commands.record].count("0") == 2


def test_the_same_id_on_another_kind_is_not_carried_out(commands: Commands, device: Device) -> None:
    commands.receive("relay", toggle("r1"))
    outcome = commands.receive("led", b'{"action": "on", "request_id": "r1"}')
    assert outcome is not None
    assert outcome.repeated
    assert not device.led.on


def test_a_relay_that_is_on_already_has_not_changed(commands: Commands) -> None:
    outcome = commands.receive("relay", b'{"action": "off", "request_id": "r1"}')
    assert outcome is not None
    assert not outcome.relay_changed
    assert outcome.execution.result == "off"


def test_led_and_config_keep_what_they_are_told(commands: Commands, device: Device) -> None:
    led = {"action": "on", "brightness": 10, "color": [1, 2, 3], "effect": "blink"}
    commands.receive("led", json.dumps({**led, "request_id": "r1"}).encode())
    assert device.led == Led(on=True, brightness=10, color=(1, 2, 3), effect="blink")
    commands.receive("led", b'{"action": "off", "request_id": "r2"}')
    assert device.led == Led(on=False, brightness=10, color=(1, 2, 3), effect="blink")
    commands.receive("config", b'{"config": {"max_power": 2000}, "request_id": "r3"}')
    assert device.settings == {"max_power": 2000}
    assert [each.result for each in commands.record] == ["on", "off", "applied"]


@pytest.mark.parametrize(
    ("kind", "fields", "error"),
    [
        ("relay", {"action": "blink"}, "invalid"),
        ("relay", {}, "invalid"),
        ("led", {"action": "toggle"}, "invalid"),
        ("led", {"action": "on", "brightness": 256}, "invalid"),
        ("led", {"action": "on", "brightness": True}, "invalid"),
        ("led", {"action": "on", "color": [1, 2]}, "invalid"),
        ("led", {"action": "on", "color": "red"}, "invalid"),
        ("led", {"action": "on", "effect": 7}, "invalid"),
        ("config", {"config": []}, "invalid"),
        ("ota", {}, "unsupported"),
        ("reboot", {}, "unsupported"),
    ],
)
def test_what_cannot_be_done_is_answered_with_an_error(
    commands: Commands, kind: str, fields: dict[str, object], error: str
) -> None:
    payload = json.dumps({**fields, "request_id": "r1"}).encode()
    outcome = commands.receive(kind, payload)
    assert outcome is not None
    assert outcome.answer is not None
    assert outcome.answer.payload()["status"] == "error"
    assert outcome.answer.payload()["error"] == error
    assert outcome.what == "refused"


@pytest.mark.parametrize(
    "payload",
    [
        b"",
        b"{",
        b"[]",
        b"null",
        b"\xff",
        b'{"action": "on", "request_id": NaN}',
        b'{"action": "on", "request_id": ""}',
        b'{"action": "on", "request_id": 7}',
        b'{"action": "on", "request_id": "' + 65 * b"x" + b'"}',
        100_000 * b"[",
    ],
)
def test_what_cannot_be_answered_is_left_alone(
    commands: Commands, device: Device, payload: bytes
) -> None:
    assert commands.receive("relay", payload) is None
    assert device.relay is False
    assert commands.record == ()
