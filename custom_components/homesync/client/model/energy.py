"""Holds back readings of a counter that fell without having been reset.

Home Assistant takes a counter that falls by more than a tenth for a new one and adds all
that it says next. A node that reports 0 once after it started would so have its whole
counter added again. While a reading is held back the last value stays.

- A fall by at most 1 %, or 0.01 in the metric's usual unit, is noise (`energy_fell`): held
  back until the old value is reached. After 10 readings in 30 minutes it counts on from
  there (`energy_reset`).
- A larger fall is suspected to be false. When the counter comes back to the old value or as
  near to it as noise, it was (`energy_dropped`). When it goes on below, it is a reset
  (`energy_reset`): 3 readings in a row in 60 s without a further fall beyond noise; if all
  of them are exactly zero, only after 10 minutes. One that never settles counts on after 10
  readings in 30 minutes like the above.

Waiting loses nothing unless the new counter passes the old value meanwhile: what it says
in the end is added whole.
"""

from collections import Counter
from dataclasses import dataclass

_SMALL_SHARE = 0.01
_SMALL_STEP = 0.01  # two decimals are what many meters round to
_ROUNDING = 1e-12  # share by which a number in Wh may differ from the same in kWh

_RESET_READINGS = 3
_RESET_TIME = 60.0
_ZERO_TIME = 600.0  # meters behind a node need minutes after a power cut
_LONGEST_READINGS = 10
_LONGEST_TIME = 1800.0

_LONGEST_GAP = 3600.0  # seconds; beyond it, it is the clock that was set
_ASSUMED_GAP = 30.0  # so that a reset passes even if no two times can be compared


@dataclass(slots=True)
class _Fall:
    """What was heard since the counter fell; `steady…` since it last fell further."""

    small: bool
    top: float
    readings: int = 1
    lasted: float = 0.0
    steady_readings: int = 1
    steady: float = 0.0

    def add(self, value: float, gap: float) -> None:
        """Take the next reading, `gap` seconds after the one before."""
        self.readings += 1
        self.lasted += gap
        if value < self.top and not _is_small(self.top, value):
            self.top, self.steady_readings, self.steady = value, 1, 0.0
            return
        self.top = max(self.top, value)
        self.steady_readings += 1
        self.steady += gap

    def is_new_base(self) -> bool:
        """Whether the counter goes on from here."""
        if self.readings >= _LONGEST_READINGS and self.lasted >= _LONGEST_TIME:
            return True
        if self.small or self.steady_readings < _RESET_READINGS:
            return False
        return self.steady >= (_RESET_TIME if self.top > 0 else _ZERO_TIME)


class CounterGuard:
    """Guards one counter of one node; tells `counts` what it met."""

    __slots__ = ("_counts", "_fall")

    def __init__(self, counts: Counter[str]) -> None:
        self._counts = counts
        self._fall: _Fall | None = None

    def holds_back(self, shown: float, value: float, gap: float | None) -> bool:
        """Whether `shown` stays although the counter says `value`, both in the same unit.

        `gap` is the time since the reading before in seconds, None if two clocks differ.
        """
        if shown - value <= shown * _ROUNDING:
            self._end_fall()
            return value < shown
        small, fall = _is_small(shown, value), self._fall
        if fall is None or fall.small != small:
            if small:
                self._end_fall()
                self._counts["energy_fell"] += 1
            self._fall = _Fall(small, value)
            return True
        fall.add(value, gap if gap is not None and 0 <= gap <= _LONGEST_GAP else _ASSUMED_GAP)
        if not fall.is_new_base():
            return True
        self._counts["energy_reset"] += 1
        self._fall = None
        return False

    def _end_fall(self) -> None:
        if self._fall is not None and not self._fall.small:
            self._counts["energy_dropped"] += 1
        self._fall = None


def _is_small(before: float, after: float) -> bool:
    # The last term: 5.00 - 4.99 is a little more than 0.01.
    return before - after <= max(before * _SMALL_SHARE, _SMALL_STEP) + before * _ROUNDING
