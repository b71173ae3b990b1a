"""Home Assistant's events, over a WebSocket connection that stays."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import aiohttp

from .errors import DemoError

type Json = dict[str, Any]

_LARGEST = 16 * 1024 * 1024


class Watch:
    """Gives each event of the wanted types to `take`, as `{"event_type": …, "data": …}`."""

    def __init__(
        self, session: aiohttp.ClientSession, token: str, take: Callable[[Json], None]
    ) -> None:
        self._session = session
        self._token = token
        self._take = take

    async def run(self, *event_types: str, ready: asyncio.Event | None = None) -> None:
        """Watch until the connection ends; DemoError if it cannot begin."""
        async with self._session.ws_connect("/api/websocket", max_msg_size=_LARGEST) as socket:
            await socket.receive_json()
            await socket.send_json({"type": "auth", "access_token": self._token})
            if (await socket.receive_json())["type"] != "auth_ok":
                raise DemoError("Home Assistant refuses the access token")
            for number, event_type in enumerate(event_types, 1):
                subscription = {"type": "subscribe_events", "event_type": event_type}
                await socket.send_json({"id": number, **subscription})
            await self._read(socket, len(event_types), ready)

    async def _read(
        self, socket: aiohttp.ClientWebSocketResponse, wanted: int, ready: asyncio.Event | None
    ) -> None:
        async for frame in socket:
            message = frame.json()
            if message["type"] == "event":
                self._take(message["event"])
            elif message["type"] == "result":
                if not message["success"]:
                    raise DemoError(f"no subscription: {message['error']['message']}")
                wanted -= 1
                if not wanted and ready is not None:
                    ready.set()


@asynccontextmanager
async def watched(
    session: aiohttp.ClientSession, token: str, *event_types: str
) -> AsyncIterator[list[Json]]:
    """Give a list that grows by each event of these types."""
    events: list[Json] = []
    ready = asyncio.Event()
    watching = asyncio.create_task(
        Watch(session, token, events.append).run(*event_types, ready=ready)
    )
    beginning = asyncio.create_task(ready.wait())
    try:
        await asyncio.wait({watching, beginning}, return_when=asyncio.FIRST_COMPLETED)
        if watching.done():
            watching.result()
            raise DemoError("Home Assistant closed the WebSocket connection")
        yield events
    finally:
        watching.cancel()
        beginning.cancel()
        await asyncio.wait({watching, beginning})
