"""What a session is subscribed to: the usual, less what is left out, more for a while."""

from .connection import Connection
from .terms import Subscriptions


class Interest:
    """The filters of one session, over its connections; `left_out` are those it does without."""

    def __init__(self, usual: Subscriptions) -> None:
        self.left_out: frozenset[str] = frozenset()
        self._usual = usual
        self._more: set[str] = set()

    @property
    def wanted(self) -> Subscriptions:
        """What the next connection subscribes to."""
        return self._usual.without(self.left_out)

    @property
    def filters(self) -> int:
        """How many the present connection is subscribed to."""
        return len(self.wanted.filters) + len(self._more.difference(self.wanted.names))

    def begin(self, connection: Connection, *, kept: bool) -> None:
        """Rid a new connection of what it should not hear; `kept` if its broker keeps sessions."""
        # What a broker that keeps the session would go on with for ever, and what was left
        # out while this connection was being made.
        stale = self.left_out | (self._more.difference(self.wanted.names) if kept else set())
        if stale:
            connection.leave_off(tuple(stale))
        self._more.clear()

    async def listen_in(self, connection: Connection, filters: tuple[str, ...]) -> bool:
        """Subscribe to more; return whether all of it is granted."""
        self._more.update(set(filters).difference(self.wanted.names))
        return await connection.listen_in(filters)

    def leave_off(self, connection: Connection, filters: tuple[str, ...]) -> None:
        """Take back what `listen_in` subscribed to."""
        connection.leave_off(filters)
        self._more.difference_update(filters)
