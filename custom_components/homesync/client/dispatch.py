"""The way of every command of a household: accepted, in line, sent, ended once.

caller → outbox (its turn) → inflight (sent, repeated, answered) → one outcome → caller and
listeners. Whatever is queued can be put down (`stored`) and taken up again (`restore`).
"""

import asyncio
from collections import Counter, deque
from collections.abc import Callable
from dataclasses import dataclass

from .commands import (
    DEFAULT_DELIVERY,
    Command,
    CommandResult,
    Delivery,
    OtaCommand,
    Outcome,
    Reason,
    Response,
    StoredCommand,
)
from .errors import InvalidSettingError
from .inflight import Answered, Inflight
from .order import Order, new_order, stored_of, taken_up
from .outbox import Outbox
from .records import Installation
from .turns import Limits, Turns

_LATENCIES = 500

type ResultListener = Callable[[CommandResult], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Surroundings:
    """What the commands need to know and to tell.

    `send(order)` sends once or raises; `away(node_id)` is why nothing can be sent to a
    node now; `patience()` how many seconds a lost link is waited for; `tell(result)` and
    `installing(node_id, installation)` pass news on; `changed()` that `stored` changed.
    """

    send: Callable[[Order], None]
    away: Callable[[str], Reason | None]
    patience: Callable[[], float]
    tell: ResultListener
    installing: Callable[[str, Installation | None], None]
    changed: Callable[[], None]
    wall_clock: Callable[[], float]


class Dispatch:
    """All open commands of one household; belongs to one event loop.

    `outcomes` counts how they ended, `latencies` are those of the last 500, in seconds.
    """

    def __init__(self, limits: Limits, surroundings: Surroundings) -> None:
        self._around = surroundings
        self._loop = asyncio.get_running_loop()
        self._outbox = Outbox()
        self._inflight = Inflight(
            surroundings.send,
            self._end,
            self._accepted,
            self._loop.time,
            surroundings.wall_clock,
        )
        self.outcomes: Counter[str] = Counter()
        self.latencies: deque[float] = deque(maxlen=_LATENCIES)
        self._turns = Turns(
            limits,
            self._outbox,
            self._inflight,
            away=surroundings.away,
            begun=self._tell_stored,
            refuse=self._refuse,
            expire=self._expire,
        )
        self.pump = self._turns.pump
        """Sends whatever has its turn."""
        self._stopped = False
        self._resting: list[StoredCommand] = []

    @property
    def counts(self) -> Counter[str]:
        """Outcomes, and answers that matched nothing, by cause."""
        return self.outcomes + self._inflight.counts

    @property
    def waiting(self) -> int:
        """How many commands have not been sent yet."""
        return len(self._outbox)

    @property
    def sent(self) -> int:
        """How many commands wait for their answer."""
        return len(list(self._inflight.orders))

    @property
    def oldest(self) -> float | None:
        """For how many seconds the oldest of those that wait has done so; None without one."""
        since = min((order.waits_since for order in self._outbox), default=None)
        return None if since is None else self._loop.time() - since

    @property
    def published(self) -> int:
        """How often any command was sent."""
        return self._inflight.published

    @property
    def odd_answers(self) -> Counter[str]:
        """Answers that matched nothing, by cause."""
        return self._inflight.counts

    async def execute(
        self, node_id: str, command: Command, delivery: Delivery = DEFAULT_DELIVERY
    ) -> CommandResult:
        """Send a command to a node and wait for its one outcome."""
        order = self.submit(node_id, command, delivery)
        try:
            # Not shielded: that takes a turn of the loop more, in which others have theirs.
            return await order.done
        except asyncio.CancelledError:
            self.withdraw(order)
            raise

    def submit(self, node_id: str, command: Command, delivery: Delivery) -> Order:
        """Take a command; its `done` gets the one outcome.

        Raises InvalidSettingError for one that no node should be sent.
        """
        order = new_order(node_id, command, delivery, self._around.wall_clock())
        refusal = self._refusal(order)
        if refusal is not None:
            self._end(order, order.result(*refusal))
            return order
        if order.delivery.queue or order.is_update or not self._turns.send_at_once(order):
            self._accept(order)
            self.pump()
            if not order.ended and order.timer is None:
                self._set_expiry(order)
        return order

    def withdraw(self, order: Order, reason: Reason = Reason.WITHDRAWN) -> None:
        """End an order that nobody wants any more."""
        if not order.ended:
            self._inflight.forget(order)
            self._end(order, order.result(Outcome.CANCELLED, reason))

    def cancel(self, node_id: str | None = None) -> int:
        """Withdraw the commands of a node, or all; return how many."""
        wanted = [order for order in self._open if node_id is None or order.node_id == node_id]
        for order in wanted:
            self.withdraw(order)
        return len(wanted)

    def connection_is_back(self) -> None:
        """The link can be used again."""
        self._inflight.connection_is_back()
        for order in self._outbox:
            self._set_expiry(order)
        self.pump()

    def connection_lost(self) -> None:
        """The link is gone: what may not wait for it ends."""
        self._inflight.connection_lost()
        for order in tuple(self._outbox):
            if order.delivery.queue or (order.waits_out_gaps and self._around.patience() > 0):
                self._set_expiry(order)
            else:
                self._end(order, order.result(Outcome.REJECTED, Reason.NOT_CONNECTED))

    def take(self, response: Response) -> Answered | None:
        """Take a node's answer; None if it matches no open command."""
        answered = self._inflight.take(response)
        if answered is not None and isinstance(answered.command, OtaCommand):
            self._tell_progress(answered.command, response)
        return answered

    def broker_answered(self, request_id: str, code: int) -> None:
        """Take the broker's answer to a command."""
        self._inflight.broker_answered(request_id, code)
        self._turns.broker_answered()

    def state_told(self, node_id: str) -> None:
        """A node told its relay's state by itself."""
        self._inflight.state_told(node_id)

    def firmware_told(self, node_id: str, version: str) -> None:
        """A node told its version."""
        self._inflight.firmware_told(node_id, version)

    def stored(self) -> list[StoredCommand]:
        """What has to outlive a restart, in order."""
        orders = sorted(self._open, key=lambda order: order.created)
        return self._resting + [stored_of(order) for order in orders if order.delivery.queue]

    def restore(self, stored: StoredCommand) -> None:
        """Take a command of the last run up, with the time that it has left.

        Raises InvalidSettingError for one that no run of ours can have put down.
        """
        order = taken_up(stored, self._around.wall_clock())
        if any(order.request_id == other.request_id for other in self._open):
            raise InvalidSettingError("command", "its request id is in use")
        if order.ends <= self._loop.time():
            self._end(order, order.result(Outcome.EXPIRED, Reason.TOO_LATE))
        else:
            self._accept(order)
            self._set_expiry(order)

    def stop(self) -> None:
        """End every command; queued ones rest as they are in `stored`."""
        self._stopped = True
        self._turns.stop()
        self._resting = self.stored()
        for order in self._open:
            # Nothing that still arrives may end what rests.
            self._inflight.forget(order)
            if order.delivery.queue:
                self._outbox.remove(order)
                order.end(order.result(Outcome.QUEUED, Reason.STOPPED))
            else:
                self._end(order, order.result(Outcome.CANCELLED, Reason.STOPPED))

    @property
    def _open(self) -> tuple[Order, ...]:
        return (*self._outbox, *self._inflight.orders)

    def _refusal(self, order: Order) -> tuple[Outcome, Reason] | None:
        """Why a new order is not taken."""
        if self._stopped:
            return Outcome.CANCELLED, Reason.STOPPED
        if order.is_update and any(
            other.is_update and other.node_id == order.node_id for other in self._open
        ):
            return Outcome.REJECTED, Reason.BUSY
        away = self._around.away(order.node_id)
        if away is None or order.delivery.queue:
            return None
        if away is Reason.NODE_OFFLINE or not order.waits_out_gaps or not self._around.patience():
            return Outcome.REJECTED, away
        return None

    def _accept(self, order: Order) -> None:
        older = self._outbox.supersede(order)
        if older is not None:
            self._end(older, older.result(Outcome.CANCELLED, Reason.SUPERSEDED))
        if isinstance(order.command, OtaCommand):
            version = order.command.firmware.version
            self._around.installing(order.node_id, Installation(version=version))
        dropped = self._outbox.add(order)
        if dropped is not None:
            self._end(dropped, dropped.result(Outcome.DROPPED, Reason.OUTBOX_FULL))
        self._tell_stored(order)

    def _set_expiry(self, order: Order) -> None:
        left = order.ends - self._loop.time()
        if not order.delivery.queue and self._around.away(order.node_id) is Reason.NOT_CONNECTED:
            left = min(left, self._around.patience())
        order.ring(left, self._expire)

    def _expire(self, order: Order) -> None:
        why = self._around.away(order.node_id) or Reason.TOO_LATE
        self._end(order, order.result(Outcome.EXPIRED, why))

    def _tell_stored(self, order: Order) -> None:
        """What an order is at rest changed."""
        if order.delivery.queue:
            self._around.changed()

    def _refuse(self, order: Order) -> None:
        """End an order that will not wait for its node."""
        self._end(order, order.result(Outcome.REJECTED, Reason.NODE_OFFLINE))

    def _accepted(self, order: Order) -> None:
        """A node takes its time; the next command need not wait for it."""
        self._tell_stored(order)
        self._loop.call_soon(self.pump)

    def _tell_progress(self, command: OtaCommand, response: Response) -> None:
        if any(order.is_update for order in self._inflight.of_node(response.node_id)):
            self._around.installing(
                response.node_id,
                Installation(
                    version=command.firmware.version,
                    stage=response.stage,
                    percentage=response.percentage,
                ),
            )

    def _end(self, order: Order, result: CommandResult) -> None:
        """Give an order its one outcome."""
        self._outbox.remove(order)
        if order.ended:
            return
        order.end(result)
        self.outcomes[result.outcome] += 1
        if result.latency is not None:
            self.latencies.append(result.latency)
        if order.is_update and result.reason is not Reason.BUSY:
            self._around.installing(order.node_id, None)
        self._around.tell(result)
        self._tell_stored(order)
        self.pump()
