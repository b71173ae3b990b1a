"""Whoever counts registers here: totals over restarts, what is recent, rates. Pure.

A source is a name and a function that returns its figures now. Nobody reports anything:
the functions are asked when somebody wants to know, and every ten seconds for the rates.
"""

from collections import deque
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import partial
import logging

SAMPLE_EVERY = 10.0
RECENT = 900.0
"""Seconds of what counts as recent."""

_RATE_OVER = 60.0
_SAMPLES = int(RECENT / SAMPLE_EVERY) + 1

type Counters = Mapping[str, float]


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """What a source tells: `counters` only grow and outlive restarts, `gauges` are of now."""

    counters: Counters
    gauges: Mapping[str, float | None] = field(default_factory=dict)


_NOTHING = Figures(counters={})


@dataclass(slots=True)
class _Source:
    figures: Callable[[], Figures]
    last: Figures = _NOTHING
    failed: bool = False


class Sources:
    """The sources of one household; `clock` gives monotonic seconds."""

    def __init__(self, clock: Callable[[], float], logger: logging.Logger, household: str) -> None:
        self._clock = clock
        self._logger = logger
        self._household = household
        self._sources: dict[str, _Source] = {}
        # What sources counted that are no more: of earlier runs, or unregistered.
        self._before: dict[str, Counters] = {}
        self._samples: deque[tuple[float, dict[str, Counters]]] = deque(maxlen=_SAMPLES)

    @property
    def names(self) -> tuple[str, ...]:
        """Of those that are registered now."""
        return tuple(self._sources)

    def register(self, name: str, figures: Callable[[], Figures]) -> Callable[[], None]:
        """Add a source under a name of its own; returns what takes it away again.

        What it counted stays, and is added to by the next source of that name.
        """
        if name in self._sources:
            raise ValueError(f"there is a source {name} already")
        self._sources[name] = _Source(figures)
        return partial(self._unregister, name)

    def totals(self, name: str) -> dict[str, float]:
        """What a source counted, earlier runs included."""
        return _sum(self._before.get(name, {}), self._ask(name).counters)

    def gauges(self, name: str) -> dict[str, float | None]:
        """What a source measures now."""
        return dict(self._ask(name).gauges)

    def sample(self) -> None:
        """Keep the totals of now; every ten seconds."""
        totals: dict[str, Counters] = {name: self.totals(name) for name in self._sources}
        self._samples.append((self._clock(), totals))

    def recent(self, name: str) -> dict[str, float]:
        """What a source counted within 15 minutes, or since the start."""
        if not self._samples:
            return {}
        earliest = self._clock() - RECENT - SAMPLE_EVERY / 2
        before = next((then for at, then in self._samples if at >= earliest), self._samples[-1][1])
        return _difference(self.totals(name), before.get(name, {}))

    def per_minute(self, name: str) -> dict[str, float] | None:
        """How much a source counts a minute, by the samples of the last one; None before two."""
        if len(self._samples) < 2:
            return None
        now, newest = self._samples[-1]
        since = now - _RATE_OVER - SAMPLE_EVERY / 2
        before, older = next(sample for sample in self._samples if sample[0] >= since)
        if before >= now:
            before, older = self._samples[-2]
        counted = _difference(newest.get(name, {}), older.get(name, {}))
        return {key: value * 60 / max(now - before, 1) for key, value in counted.items()}

    def state(self) -> dict[str, dict[str, float]]:
        """What has to outlive a restart: source → counter → total."""
        return {name: self.totals(name) for name in {**self._before, **self._sources}}

    def restore(self, counters: Mapping[str, Counters]) -> None:
        """Add what an earlier run counted; before the first sample."""
        for name, earlier in counters.items():
            self._before[name] = _sum(self._before.get(name, {}), earlier)

    def _unregister(self, name: str) -> None:
        if name in self._sources:
            self._before[name] = self.totals(name)
            del self._sources[name]

    def _ask(self, name: str) -> Figures:
        source = self._sources.get(name)
        if source is None:
            return _NOTHING
        try:
            source.last = source.figures()
            source.failed = False
        except Exception:
            if not source.failed:
                self._logger.exception(
                    "Household %s: figures of %s are not to be had", self._household, name
                )
            source.failed = True
        return source.last


def _sum(*counted: Counters) -> dict[str, float]:
    totals: dict[str, float] = {}
    for each in counted:
        for key, value in each.items():
            totals[key] = totals.get(key, 0) + value
    return totals


def _difference(newer: Counters, older: Counters) -> dict[str, float]:
    return {key: value - older.get(key, 0) for key, value in newer.items()}


def total(counters: Counters, keys: Iterable[str]) -> int:
    """Add some counters up; those that never counted are 0."""
    return int(sum(counters.get(key, 0) for key in keys))
