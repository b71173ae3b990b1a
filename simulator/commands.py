"""Commands: reading them, carrying each out once, remembering the answers."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
import json
from typing import Literal

from .config import timestamp
from .device import Device, Done, Json, carry_out
from .orders import Order
from .refusals import Refused

# The protocol asks for the last 32 requests and for 60 s, whichever keeps more.
REMEMBERED_REQUESTS = 32
REMEMBERED_SECONDS = 60.0
# A day of one command a second.
_RECORD_LIMIT = 86_400

_MAX_REQUEST_ID = 64

_ACCEPTED: Mapping[str, object] = {"status": "accepted"}

type Leaf = Literal["response/command", "response/ota"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Execution:
    """A command that was carried out or, with `error`, refused; `receptions` counts its arrivals.

    A `pending` one is neither yet.
    """

    request_id: str | None
    kind: str
    action: str | None
    result: str | None
    error: str | None
    time: datetime
    receptions: int = 1
    pending: bool = False

    def as_json(self) -> Json:
        """Give all fields but `pending`, the time as ISO 8601."""
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

    leaf: Leaf
    request_id: str
    fields: Mapping[str, object]

    def payload(self) -> Json:
        """Give what is sent."""
        return {"request_id": self.request_id, **self.fields, "timestamp": timestamp()}


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What became of one arrival of a command; no `answer` without a request id.

    `serial` is its place in the record; an `order` is to be carried out, then settled.
    """

    execution: Execution
    answer: Answer | None
    repeated: bool
    serial: int
    relay_changed: bool = False
    led_changed: bool = False
    order: Order | None = None

    @property
    def what(self) -> str:
        """In one word."""
        if self.repeated:
            return "repeated"
        if self.execution.pending:
            return "accepted"
        return "executed" if self.execution.error is None else "refused"

    def carried_out(self, kind: str, action: str | None = None) -> bool:
        """Whether this arrival, and none before it, did that."""
        execution = self.execution
        return self.what == "executed" and (execution.kind, execution.action) == (kind, action)


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

    def progress(self, serial: int, **fields: object) -> Answer | None:
        """Answer a pending request for the time being; None if it has no request id."""
        return self._answer_later(serial, {"status": "progress", **fields})

    def settle(
        self, serial: int, *, result: str | None = None, error: str | None = None
    ) -> Answer | None:
        """Answer a pending request for good; None if it has no request id."""
        if serial in self._records:
            ended = replace(self._records[serial], result=result, error=error, pending=False)
            self._records[serial] = ended
        return self._answer_later(serial, _outcome(Done(result), error))

    def _first(
        self, kind: str, command: Json, request_id: str | None, reject: str | None
    ) -> Outcome:
        relay, led = self._device.relay, self._device.led
        done, error = Done(None), None
        try:
            done = carry_out(self._device, kind, command, reject)
        except Refused as refused:
            error = str(refused)
        action = command.get("action")
        execution = Execution(
            request_id=request_id,
            kind=kind,
            action=action if isinstance(action, str) else None,
            result=done.result,
            error=error,
            time=datetime.now(UTC),
            pending=done.order is not None,
        )
        answer = None
        serial = self._keep(execution)
        if request_id is not None:
            leaf: Leaf = "response/ota" if kind == "ota" else "response/command"
            fields = _ACCEPTED if execution.pending else _outcome(done, error)
            answer = Answer(leaf, request_id, fields)
            self._memory[request_id] = _Remembered(serial, self._clock(), execution, answer)
        return Outcome(
            execution=execution,
            answer=answer,
            repeated=False,
            serial=serial,
            relay_changed=self._device.relay != relay,
            led_changed=self._device.led != led,
            order=done.order,
        )

    def _repeat(self, remembered: _Remembered) -> Outcome:
        serial = remembered.serial
        execution = self._records.get(serial, remembered.execution)
        execution = replace(execution, receptions=execution.receptions + 1)
        if serial in self._records:
            self._records[serial] = execution
        return Outcome(execution=execution, answer=remembered.answer, repeated=True, serial=serial)

    def _answer_later(self, serial: int, fields: Mapping[str, object]) -> Answer | None:
        found = (each for each in self._memory.values() if each.serial == serial)
        remembered = next(found, None)
        if remembered is None:
            return None
        answer = replace(remembered.answer, fields=fields)
        execution = self._records.get(serial, remembered.execution)
        # The youngest is last: `_forget` counts on it.
        del self._memory[answer.request_id]
        later = _Remembered(serial, self._clock(), execution, answer)
        self._memory[answer.request_id] = later
        return answer

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
            if not remembered.execution.pending:
                del self._memory[request_id]


def _outcome(done: Done, error: str | None) -> Mapping[str, object]:
    if error is not None:
        return {"status": "error", "error": error}
    return {"status": "success", "result": done.result, **done.extra}


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
