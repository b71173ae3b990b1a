"""For how long a lost link is bridged before its nodes count as unreachable."""

import asyncio
from collections.abc import Callable


class Grace:
    """`reachable` from the first connection until `seconds` after a loss.

    `on_over()` is called when that time has passed.
    """

    def __init__(self, seconds: float, on_over: Callable[[], None]) -> None:
        self.reachable = False
        self._seconds = seconds
        self._on_over = on_over
        self._loop = asyncio.get_running_loop()
        self._timer: asyncio.TimerHandle | None = None

    @property
    def left(self) -> float:
        """Seconds until a lost link counts; 0 while there is none to bridge."""
        return 0.0 if self._timer is None else max(0.0, self._timer.when() - self._loop.time())

    def connected(self) -> None:
        """The link is there."""
        self.stop()
        self.reachable = True

    def lost(self) -> None:
        """The link is gone; the time runs unless it runs already."""
        if self.reachable and self._timer is None:
            self._timer = self._loop.call_later(self._seconds, self._over)

    def stop(self) -> None:
        """End the time without a verdict: a planned end is no loss."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _over(self) -> None:
        self._timer = None
        self.reachable = False
        self._on_over()
