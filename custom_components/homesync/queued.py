"""Keeps a household's queued commands over restarts."""

from contextlib import suppress
from dataclasses import asdict
import logging
from typing import Any

from homeassistant.config_entries import ConfigEntry
from homeassistant.core import HomeAssistant, callback

from .client import CommandResult, Household, InvalidSettingError, StoredCommand, abandoned
from .issues import HouseholdIssues
from .outbox_store import OutboxStore, StoreTrouble, TroubleKind

_LOGGER = logging.getLogger(__name__)
_LASTING = (TroubleKind.NOT_WRITTEN, TroubleKind.UNREADABLE, TroubleKind.NOT_STORABLE)


async def async_abandon(hass: HomeAssistant, entry: ConfigEntry) -> list[CommandResult]:
    """Delete what rests of a household that is gone; return how that ends the commands."""
    store = OutboxStore(hass, entry.entry_id, lambda _: None)
    ended = []
    for record in await store.async_load():
        with suppress(InvalidSettingError, TypeError):
            ended.append(abandoned(StoredCommand(**record)))
    await store.async_remove()
    return ended


class QueuedCommands:
    """Between a household's outbox and the disk."""

    def __init__(
        self, hass: HomeAssistant, entry: ConfigEntry, household: Household, issues: HouseholdIssues
    ) -> None:
        self._entry = entry
        self._household = household
        self._issues = issues
        self._store = OutboxStore(hass, entry.entry_id, self._on_trouble)

    async def async_restore(self) -> None:
        """Take up what was queued in the last run; what cannot be ours is refused and told."""
        refused = 0
        records = await self._store.async_load()
        for record in records:
            try:
                self._household.commands.restore(StoredCommand(**record))
            except (InvalidSettingError, TypeError) as err:
                refused += 1
                _LOGGER.warning("Household %s: stored command refused: %s", self._entry.title, err)
        if refused:
            self._issues.report("outbox_refused", {"count": str(refused)})
        self._household.on_stored = self._save
        if records:
            self._save()

    async def async_close(self) -> None:
        """Wait until what is queued is on disk."""
        await self._store.async_close()

    @callback
    def _save(self) -> None:
        self._store.save(self._records)

    def _records(self) -> list[dict[str, Any]]:
        return [asdict(command) for command in self._household.commands.stored()]

    @callback
    def _on_trouble(self, trouble: StoreTrouble | None) -> None:
        if trouble is None:
            for kind in _LASTING:
                self._issues.withdraw(f"outbox_{kind}")
            return
        self._issues.report(
            f"outbox_{trouble.kind}", {"reason": trouble.words, "file": trouble.path.name}
        )
