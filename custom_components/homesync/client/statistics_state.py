"""Counters at rest: what a household's statistics keep over a restart."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from .errors import InvalidSettingError
from .statistics_month import MonthMark

_LONGEST_NAME = 200
_MOST_NAMES = 2000  # of sources and counters together; there are about a hundred
_MOST = 2.0**63
_LATEST = 1e11  # seconds since the epoch: some thousand years


@dataclass(frozen=True, slots=True, kw_only=True)
class StatisticsState:
    """Source → counter → total, counted since `since` (epoch seconds), and where months began."""

    counters: Mapping[str, Mapping[str, float]]
    since: float
    month: MonthMark | None = None
    last_month: MonthMark | None = None

    def fields(self) -> dict[str, Any]:
        """The state as JSON can hold it."""
        return asdict(self)


def read_state(fields: Any) -> StatisticsState:
    """Return the state that `fields` wrote, or raise InvalidSettingError: files get damaged."""
    try:
        return StatisticsState(
            counters=_read_counters(fields["counters"]),
            since=_number(fields["since"], _LATEST),
            month=_read_mark(fields["month"]),
            last_month=_read_mark(fields["last_month"]),
        )
    except (AttributeError, KeyError, TypeError, ValueError) as err:
        raise InvalidSettingError("statistics", f"cannot be read: {err!r}") from None


def _read_counters(fields: Any) -> dict[str, dict[str, float]]:
    if sum(1 + len(counters) for counters in fields.values()) > _MOST_NAMES:
        raise ValueError("there are too many counters")
    return {
        _name(source): {_name(key): _number(value) for key, value in counters.items()}
        for source, counters in fields.items()
    }


def _read_mark(fields: Any) -> MonthMark | None:
    if fields is None:
        return None
    return MonthMark(
        key=_name(fields["key"]),
        begin=_number(fields["begin"], _LATEST),
        end=_number(fields["end"], _LATEST),
        counted_from=_number(fields["counted_from"], _LATEST),
        bytes_before=int(_number(fields["bytes_before"])),
    )


def _name(text: Any) -> str:
    if not isinstance(text, str) or not 0 < len(text) <= _LONGEST_NAME:
        raise ValueError("a name is needed")
    return text


def _number(value: Any, most: float = _MOST) -> float:
    # Written so that what is not a number (NaN) is none here, either.
    if type(value) not in (int, float) or not 0 <= value <= most:
        raise ValueError("a number that is neither negative nor huge is needed")
    number: float = value
    return number
