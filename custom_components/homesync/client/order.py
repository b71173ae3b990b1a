"""One command on its way, from the caller to its one outcome."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass

from .commands import (
    REPLACEABLE,
    Command,
    CommandResult,
    Delivery,
    OtaCommand,
    Outcome,
    Reason,
    Response,
)


@dataclass(slots=True, eq=False)
class Order:
    """A command with all that became of it so far; `ends` and `…sent` are monotonic seconds."""

    request_id: str
    node_id: str
    command: Command
    delivery: Delivery
    created: float
    ends: float
    done: asyncio.Future[CommandResult]
    sends_left: int
    attempts: int = 0
    first_sent: float | None = None
    first_sent_at: float | None = None  # since the epoch: outlives a restart
    last_sent: float | None = None
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
            reason=reason,
            detail=detail,
            latency=self.latency,
            result=None if response is None else response.result,
            settings=None if response is None else response.settings,
        )
