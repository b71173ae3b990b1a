"""Warnings about what others send: counted always, logged at most once a minute per cause."""

from collections import Counter
from collections.abc import Callable
import logging

_INTERVAL = 60.0
_SHOWN = 120


def shorten(foreign: bytes | str) -> str:
    """Text or bytes of a stranger, safe to print: `repr`, at most about 120 characters."""
    return repr(foreign[:_SHOWN]) + ("…" if len(foreign) > _SHOWN else "")


class Complaints:
    """Counts per cause for one household; `clock` gives monotonic seconds."""

    def __init__(self, logger: logging.Logger, household: str, clock: Callable[[], float]) -> None:
        self.counts: Counter[str] = Counter()
        self.household = household
        self._logger = logger
        self._clock = clock
        self._logged: dict[str, tuple[float, int]] = {}

    def add(self, kind: str, words: str, topic: bytes, payload: bytes | None = None) -> None:
        """Count one message of a cause, and warn unless that was done within the minute."""
        self.counts[kind] += 1
        now = self._clock()
        last = self._logged.get(kind)
        if last is not None and now - last[0] < _INTERVAL:
            return
        held_back = self.counts[kind] - last[1] - 1 if last is not None else 0
        self._logged[kind] = (now, self.counts[kind])
        self._logger.warning(
            "Household %s: %s; topic %s%s%s",
            self.household,
            words,
            shorten(topic),
            "" if payload is None else f", payload {shorten(payload)}",
            f" ({held_back} more of this kind held back)" if held_back else "",
        )

    def count(self, kind: str) -> None:
        """Count one message that needs no warning."""
        self.counts[kind] += 1
