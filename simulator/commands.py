"""Commands: reading them, carrying each out once, remembering the answers."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
import json
from typing import Any, Literal

from .config import timestamp

type Json = dict[str, Any]

# The protocol asks for the last 32 requests and for 60 s, whichever keeps more.
REMEMBERED_REQUESTS = 32
REMEMBERED_SECONDS = 60.0
# A day of one command a second.
_RECORD_LIMIT = 86_400

_MAX_TEXT = 255
_MAX_REQUEST_ID = 64

UNSUPPORTED = "unsupported"
INVALID = "invalid"


@dataclass(frozen=True, slots=True, kw_only=True)
class Execution:
    """A command that was carried out or, with `error`, refused; `receptions` counts its arrivals."""

    request_id: str | None
    kind: str
    action: str | None
    result: str | None
    error: str | None
    time: datetime
    receptions: int = 1

    def as_json(self) -> Json:
        """Give all fields, the time as ISO 8601."""
        return {
            "request_id": self.request_id,
            "kind": self.kind,
            "action": self.action,
            "result": self.result,
            "error": self.error,
            "time": timestamp(self.time),
            "receptions": self.receptions,
        }


@dataclass(frozen=True, slots=True)
class Answer:
    """What goes to `response/…`."""

    leaf: Literal["response/command", "response/ota"]
    request_id: str
    result: str | None
    error: str | None

    def payload(self) -> Json:
        """Give what is sent."""
        outcome = {"status": "success", "result": self.result}
        if self.error is not None:
            outcome = {"status": "error", "error": self.error}
        return {"request_id": self.request_id, **outcome, "timestamp": timestamp()}


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one arrival of a command; no `answer` without a request id."""

    execution: Execution
    answer: Answer | None
    repeated: bool
    relay_changed: bool

    @property
    def what(self) -> str:
        """In one word."""
        if self.repeated:
            return "repeated"
        return "executed" if self.execution.error is None else "refused"


@dataclass(frozen=True, slots=True)
class Led:
    """State of the LED; brightness and each colour 0-255."""

    on: bool = False
    brightness: float = 255
    color: tuple[float, ...] = (255, 255, 255)
    effect: str | None = None


@dataclass(slots=True)
class Device:
    """What commands act on; `relay` is None for a node without one."""

    relay: bool | None = True
    led: Led = Led()
    settings: Json = field(default_factory=dict)


class Refused(Exception):
    """The command cannot be carried out; its text is the answer's `error`."""


@dataclass(frozen=True, slots=True)
class _Remembered:
    serial: int
    at: float
    execution: Execution
    answer: Answer


class Commands:
    """Carries each request out once and keeps the record of it; `clock` in seconds, monotonic."""

    def __init__(self, device: Device, clock: Callable[[], float]) -> None:
        self._device = device
        self._clock = clock
        self._records: dict[int, Execution] = {}
        self._serial = 0
        self._memory: dict[str, _Remembered] = {}

    @property
    def record(self) -> tuple[Execution, ...]:
        """All commands that could be read, in order."""
        return tuple(self._records.values())

    def receive(self, kind: str, payload: bytes, *, reject: str | None = None) -> Outcome | None:
        """Handle one arrival; None when nothing can be made of it, not even an answer."""
        command = _parse(payload)
        if command is None:
            return None
        request_id = command.get("request_id")
        if "request_id" in command and not _is_request_id(request_id):
            return None
        self._forget()
        if request_id in self._memory:
            return self._repeat(self._memory[request_id])
        return self._first(kind, command, request_id, reject)

    def _first(
        self, kind: str, command: Json, request_id: str | None, reject: str | None
    ) -> Outcome:
        relay = self._device.relay
        result = error = None
        try:
            result = _carry_out(self._device, kind, command, reject)
        except Refused as refused:
            error = str(refused)
        action = command.get("action")
        execution = Execution(
            request_id=request_id,
            kind=kind,
            action=action if isinstance(action, str) else None,
            result=result,
            error=error,
            time=datetime.now(UTC),
        )
        answer = None
        serial = self._keep(execution)
        if request_id is not None:
            leaf: Literal["response/ota", "response/command"] = (
                "response/ota" if kind == "ota" else "response/command"
            )
            answer = Answer(leaf, request_id, result, error)
            self._memory[request_id] = _Remembered(serial, self._clock(), execution, answer)
        return Outcome(execution, answer, False, self._device.relay != relay)

    def _repeat(self, remembered: _Remembered) -> Outcome:
        execution = self._records.get(remembered.serial, remembered.execution)
        execution = replace(execution, receptions=execution.receptions + 1)
        if remembered.serial in self._records:
            self._records[remembered.serial] = execution
        return Outcome(execution, remembered.answer, True, False)

    def _keep(self, execution: Execution) -> int:
        self._serial += 1
        self._records[self._serial] = execution
        if len(self._records) > _RECORD_LIMIT:
            del self._records[next(iter(self._records))]
        return self._serial

    def _forget(self) -> None:
        for request_id, remembered in list(self._memory.items()):
            if len(self._memory) <= REMEMBERED_REQUESTS:
                return
            if self._clock() - remembered.at <= REMEMBERED_SECONDS:
                return
            del self._memory[request_id]


def _parse(payload: bytes) -> Json | None:
    try:
        command = json.loads(payload.decode(), parse_constant=_no_number)
    except ValueError, RecursionError:
        return None
    return command if isinstance(command, dict) else None


def _no_number(name: str) -> None:
    raise ValueError(f"{name} is no JSON number")


def _is_request_id(value: object) -> bool:
    return isinstance(value, str) and 1 <= len(value) <= _MAX_REQUEST_ID


def _carry_out(device: Device, kind: str, command: Json, reject: str | None) -> str:
    if kind not in _KINDS:
        raise Refused(UNSUPPORTED)
    if reject is not None:
        raise Refused(reject)
    return _KINDS[kind](device, command)


def _relay(device: Device, command: Json) -> str:
    if device.relay is None:
        raise Refused(UNSUPPORTED)
    match command.get("action"):
        case "on":
            device.relay = True
        case "off":
            device.relay = False
        case "toggle":
            device.relay = not device.relay
        case _:
            raise Refused(INVALID)
    return "on" if device.relay else "off"


def _led(device: Device, command: Json) -> str:
    match command.get("action"):
        case "on":
            device.led = _lit(device.led, command)
        case "off":
            device.led = replace(device.led, on=False)
        case _:
            raise Refused(INVALID)
    return "on" if device.led.on else "off"


def _lit(led: Led, command: Json) -> Led:
    brightness = command.get("brightness", led.brightness)
    color = command.get("color", list(led.color))
    effect = command.get("effect", led.effect)
    if not _is_byte(brightness):
        raise Refused(INVALID)
    if not isinstance(color, list) or len(color) != 3 or not all(map(_is_byte, color)):
        raise Refused(INVALID)
    if effect is not None and not (isinstance(effect, str) and len(effect) <= _MAX_TEXT):
        raise Refused(INVALID)
    return Led(True, brightness, tuple(color), effect)


def _is_byte(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value <= 255


def _config(device: Device, command: Json) -> str:
    settings = command.get("config")
    if not isinstance(settings, dict):
        raise Refused(INVALID)
    device.settings.update(settings)
    return "applied"


def _ota(_device: Device, _command: Json) -> str:
    raise Refused(UNSUPPORTED)


_KINDS: dict[str, Callable[[Device, Json], str]] = {
    "relay": _relay,
    "led": _led,
    "config": _config,
    "ota": _ota,
}
