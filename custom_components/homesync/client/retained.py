"""What a broker keeps for a household: listened for over some seconds, only when asked."""

import asyncio
from collections.abc import Awaitable, Callable

from .transport.session import MqttSession

_STEP = 0.5
_QUIET = 1.0  # seconds without a retained message after which there are no more
_MOST = 10.0
_MOST_TOPICS = 10_000


class RetainedScan:
    """Collects the topics of retained messages on filters that are subscribed for a moment."""

    def __init__(self, session: MqttSession, sleep: Callable[[float], Awaitable[None]]) -> None:
        self._session = session
        self._sleep = sleep
        self._one_at_a_time = asyncio.Lock()
        self._found: dict[str, int] | None = None
        self._wanted: Callable[[str], bool] = _all

    def received(self, topic: bytes, payload: bytes) -> None:
        """Take note of a retained message if a scan is under way."""
        if self._found is None or not payload or len(self._found) >= _MOST_TOPICS:
            return
        name = topic.decode("utf-8", "replace")
        if self._wanted(name):
            self._found[name] = len(payload)

    async def find(
        self, *filters: str, wanted: Callable[[str], bool] | None = None
    ) -> dict[str, int] | None:
        """Return topic → bytes of what is retained, None if the broker does not let us look.

        Of overlapping filters brokers send what the others match, too: `wanted` picks.
        Raises NotConnectedError if there is no connection, or none any more.
        """
        async with self._one_at_a_time:
            found: dict[str, int] = {}
            self._found, self._wanted = found, wanted or _all
            try:
                if not await self._session.listen_in(filters):
                    return None
                await self._wait(found)
            finally:
                # Also if nobody waits for it any more: what is overheard is all traffic.
                self._session.leave_off(filters)
                self._found = None
        return found

    async def _wait(self, found: dict[str, int]) -> None:
        waited = quiet = 0.0
        known = 0
        while waited < _MOST and quiet < _QUIET:
            await self._sleep(_STEP)
            waited += _STEP
            quiet = quiet + _STEP if len(found) == known else 0.0
            known = len(found)


def _all(_: str) -> bool:
    return True
