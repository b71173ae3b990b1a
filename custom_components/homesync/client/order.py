"""One command on its way, from the caller to its one outcome; what is allowed as one."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
import secrets
from typing import Any

import orjson

from .commands import (
    DEFAULT_DELIVERY,
    LONGEST_TTL,
    REPLACEABLE,
    Command,
    CommandResult,
    Delivery,
    OtaCommand,
    Outcome,
    Reason,
    RelayAction,
    RelayCommand,
    Response,
    StoredCommand,
    fields_of,
    read_command,
)
from .errors import InvalidSettingError
from .prompt import Prompt
from .protocol.topics import is_id

MEMORY = 60.0
"""Seconds for which a node remembers what it has carried out."""

_LONGEST_TIMEOUT = 600.0
_MOST_RETRIES = 10
_MOST_ATTEMPTS = 1000
_LATEST = 1e11  # seconds since the epoch: some thousand years


@dataclass(slots=True, eq=False)
class Order:
    """A command with all that became of it so far.

    `waits_since`, `ends` and `…sent` are monotonic seconds. `done` is cancelled when its
    caller is; what becomes of the order then is another matter: `ended` tells.
    """

    request_id: str
    node_id: str
    command: Command
    delivery: Delivery
    created: float
    waits_since: float
    ends: float
    done: Prompt[CommandResult]
    sends_left: int
    ended: bool = False
    attempts: int = 0
    first_sent: float | None = None
    first_sent_at: float | None = None  # since the epoch: outlives a restart
    last_sent: float | None = None
    suspect: bool = False  # sent, and the broker has not answered: it may have closed for it
    accepted: bool = False
    strikes: int = 0
    state_told: bool = False
    failure: Reason = Reason.NO_ANSWER
    latency: float | None = None
    timer: asyncio.TimerHandle | None = None

    @property
    def is_update(self) -> bool:
        """Whether new firmware is to be installed."""
        return isinstance(self.command, OtaCommand)

    @property
    def waits_out_gaps(self) -> bool:
        """Whether it may wait while the link is away for a moment."""
        return self.delivery.queue or self.command.kind in REPLACEABLE

    def ring(self, delay: float, callback: Callable[[Order], None]) -> None:
        """Set the one timer of the order; the former is forgotten."""
        self.silence()
        self.timer = asyncio.get_running_loop().call_later(max(0.0, delay), callback, self)

    def silence(self) -> None:
        """Forget the timer."""
        if self.timer is not None:
            self.timer.cancel()
            self.timer = None

    def end(self, result: CommandResult) -> None:
        """Take no further part, and tell the caller if he still listens."""
        self.silence()
        self.ended = True
        if not self.done.done():
            self.done.set_result(result)

    def result(
        self,
        outcome: Outcome,
        reason: Reason | None = None,
        *,
        detail: str | None = None,
        response: Response | None = None,
    ) -> CommandResult:
        """Put the outcome into words."""
        return CommandResult(
            outcome=outcome,
            node_id=self.node_id,
            kind=self.command.kind,
            request_id=self.request_id,
            attempts=self.attempts,
            action=action.value if (action := getattr(self.command, "action", None)) else None,
            reason=reason,
            detail=detail,
            latency=self.latency,
            result=None if response is None else response.result,
            settings=None if response is None else response.settings,
        )


def new_order(node_id: str, command: Command, delivery: Delivery, now: float) -> Order:
    """Make an order at `now`, in seconds since the epoch.

    Raises InvalidSettingError for a command that no node should be sent.
    """
    return _order(node_id, _checked(node_id, command, delivery), delivery, now)


def taken_up(stored: StoredCommand, now: float) -> Order:
    """Return a stored order with the time that it has left at `now`, never more than granted.

    Raises InvalidSettingError for one that no run of ours can have put down.
    """
    _check_stored(stored)
    left = stored.ttl - max(0.0, now - stored.created)
    if stored.first_sent is not None:
        # Of a time to come nobody knows how long ago it was; the node may have forgotten.
        since = now - stored.first_sent
        left = min(left, MEMORY - since) if since >= 0 else 0.0
    # Not later than now: a clock set back must not grant the time again and again.
    order = _order(
        stored.node_id,
        _read_stored(stored.kind, stored.fields),
        Delivery(timeout=stored.timeout, retries=stored.retries, queue=True, ttl=stored.ttl),
        min(stored.created, now),
    )
    clock = asyncio.get_running_loop().time()
    order.request_id = stored.request_id
    order.waits_since = clock - (now - order.created)
    order.ends = clock + left
    order.attempts = stored.attempts
    order.sends_left = max(1, order.sends_left - stored.attempts)
    if stored.first_sent is not None:
        order.first_sent_at = stored.first_sent
        order.first_sent = clock - max(0.0, now - stored.first_sent)
    return order


def stored_of(order: Order) -> StoredCommand:
    """Put an order down."""
    return StoredCommand(
        request_id=order.request_id,
        node_id=order.node_id,
        kind=order.command.kind,
        fields=orjson.dumps(fields_of(order.command)).decode(),
        created=order.created,
        ttl=order.delivery.ttl,
        timeout=order.delivery.timeout,
        retries=order.delivery.retries,
        attempts=order.attempts,
        first_sent=order.first_sent_at,
    )


def abandoned(stored: StoredCommand) -> CommandResult:
    """Return how a stored command ends that is not taken up again.

    Raises InvalidSettingError for one that no run of ours can have put down.
    """
    _check_stored(stored)
    command = _read_stored(stored.kind, stored.fields)
    return CommandResult(
        outcome=Outcome.CANCELLED,
        reason=Reason.WITHDRAWN,
        node_id=stored.node_id,
        kind=command.kind,
        request_id=stored.request_id,
        attempts=stored.attempts,
    )


def _order(node_id: str, command: Command, delivery: Delivery, created: float) -> Order:
    loop = asyncio.get_running_loop()
    now = loop.time()
    return Order(
        request_id=secrets.token_hex(16),
        node_id=node_id,
        command=command,
        delivery=delivery,
        created=created,
        waits_since=now,
        ends=now + delivery.ttl,
        done=Prompt(loop),
        sends_left=1 + delivery.retries,
    )


def _checked(node_id: str, command: Command, delivery: Delivery) -> Command:
    """Return a command as a node may be sent it, or raise InvalidSettingError."""
    _check_ids(node_id, command.kind)
    if delivery is not DEFAULT_DELIVERY:
        _check_delivery(delivery.ttl, delivery.timeout, delivery.retries)
    if type(command) is RelayCommand and type(command.action) is RelayAction:
        # Taken apart and read again, it could only be the same.
        return command
    try:
        fields = fields_of(command)
    except orjson.JSONDecodeError:
        raise InvalidSettingError("content", "not JSON") from None
    return read_command(command.kind, fields)


def _read_stored(kind: str, fields: str) -> Command:
    """Return the command that rested as JSON text, or raise InvalidSettingError."""
    try:
        return read_command(kind, orjson.loads(fields))
    except orjson.JSONDecodeError:
        raise InvalidSettingError("command", "its fields are not JSON") from None


def _check_stored(stored: StoredCommand) -> None:
    """Refuse what the file cannot have got from us; each of its values may be of any type."""
    _check_ids(stored.node_id, stored.kind, stored.request_id)
    _check_delivery(stored.ttl, stored.timeout, stored.retries)
    times = [stored.created] if stored.first_sent is None else [stored.created, stored.first_sent]
    if not all(_is_within(time, 0, _LATEST) for time in times):
        raise InvalidSettingError("command", "a time is not allowed")
    known = type(stored.attempts) is int and 0 <= stored.attempts <= _MOST_ATTEMPTS
    if not known or (stored.attempts > 0) is (stored.first_sent is None):
        raise InvalidSettingError("command", "its attempts are not allowed")


def _check_ids(*ids: Any) -> None:
    if not all(isinstance(each, str) and is_id(each) for each in ids):
        raise InvalidSettingError("command", "an id is not allowed")


def _check_delivery(ttl: Any, timeout: Any, retries: Any) -> None:
    if not _is_within(ttl, 0, LONGEST_TTL) or not ttl:
        raise InvalidSettingError("ttl", f"not within 0 to {LONGEST_TTL:.0f} s")
    if not _is_within(timeout, 0, _LONGEST_TIMEOUT) or not timeout:
        raise InvalidSettingError("timeout", f"not within 0 to {_LONGEST_TIMEOUT:.0f} s")
    if type(retries) is not int or not 0 <= retries <= _MOST_RETRIES:
        raise InvalidSettingError("retries", f"not within 0 to {_MOST_RETRIES}")


def _is_within(number: Any, low: float, high: float) -> bool:
    return type(number) in (int, float) and low <= number <= high
