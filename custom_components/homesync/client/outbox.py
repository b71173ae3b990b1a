"""Commands that wait for their turn: in order per node, bounded, the newest per actuator."""

from collections import deque
from collections.abc import Iterator

from .commands import REPLACEABLE, LedAction, LedCommand
from .order import Order

PER_NODE = 128
TOTAL = 2000


class Outbox:
    """The waiting commands of one household; plain data, no clock."""

    def __init__(self) -> None:
        self._lines: dict[str, deque[Order]] = {}
        self._length = 0

    def __len__(self) -> int:
        return self._length

    def __iter__(self) -> Iterator[Order]:
        for line in self._lines.values():
            yield from line

    @property
    def nodes(self) -> tuple[str, ...]:
        """Ids of the nodes for which something waits."""
        return tuple(self._lines)

    def line(self, node_id: str) -> tuple[Order, ...]:
        """What waits for one node, the oldest first."""
        return tuple(self._lines.get(node_id, ()))

    def supersede(self, order: Order) -> Order | None:
        """Take out the waiting order whose place a newer one for the same actuator takes."""
        if order.command.kind not in REPLACEABLE:
            return None
        older = next((each for each in self.line(order.node_id) if _replaces(order, each)), None)
        if older is None:
            return None
        if isinstance(order.command, LedCommand) and isinstance(older.command, LedCommand):
            order.command = order.command.after(older.command)
        self.remove(older)
        return older

    def add(self, order: Order) -> Order | None:
        """Add an order at the end; return the oldest one if there is no room for it."""
        self._lines.setdefault(order.node_id, deque()).append(order)
        self._length += 1
        line = self._lines[order.node_id]
        if len(line) <= PER_NODE and self._length <= TOTAL:
            return None
        oldest = max(self._lines.values(), key=len)[0]
        self.remove(oldest)
        return oldest

    def put_back(self, order: Order) -> None:
        """Give an order that could not be sent its place at the front back."""
        self._lines.setdefault(order.node_id, deque()).appendleft(order)
        self._length += 1

    def remove(self, order: Order) -> bool:
        """Take an order out; False if it does not wait here."""
        line = self._lines.get(order.node_id)
        if line is None or order not in line:
            return False
        line.remove(order)
        self._length -= 1
        del self._lines[order.node_id]
        if line:
            # To the end, so that every node has its turn.
            self._lines[order.node_id] = line
        return True

    def next(self, node_id: str, flying: list[Order], slots: int, may_update: bool) -> Order | None:
        """Return the order of a node whose turn it is.

        `flying` are the node's sent orders, of which those that the node has accepted and
        updates do not take one of its `slots`; two of a kind never fly together.
        """
        kinds = {order.command.kind for order in flying}
        slots -= sum(not (order.accepted or order.is_update) for order in flying)
        for order in self.line(node_id):
            if order.command.kind in kinds:
                continue
            if order.is_update:
                if may_update:
                    return order
            elif slots > 0:
                return order
        return None


def _replaces(newer: Order, older: Order) -> bool:
    """Whether two orders are for the same actuator; to identify a node sets nothing."""
    return newer.command.kind == older.command.kind and _identifies(newer) is _identifies(older)


def _identifies(order: Order) -> bool:
    command = order.command
    return isinstance(command, LedCommand) and command.action is LedAction.IDENTIFY
