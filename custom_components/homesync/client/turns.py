"""Whose turn it is: sends what waits, as many at once as may be on their way."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass

from .commands import Reason
from .inflight import Inflight
from .order import Order
from .outbox import Outbox

_CONGESTED_SECONDS = 0.25


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """How many commands may be on their way at once."""

    per_node: int = 1
    per_household: int = 20
    updates: int = 2


class Turns:
    """From the outbox into flight, one command per node and round.

    `away(node_id)` is why nothing can be sent to a node now. `begun(order)` is told of each
    that was sent; `refuse(order)` and `expire(order)` have to end those that are not.
    """

    def __init__(
        self,
        limits: Limits,
        outbox: Outbox,
        inflight: Inflight,
        *,
        away: Callable[[str], Reason | None],
        begun: Callable[[Order], None],
        refuse: Callable[[Order], None],
        expire: Callable[[Order], None],
    ) -> None:
        self._limits = limits
        self._outbox = outbox
        self._inflight = inflight
        self._away = away
        self._begun = begun
        self._refuse = refuse
        self._expire = expire
        self._loop = asyncio.get_running_loop()
        self._later: asyncio.TimerHandle | None = None
        self._pumping = self._pump_again = False
        self._stopped = False

    def pump(self) -> None:
        """Send whatever has its turn."""
        self._pump_again = True
        if self._pumping or self._stopped or not self._outbox:
            return
        self._pumping = True
        self._forget_later()
        try:
            while self._pump_again:
                # Set anew by whoever hears of an outcome and sends something.
                self._pump_again = False
                while self._send_round():
                    pass
        finally:
            self._pumping = False

    def send_at_once(self, order: Order) -> bool:
        """Send a new order if nothing waits, so that it need not either; else False."""
        if self._outbox or self._pumping or self._stopped or self._away(order.node_id) is not None:
            return False
        return self._has_turn(order) and self._inflight.begin(order)

    def broker_answered(self) -> None:
        """The link may have room again for what it did not take."""
        if self._later is not None:
            self.pump()

    def stop(self) -> None:
        """Send nothing any more."""
        self._stopped = True
        self._forget_later()

    def _send_round(self) -> bool:
        """Send at most one command per node; return whether anything was sent."""
        sent = False
        for node_id in self._outbox.nodes:
            away = self._away(node_id)
            if away is not None:
                if away is Reason.NODE_OFFLINE:
                    self._refuse_line(node_id)
                continue
            order = self._next(node_id)
            if order is None:
                continue
            if order.ends <= self._loop.time():
                # Its timer is late: the machine or the process slept.
                self._expire(order)
                continue
            self._outbox.remove(order)
            if not self._inflight.begin(order):
                self._outbox.put_back(order)
                self._pump_later()
                return False
            self._begun(order)
            sent = True
        return sent

    def _refuse_line(self, node_id: str) -> None:
        for order in self._outbox.line(node_id):
            if not order.delivery.queue:
                self._refuse(order)

    def _has_turn(self, order: Order) -> bool:
        """Whether a command that is no update may be sent now."""
        busy = busy_here = 0
        for other in self._inflight.orders:
            if other.node_id == order.node_id and other.command.kind == order.command.kind:
                return False
            if not (other.accepted or other.is_update):
                busy += 1
                busy_here += other.node_id == order.node_id
        return busy_here < self._limits.per_node and busy < self._limits.per_household

    def _next(self, node_id: str) -> Order | None:
        own: list[Order] = []
        busy = updates = 0
        for order in self._inflight.orders:
            if order.node_id == node_id:
                own.append(order)
            if order.is_update:
                updates += 1
            elif not order.accepted:
                busy += 1
        slots = self._limits.per_node if busy < self._limits.per_household else 0
        return self._outbox.next(node_id, own, slots, updates < self._limits.updates)

    def _pump_later(self) -> None:
        self._forget_later()
        self._later = self._loop.call_later(_CONGESTED_SECONDS, self.pump)

    def _forget_later(self) -> None:
        if self._later is not None:
            self._later.cancel()
            self._later = None
