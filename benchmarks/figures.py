"""Figures of several runs, their ratios, and whether they meet an aim."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import Enum
import statistics
from typing import Any


class Verdict(Enum):
    """Whether an aim is met."""

    MET = "yes"
    MISSED = "no"
    NONE = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One line of the table: figures run by run, of both sides in the same runs."""

    name: str
    what: str
    unit: str
    homesync: Sequence[float]
    core: Sequence[float] = ()
    aim: str = ""
    verdict: Verdict = Verdict.NONE
    note: str = ""
    other: str = ""
    """What stands in for core, if it is something else."""

    @property
    def ratios(self) -> list[float]:
        """HomeSync's figure divided by core's, run by run."""
        return ratios(self.homesync, self.core)

    def to_dict(self) -> dict[str, Any]:
        """Give it as JSON takes it."""
        return {
            "name": self.name,
            "what": self.what,
            "unit": self.unit,
            "homesync": list(self.homesync),
            "core": list(self.core),
            "aim": self.aim,
            "verdict": self.verdict.value,
            "note": self.note,
            "other": self.other,
        }


@dataclass(frozen=True, slots=True)
class Failure:
    """A row that could not be measured."""

    name: str
    reason: str


@dataclass(slots=True)
class Results:
    """Everything that one run of the benchmark found."""

    machine: dict[str, str]
    quick: bool = False
    seconds: float = 0.0
    took: dict[str, float] = field(default_factory=dict)
    """Seconds of each step."""
    rows: list[Row] = field(default_factory=list)
    failures: list[Failure] = field(default_factory=list)

    @property
    def missed(self) -> list[Row]:
        """The rows whose aims are not met."""
        return [row for row in self.rows if row.verdict is Verdict.MISSED]


def ratios(ours: Sequence[float], theirs: Sequence[float]) -> list[float]:
    """Divide run by run; a single figure of theirs stands for all runs."""
    if len(theirs) == 1:
        theirs = [*theirs] * len(ours)
    return [mine / other for mine, other in zip(ours, theirs, strict=False) if other]


def median(figures: Sequence[float]) -> float:
    """The middle figure."""
    return statistics.median(figures)


def percentile(figures: Sequence[float], part: float) -> float:
    """The figure that `part` of all (0 to 1) are not above."""
    ordered = sorted(figures)
    return ordered[min(len(ordered) - 1, int(len(ordered) * part))]


def at_least(figures: Sequence[float], bound: float) -> Verdict:
    """Whether the median reaches a bound."""
    return _verdict(bool(figures) and median(figures) >= bound)


def at_most(figures: Sequence[float], bound: float) -> Verdict:
    """Whether the median stays within a bound."""
    return _verdict(bool(figures) and median(figures) <= bound)


def never_above(figures: Sequence[float], bound: float) -> Verdict:
    """Whether every run stays within a bound."""
    return _verdict(bool(figures) and max(figures) <= bound)


def all_of(*verdicts: Verdict) -> Verdict:
    """Met if each is."""
    return _verdict(all(verdict is Verdict.MET for verdict in verdicts))


def any_of(*verdicts: Verdict) -> Verdict:
    """Met if one is."""
    return _verdict(any(verdict is Verdict.MET for verdict in verdicts))


def holds(condition: bool) -> Verdict:
    """Met if the condition holds."""
    return _verdict(condition)


def _verdict(met: bool) -> Verdict:
    return Verdict.MET if met else Verdict.MISSED


def collections(figures: Sequence[float]) -> str:
    """Say what part of a block of the loop may be Python's garbage collection."""
    return f"longest garbage collection of each run: {listed(figures)} ms"


def listed(figures: Sequence[float]) -> str:
    """Name all figures, without decimals."""
    return ", ".join(f"{each:.0f}" for each in figures)


def match_latencies(
    sent: Sequence[int], changes: Sequence[Sequence[tuple[int, str]]]
) -> tuple[list[float], int]:
    """Return the seconds from each message to its change of state, and how many had none.

    Message i was of sensor i % len(changes), and every message is a new state.
    """
    sensors = len(changes)
    latencies: list[float] = []
    missing = 0
    for sensor, seen in enumerate(changes):
        own = sent[sensor::sensors]
        missing += abs(len(own) - len(seen))
        if len(own) == len(seen):
            latencies += [(at - begin) / 1e9 for begin, (at, _) in zip(own, seen, strict=True)]
    return latencies, missing
