"""Telemetry in short windows only, so that what is left of a plan serves commands.

The broker is asked not to send it: what is dropped here would have been counted there.
"""

import asyncio

from .errors import HomeSyncError
from .transport.session import MqttSession
from .transport.state import ConnectionState

# A node that reports every 30 s is heard in each window; 30 s of 15 min are 3 %.
_WINDOW = 30.0
_BETWEEN = 870.0
# A window that a lost connection cut short is opened again, but a connection that never
# lasts must not take telemetry all the time.
_TRIES = 3
_TRY_AGAIN_AFTER = 10.0


class Thinning:
    """Leaves filters out of a session's subscriptions while `on`, but for the windows."""

    def __init__(self, session: MqttSession, filters: tuple[str, ...]) -> None:
        self.on = False
        self._session = session
        self._filters = filters
        self._task: asyncio.Task[None] | None = None

    def switch(self, *, on: bool) -> None:
        """Begin or end to thin; also before the session starts, and over its reconnects."""
        if on is self.on:
            return
        self.on = on
        self.stop()
        self._session.leave_out(self._filters if on else ())
        work = self._open_windows() if on else self._take_up()
        self._task = asyncio.get_running_loop().create_task(work, name="thinning")

    def stop(self) -> None:
        """End what is under way."""
        if self._task is not None:
            self._task.cancel()
            self._task = None

    async def _open_windows(self) -> None:
        if self._session.state is ConnectionState.CONNECTED:
            # What was heard until now need not be heard again at once.
            await asyncio.sleep(_BETWEEN)
        while True:
            for _ in range(_TRIES):
                await self._take_up()
                losses = self._session.history.disconnects.total()
                await asyncio.sleep(_WINDOW)
                if self._session.history.disconnects.total() == losses:
                    break
            self._session.leave_off(self._filters)
            await asyncio.sleep(_BETWEEN)

    async def _take_up(self) -> None:
        # Also after a failure: the connection that is being made leaves the filters out.
        subscribed = await self._subscribed()
        while not subscribed:
            await asyncio.sleep(_TRY_AGAIN_AFTER)
            subscribed = await self._subscribed()

    async def _subscribed(self) -> bool:
        try:
            return await self._session.listen_in(self._filters)
        except HomeSyncError:
            return False
