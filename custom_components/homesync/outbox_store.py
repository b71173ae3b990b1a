"""Where the waiting commands of a household rest while Home Assistant does not run.

Home Assistant's `Store` forgets what it could not write. This one keeps asking for the
commands and trying until they are on disk, and says so meanwhile.

A file that was not taken over by `async_load` is never overwritten: before the first
write it is set aside, and while that is impossible nothing is written.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
import logging
from pathlib import Path
import stat
from typing import Any, Final

from homeassistant.core import CALLBACK_TYPE, HassJob, HomeAssistant, callback
from homeassistant.helpers.event import async_call_later
from homeassistant.helpers.json import json_bytes
from homeassistant.helpers.storage import STORAGE_DIR
from homeassistant.util.file import WriteError, write_utf8_file_atomic
from homeassistant.util.json import json_loads

from .const import DOMAIN
from .set_aside import all_aside, set_aside

_LOGGER = logging.getLogger(__name__)

_VERSION: Final = 1
_LARGEST: Final = 5 * 1024 * 1024
_RETRY_AFTER: Final = 60.0

# Why a file is set aside that nobody could read when its commands were needed.
_UNREAD: Final = "it could not be read in time"

type Record = dict[str, Any]


class TroubleKind(StrEnum):
    """What may be wrong with the file; all but the first last until they are taken back."""

    SET_ASIDE = "set_aside"  # its commands are lost; the file lies at `path`
    UNREADABLE = "unreadable"  # it is in the way: nothing is written before it can be read
    NOT_WRITTEN = "not_written"  # what waits is in memory only; tried again
    NOT_STORABLE = "not_storable"  # some commands cannot be written as JSON; the others are


@dataclass(frozen=True, slots=True)
class StoreTrouble:
    """What happened, in words without content of the file, and which file it is about."""

    kind: TroubleKind
    words: str
    path: Path


class _DamagedError(Exception):
    """The file can be read but not used; says why."""


class OutboxStore:
    """Reads once, writes whenever asked to, one write at a time; all of it in the event loop.

    `on_trouble` gets each trouble once, and None when the last lasting one is over; a
    file that was set aside stays there. `retry_after` is in seconds.
    """

    def __init__(
        self,
        hass: HomeAssistant,
        entry_id: str,
        on_trouble: Callable[[StoreTrouble | None], None],
        *,
        retry_after: float = _RETRY_AFTER,
    ) -> None:
        self.path = Path(hass.config.path(STORAGE_DIR, f"{DOMAIN}.outbox.{entry_id}"))
        self.trouble: StoreTrouble | None = None
        self._hass = hass
        self._on_trouble = on_trouble
        self._retry_after = retry_after
        self._records: Callable[[], list[Record]] = list
        self._in_the_way: str | None = _UNREAD
        self._asked = 0
        self._done = 0
        self._closed = False
        self._writer: asyncio.Task[None] | None = None
        self._retry: CALLBACK_TYPE | None = None

    async def async_load(self) -> list[Record]:
        """Return what was waiting; a file that is no use is set aside and gives nothing."""
        try:
            records = await self._hass.async_add_executor_job(_read, self.path)
        except _DamagedError as err:
            self._in_the_way = str(err)
            try:
                await self._set_aside()
            except OSError as failed:
                words = f"{err}, and it cannot be set aside: {_words(failed)}"
                self._tell(StoreTrouble(TroubleKind.UNREADABLE, words, self.path))
            return []
        except OSError as err:
            self._tell(StoreTrouble(TroubleKind.UNREADABLE, _words(err), self.path))
            return []
        self._in_the_way = None
        return records

    @callback
    def save(self, records: Callable[[], list[Record]]) -> None:
        """Write what `records` returns, soon; it is asked again if that fails.

        Whatever is asked for before the writing begins becomes one write.
        """
        if self._closed:
            return
        self._records = records
        self._asked += 1
        if self._retry is None:
            self._start_writer()

    async def async_flush(self) -> bool:
        """Wait for the disk; False if it does not take what was asked for, even now."""
        if self._done != self._asked:
            self._cancel_retry()
            self._start_writer()
        if self._writer is not None:
            # Not awaited itself: a caller who gives up must not cancel the writing.
            await asyncio.wait((self._writer,))
        return self._done == self._asked

    async def async_close(self) -> bool:
        """Flush, and save nothing more afterwards."""
        self._closed = True
        written = await self.async_flush()
        self._cancel_retry()
        return written

    async def async_remove(self) -> None:
        """Delete the file and all that were set aside; the household is gone."""
        self._closed = True
        self._done = self._asked
        self._cancel_retry()
        if self._writer is not None:
            await asyncio.wait((self._writer,))
        try:
            await self._hass.async_add_executor_job(_delete, self.path)
        except OSError as err:
            _LOGGER.warning("%s could not be deleted: %s", self.path, _words(err))

    async def _set_aside(self) -> None:
        """Take the file that is in the way out of it; OSError while that is impossible."""
        aside = await self._hass.async_add_executor_job(set_aside, self.path)
        why, self._in_the_way = self._in_the_way, None
        if aside is not None and why is not None:
            self._tell(StoreTrouble(TroubleKind.SET_ASIDE, why, aside))

    def _start_writer(self) -> None:
        if self._writer is None:
            # Not eager, so that everything that is asked for in this turn is one write.
            self._writer = self._hass.async_create_task(
                self._write_all(), f"write {self.path.name}", eager_start=False
            )

    async def _write_all(self) -> None:
        try:
            while self._done != self._asked:
                asked = self._asked
                content, lost = _serialised(self._records())
                if not await self._write(content):
                    return
                self._done = asked
                self._written(lost)
        finally:
            self._writer = None

    async def _write(self, content: bytes) -> bool:
        """Try once; on failure arrange for the next try."""
        try:
            if self._in_the_way is not None:
                await self._set_aside()
            await self._hass.async_add_executor_job(_write, self.path, content)
        except (OSError, WriteError) as err:
            way_free = self._in_the_way is None
            kind = TroubleKind.NOT_WRITTEN if way_free else TroubleKind.UNREADABLE
            self._tell(StoreTrouble(kind, _words(err), self.path))
            if not self._closed:
                self._retry = async_call_later(
                    self._hass, self._retry_after, HassJob(self._again, cancel_on_shutdown=True)
                )
            return False
        return True

    @callback
    def _again(self, _now: object) -> None:
        self._retry = None
        self._start_writer()

    def _written(self, lost: int) -> None:
        if lost:
            words = f"{lost} commands cannot be written as JSON"
            self._tell(StoreTrouble(TroubleKind.NOT_STORABLE, words, self.path))
        elif self.trouble is not None:
            _LOGGER.info("%s is written again", self.path)
            self.trouble = None
            self._on_trouble(None)

    def _cancel_retry(self) -> None:
        if self._retry is not None:
            self._retry()
            self._retry = None

    def _tell(self, trouble: StoreTrouble) -> None:
        """Tell what is new; a file set aside is told and done with."""
        if trouble == self.trouble:
            return
        if trouble.kind is not TroubleKind.SET_ASIDE:
            self.trouble = trouble
        _LOGGER.warning("%s: %s (%s)", trouble.path, trouble.words, trouble.kind)
        self._on_trouble(trouble)


def _read(path: Path) -> list[Record]:
    """Return the commands in the file; no file, no commands."""
    try:
        status = path.stat()
        if not stat.S_ISREG(status.st_mode):
            raise _DamagedError("it is no file")
        if status.st_size > _LARGEST:
            raise _DamagedError(f"it is larger than {_LARGEST} bytes")
        return _commands_in(path.read_bytes())
    except FileNotFoundError:
        return []


def _commands_in(content: bytes) -> list[Record]:
    try:
        found = json_loads(content)
    except ValueError:
        raise _DamagedError("it is not JSON, or cut off") from None
    if not isinstance(found, dict) or type(version := found.get("version")) is not int:
        raise _DamagedError("it does not hold what this integration writes")
    if version > _VERSION:
        raise _DamagedError(f"a newer version of the integration wrote it (format {version})")
    commands = found.get("commands")
    if version < _VERSION or not isinstance(commands, list):
        raise _DamagedError("it does not hold what this integration writes")
    records = [each for each in commands if isinstance(each, dict)]
    if len(records) != len(commands):
        raise _DamagedError("it does not hold a list of commands")
    return records


def _serialised(records: list[Record]) -> tuple[bytes, int]:
    """Return the file's content, and how many records it had to leave out."""
    lost = 0
    try:
        content = json_bytes({"version": _VERSION, "commands": records})
    except TypeError:
        storable = [each for each in records if _is_storable(each)]
        lost = len(records) - len(storable)
        content = json_bytes({"version": _VERSION, "commands": storable})
    return content, lost


def _is_storable(record: Record) -> bool:
    try:
        json_bytes(record)
    except TypeError:
        return False
    return True


def _write(path: Path, content: bytes) -> None:
    path.parent.mkdir(exist_ok=True)
    write_utf8_file_atomic(str(path), content, private=True, mode="wb")


def _delete(path: Path) -> None:
    for each in (path, *all_aside(path)):
        each.unlink(missing_ok=True)


def _words(error: Exception) -> str:
    """Say why without the names of temporary files."""
    cause = error.__cause__ if isinstance(error, WriteError) else error
    return (isinstance(cause, OSError) and cause.strerror) or type(cause).__name__
