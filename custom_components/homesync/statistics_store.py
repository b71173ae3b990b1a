"""Keeps a household's counters over restarts.

They are written at the end and a few times an hour; who kills Home Assistant loses what
was counted since. A file that is no use is told and set aside, and counting begins anew;
while that is impossible, nothing is written.
"""

from datetime import datetime, timedelta
import logging
from pathlib import Path
import random
from typing import Any, Final

from homeassistant.config_entries import ConfigEntry
from homeassistant.core import CALLBACK_TYPE, HomeAssistant, callback
from homeassistant.exceptions import HomeAssistantError, UnsupportedStorageVersionError
from homeassistant.helpers.event import async_track_time_interval
from homeassistant.helpers.storage import Store

from .client import InvalidSettingError, Statistics, StatisticsState, read_state
from .const import DOMAIN
from .issues import HouseholdIssues
from .set_aside import all_aside, set_aside

_LOGGER = logging.getLogger(__name__)

_VERSION: Final = 1
_LARGEST: Final = 1024 * 1024
# Together a quarter of an hour at most; the delay spreads the writes of many households.
_EVERY: Final = timedelta(minutes=14)
_WIDEST_DELAY: Final = 60.0  # seconds

# What Home Assistant raises for files that it cannot read or that are not of its making.
_UNREADABLE = (HomeAssistantError, OSError)
_FOREIGN = (AttributeError, InvalidSettingError, KeyError, NotImplementedError, TypeError)

type _Store = Store[dict[str, Any]]


class StatisticsStore:
    """Between a household's statistics and the disk."""

    def __init__(
        self,
        hass: HomeAssistant,
        entry: ConfigEntry,
        statistics: Statistics,
        issues: HouseholdIssues,
    ) -> None:
        self._hass = hass
        self._entry = entry
        self._statistics = statistics
        self._issues = issues
        self._store = _store(hass, entry)
        self._in_the_way = False
        self._end_saving: CALLBACK_TYPE | None = None

    async def async_restore(self) -> None:
        """Go on counting where the last run stopped; once, before anybody is told a figure."""
        try:
            state = await self._load()
        except _UnusableError as err:
            _LOGGER.warning(
                "Household %s: the statistics cannot be used and begin anew: %s",
                self._entry.title,
                err,
            )
            await self._set_aside(str(err))
            return
        if state is not None:
            self._statistics.restore(state)

    def start(self) -> None:
        """Begin to save now and then."""
        if self._in_the_way:
            return
        self._end_saving = async_track_time_interval(
            self._hass, self._save_soon, _EVERY, cancel_on_shutdown=True
        )

    async def async_close(self) -> None:
        """Save for the last time; while Home Assistant stops, that is done at its very end."""
        if self._end_saving is not None:
            self._end_saving()
            self._end_saving = None
        if not self._in_the_way:
            await self._store.async_save(self._fields())

    @callback
    def _save_soon(self, _now: datetime) -> None:
        self._store.async_delay_save(self._fields, random.uniform(0, _WIDEST_DELAY))

    def _fields(self) -> dict[str, Any]:
        return self._statistics.state().fields()

    async def _set_aside(self, why: str) -> None:
        """Take the file out of the way, and tell; if that is impossible, leave it as it is."""
        path = Path(self._store.path)
        try:
            await self._hass.async_add_executor_job(set_aside, path)
        except OSError as err:
            self._in_the_way = True
            _LOGGER.warning("Household %s: no statistics are kept: %s", self._entry.title, err)
        key = "statistics_in_the_way" if self._in_the_way else "statistics_lost"
        self._issues.report(key, {"reason": why, "file": path.name})

    async def _load(self) -> StatisticsState | None:
        """Return what the last run left, None if there is nothing; raises _UnusableError."""
        try:
            size = await self._hass.async_add_executor_job(_size, Path(self._store.path))
            if size is None:
                return None
            if size > _LARGEST:
                raise _UnusableError(f"the file is larger than {_LARGEST} bytes")
            fields = await self._store.async_load()
            if fields is None:
                raise _UnusableError("the file is not JSON, or cut off")
            return read_state(fields)
        except UnsupportedStorageVersionError as err:
            raise _UnusableError("a newer version of the integration wrote the file") from err
        except _UNREADABLE as err:
            _LOGGER.debug("Household %s: %s", self._entry.title, err)
            raise _UnusableError("the file cannot be read") from err
        except _FOREIGN as err:
            _LOGGER.debug("Household %s: %r", self._entry.title, err)
            raise _UnusableError("the file does not hold what this integration writes") from err


class _UnusableError(Exception):
    """What is on disk is no use; says why."""


async def async_remove_statistics(hass: HomeAssistant, entry: ConfigEntry) -> None:
    """Delete what rests of a household that is gone."""
    store = _store(hass, entry)
    try:
        await store.async_remove()
        await hass.async_add_executor_job(_delete_damaged, Path(store.path))
    except OSError as err:
        _LOGGER.warning("Household %s: %s could not be deleted: %s", entry.title, store.path, err)


def _store(hass: HomeAssistant, entry: ConfigEntry) -> _Store:
    return Store(hass, _VERSION, f"{DOMAIN}.statistics.{entry.entry_id}", private=True)


def _size(path: Path) -> int | None:
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return None


def _delete_damaged(path: Path) -> None:
    """Delete what was set aside, by Home Assistant if it was not JSON."""
    for each in all_aside(path):
        each.unlink(missing_ok=True)
