"""One installation after another: download, check, write; the restart is left to the node."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from hashlib import sha256

from .behaviour import Behaviour
from .config import Updates
from .download import UpdateFailed, download
from .orders import Order

# Of the whole, in percent: a download takes most of the time.
_DOWNLOADED = 80
_VERIFIED = 90
_STEP = 10


@dataclass(frozen=True, slots=True)
class Update:
    """How far an installation is; no `percentage` while the size is unknown."""

    version: str
    stage: str
    percentage: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Reporting:
    """Whom an installation tells; `ended` gets the error, or None when a restart is due."""

    progress: Callable[[Update], None]
    ended: Callable[[str | None], None]
    behaviour: Callable[[], Behaviour]


class Updater:
    """Installs in a task of its own; `update` is what is under way."""

    def __init__(self, updates: Updates, reporting: Reporting) -> None:
        self.update: Update | None = None
        self._updates = updates
        self._reporting = reporting
        self._task: asyncio.Task[None] | None = None
        self._reminder: asyncio.TimerHandle | None = None

    def begin(self, order: Order) -> None:
        """Start; none may be under way."""
        self._task = asyncio.create_task(self._run(order))

    def interrupt(self) -> bool:
        """Give up what is under way; whether there was anything."""
        task = self._task
        if task is None or task.done():
            return False
        self._finish()
        task.cancel()
        return True

    async def wait_ended(self) -> None:
        """Return when nothing runs any more."""
        if self._task is not None:
            await asyncio.wait({self._task})

    async def _run(self, order: Order) -> None:
        failure = None
        try:
            await self._install(order)
        except UpdateFailed as error:
            failure = str(error)
        self._finish()
        self._task = None
        self._reporting.ended(failure)

    async def _install(self, order: Order) -> None:
        async def on_bytes(count: int, total: int | None) -> None:
            share = None if total is None else min(1.0, count / total)
            await self._advance(order, "downloading", share)

        await self._report(Update(order.version, "downloading", 0))
        failure = self._reporting.behaviour().ota_fail
        if failure is not None:
            raise UpdateFailed(failure)
        image = await download(order, self._updates, on_bytes)
        await self._report(Update(order.version, "verifying", _DOWNLOADED))
        if sha256(image).hexdigest() != order.sha256:
            raise UpdateFailed("hash mismatch")
        await self._report(Update(order.version, "writing", _VERIFIED))
        await self._report(Update(order.version, "restarting", 100))

    async def _advance(self, order: Order, stage: str, share: float | None) -> None:
        percentage = None
        if share is not None:
            percentage = int(share * _DOWNLOADED) // _STEP * _STEP
        update = Update(order.version, stage, percentage)
        if update != self.update and percentage != _DOWNLOADED:
            await self._report(update)

    async def _report(self, update: Update) -> None:
        stall = self._reporting.behaviour().ota_stall
        percentage = update.percentage or 0
        if not stall or percentage <= stall:
            self.update = update
            self._tell()
        if stall and percentage >= stall:
            self._be_silent()
            await asyncio.Event().wait()

    def _tell(self) -> None:
        self._be_silent()
        if self.update is not None:
            self._reporting.progress(self.update)
            pause = self._updates.progress_every
            self._reminder = asyncio.get_running_loop().call_later(pause, self._tell)

    def _be_silent(self) -> None:
        if self._reminder is not None:
            self._reminder.cancel()

    def _finish(self) -> None:
        self._be_silent()
        self.update = None
