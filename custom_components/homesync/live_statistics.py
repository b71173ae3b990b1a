"""Figures as they change: what subscribers are told, at most once a second."""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from homeassistant.core import CALLBACK_TYPE, HomeAssistant, callback
from homeassistant.util.hass_dict import HassKey

from . import api
from .client import HouseholdStatistics
from .const import DOMAIN
from .coordinator import HomeSyncConfigEntry

_EVERY = 1.0  # seconds
# They change with the clock alone: told along with others, never by themselves.
_QUIET: Final = frozenset(
    {
        ("at",),
        ("connection", "seconds"),
        ("connection", "connected_seconds"),
        ("connection", "away_seconds"),
        ("connection", "uptime"),
        ("commands", "oldest"),
        ("budget", "forecast"),
        ("budget", "forecast_share"),
    }
)
_STATISTICS: Final = "statistics"


def changes(before: Mapping[str, Any], after: Mapping[str, Any]) -> api.Json:
    """Return what has to be laid over `before` to get `after`; None is what is gone."""
    found: api.Json = {key: None for key in before if key not in after}
    for key, value in after.items():
        old = before.get(key)
        if isinstance(old, Mapping) and isinstance(value, Mapping):
            if inner := changes(old, value):
                found[key] = inner
        elif key not in before or old != value:
            found[key] = value
    return found


@dataclass(eq=False, slots=True)
class _Subscriber:
    tell: Callable[[api.Json], None]
    entry_id: str | None
    told: api.Json


class LiveStatistics:
    """Looks at the households once a second, for all subscribers, while there are any."""

    def __init__(self, hass: HomeAssistant) -> None:
        self._hass = hass
        self._subscribers: list[_Subscriber] = []
        self._task: asyncio.Task[None] | None = None

    def subscribe(
        self, tell: Callable[[api.Json], None], entry_id: str | None = None
    ) -> CALLBACK_TYPE:
        """Tell everything now and then what changes, of one household or all.

        Returns what ends it.
        """
        now = _seen_by(entry_id, self._look_at_once())
        subscriber = _Subscriber(tell, entry_id, now)
        self._subscribers.append(subscriber)
        tell({"type": "snapshot", **now})
        if self._task is None:
            self._task = self._hass.async_create_background_task(self._run(), "homesync statistics")

        @callback
        def end() -> None:
            if subscriber in self._subscribers:
                self._subscribers.remove(subscriber)
            if not self._subscribers and self._task is not None:
                self._task.cancel()
                self._task = None

        return end

    async def _run(self) -> None:
        while True:
            await asyncio.sleep(_EVERY)
            seen = _Seen()
            for entry in api.entries(self._hass):
                seen.look_at(entry)
                # Each takes about a millisecond, and there may be a hundred.
                await asyncio.sleep(0)
            everything = seen.told()
            for each in tuple(self._subscribers):
                _update(each, everything)

    def _look_at_once(self) -> api.Json:
        seen = _Seen()
        for entry in api.entries(self._hass):
            seen.look_at(entry)
        return seen.told()


class _Seen:
    """What one look at the households found."""

    def __init__(self) -> None:
        self._snapshots: list[HouseholdStatistics | None] = []
        self._households: api.Json = {}

    def look_at(self, entry: HomeSyncConfigEntry) -> None:
        """Take one household's figures."""
        now = api.snapshot(entry)
        self._snapshots.append(now)
        self._households[entry.entry_id] = api.household_statistics(entry, now)

    def told(self) -> api.Json:
        """Return all of them."""
        return {"summary": api.summary(self._snapshots), "households": self._households}


_LIVE: HassKey[LiveStatistics] = HassKey(f"{DOMAIN}_live_statistics")


def live_statistics(hass: HomeAssistant) -> LiveStatistics:
    """Return the one that serves all subscribers."""
    return hass.data.setdefault(_LIVE, LiveStatistics(hass))


def _seen_by(entry_id: str | None, everything: api.Json) -> api.Json:
    if entry_id is None:
        return everything
    households = everything["households"]
    return {"households": {each: households[each] for each in households if each == entry_id}}


def _update(subscriber: _Subscriber, everything: api.Json) -> None:
    now = _seen_by(subscriber.entry_id, everything)
    found = changes(subscriber.told, now)
    households = found.get("households", {})
    quiet = [each for each, change in households.items() if not _is_news(change)]
    for each in quiet:
        del households[each]
    if not households:
        found.pop("households", None)
    if not found:
        return
    kept = {each: subscriber.told["households"][each] for each in quiet}
    subscriber.told = {**now, "households": {**now["households"], **kept}}
    subscriber.tell({"type": "update", **found})


def _is_news(change: api.Json | None) -> bool:
    """Whether more than the clock went on."""
    if change is None or change.keys() != {_STATISTICS}:
        return True
    figures = change[_STATISTICS]
    return not isinstance(figures, Mapping) or any(path not in _QUIET for path in _leaves(figures))


def _leaves(tree: Mapping[str, Any], above: tuple[str, ...] = ()) -> list[tuple[str, ...]]:
    found: list[tuple[str, ...]] = []
    for key, value in tree.items():
        path = (*above, key)
        found += _leaves(value, path) if isinstance(value, Mapping) and value else [path]
    return found
