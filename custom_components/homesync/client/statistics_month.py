"""Bytes of a month against a plan: when a month begins, what it comes to. Pure.

A clock may be wrong. Set back, the month stays what it was; only when the clock has kept
to the earlier month for a day, the later one is taken for the mistake. Nothing is lost.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import NamedTuple

from .transport.presets import Plan

_DAY = 86_400.0
# An update comes every ten seconds; whatever is longer is a jump of the clock.
_LONGEST_STEP = 60.0


class Month(NamedTuple):
    """A month by a name that no other has, and its ends in seconds since the epoch."""

    key: str
    begin: float
    end: float


type MonthOf = Callable[[float], tuple[str, float, float]]
"""Seconds since the epoch → the `Month` they are in, in the time zone of the plan."""


def utc_month_of(now: float) -> Month:
    """A calendar month in UTC."""
    begin = datetime.fromtimestamp(now, UTC).replace(
        day=1, hour=0, minute=0, second=0, microsecond=0
    )
    later = begin.month == 12
    end = begin.replace(year=begin.year + later, month=1 if later else begin.month + 1)
    return Month(f"{begin:%Y-%m}", begin.timestamp(), end.timestamp())


@dataclass(frozen=True, slots=True, kw_only=True)
class MonthMark:
    """Where a month began: `counted_from` is later than `begin` in the month of the first start.

    `bytes_before` is the total of all bytes at its begin.
    """

    key: str
    begin: float
    end: float
    counted_from: float
    bytes_before: int


@dataclass(frozen=True, slots=True, kw_only=True)
class BudgetStatistics:
    """Bytes of MQTT packets, in and out, of the month that ends at `end` (epoch seconds).

    `forecast` is what the month will come to if it goes on like this. `plan_bytes` is what
    the plan allows; `share` and `forecast_share` are parts of it (1.0 is all), with the
    plan's weight; None without a limit.
    """

    month: str
    begin: float
    end: float
    bytes: int
    forecast: int
    last_month: str | None
    last_month_bytes: int | None
    plan_bytes: int | None
    share: float | None
    forecast_share: float | None
    connections: int
    plan_connections: int | None
    connections_share: float | None


class MonthLedger:
    """Knows the present month's and the last month's bytes."""

    def __init__(self, month_of: MonthOf) -> None:
        self.current: MonthMark | None = None
        self.last: MonthMark | None = None
        self._month_of = month_of
        self._now: float | None = None
        self._behind = 0.0

    def update(self, now: float, total: int) -> MonthMark:
        """Look at the clock (epoch seconds) with `total` bytes counted ever."""
        found = Month(*self._month_of(now))
        mark = self.current
        step = 0.0 if self._now is None else now - self._now
        self._now = now
        if mark is None:
            mark = _begin(found, counted_from=now, total=total)
        elif found.key != mark.key and found.begin > mark.begin:
            self.last = mark
            mark = _begin(found, counted_from=found.begin, total=total)
        if found.key == mark.key:
            self._behind = 0.0
            if (found.begin, found.end) != (mark.begin, mark.end):
                # The same month in another time zone.
                mark = replace(mark, begin=found.begin, end=found.end)
        else:
            self._behind += min(max(step, 0.0), _LONGEST_STEP)
            if self._behind >= _DAY:
                mark = self._follow_back(found, mark)
        self.current = mark
        return mark

    def last_bytes(self) -> int | None:
        """What the last month came to."""
        if self.last is None or self.current is None:
            return None
        return self.current.bytes_before - self.last.bytes_before

    def _follow_back(self, found: Month, mark: MonthMark) -> MonthMark:
        self._behind = 0.0
        last, self.last = self.last, None
        if last is not None and last.key == found.key:
            return last
        if last is not None and last.begin < found.begin:
            self.last = last
        return replace(
            mark, key=found.key, begin=found.begin, end=found.end, counted_from=found.begin
        )


def budget(
    ledger: MonthLedger, now: float, total: int, connections: int, plan: Plan
) -> BudgetStatistics:
    """Hold the month against the plan; `connections` are those that are open now."""
    mark = ledger.update(now, total)
    used = total - mark.bytes_before
    forecast = _forecast(mark, now, used)
    return BudgetStatistics(
        month=mark.key,
        begin=mark.begin,
        end=mark.end,
        bytes=used,
        forecast=forecast,
        last_month=None if ledger.last is None else ledger.last.key,
        last_month_bytes=ledger.last_bytes(),
        plan_bytes=plan.bytes_a_month,
        share=_share(used * plan.weight, plan.bytes_a_month),
        forecast_share=_share(forecast * plan.weight, plan.bytes_a_month),
        connections=connections,
        plan_connections=plan.connections,
        connections_share=_share(connections, plan.connections),
    )


def _begin(found: Month, *, counted_from: float, total: int) -> MonthMark:
    return MonthMark(
        key=found.key,
        begin=found.begin,
        end=found.end,
        counted_from=counted_from,
        bytes_before=total,
    )


def _forecast(mark: MonthMark, now: float, used: int) -> int:
    now = min(max(now, mark.counted_from), mark.end)
    # What the first hours bring, a start among them, is taken for a whole day's.
    elapsed = max(now - mark.counted_from, _DAY)
    return round(used * (1 + (mark.end - now) / elapsed))


def _share(used: float, limit: int | None) -> float | None:
    return used / limit if limit else None
