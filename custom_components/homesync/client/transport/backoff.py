"""How long to wait before the next attempt."""

from collections.abc import Callable

_STABLE = 20.0


class Backoff:
    """Capped exponential with full jitter: the n-th wait is between 0 and 2^(n-1) s.

    `random` gives numbers in [0, 1). Only a connection that held for 20 s counts as a
    success; a broker that accepts and closes at once is not tried every second for ever.
    """

    def __init__(self, random: Callable[[], float], longest: float = 60.0) -> None:
        self._random = random
        self._longest = longest
        self._failures = 0

    def bound(self) -> float:
        """The longest that the next wait may be, in seconds."""
        return min(self._longest, 2.0**self._failures)

    def next(self) -> float:
        """Count a failure and return the wait that follows it, in seconds."""
        wait = self._random() * self.bound()
        # Far above any cap; a household may be away for years.
        self._failures = min(self._failures + 1, 16)
        return wait

    def held(self, seconds: float) -> None:
        """Tell how long the last connection held."""
        if seconds >= _STABLE:
            self._failures = 0
