"""A program that listens to Home Assistant as a browser does."""

import asyncio
from itertools import pairwise
import json
import time
from typing import Any

import aiohttp

from .channel import private_output, serve_async


class Browser:
    """One WebSocket that is told of every entity, several messages a frame."""

    def __init__(self, session: aiohttp.ClientSession) -> None:
        self._session = session
        self._socket: aiohttp.ClientWebSocketResponse | None = None
        self._task: asyncio.Task[None] | None = None
        self._seen: dict[str, list[int]] = {}

    async def open(self, url: str, token: str) -> None:
        """Sign in and subscribe as Home Assistant's frontend does."""
        self._socket = await self._session.ws_connect(f"{url}/api/websocket", max_msg_size=0)
        await self._socket.receive_json()
        await self._socket.send_json({"type": "auth", "access_token": token})
        await self._socket.receive_json()
        features = {"coalesce_messages": 1}
        await self._socket.send_json({"id": 1, "type": "supported_features", "features": features})
        await self._socket.send_json({"id": 2, "type": "subscribe_entities"})
        self._task = asyncio.create_task(self._read(self._socket))

    async def clear(self) -> None:
        """Forget what came until now."""
        self._seen = {}

    async def report(self, begin: int, end: int) -> dict[str, Any]:
        """Tell how long the longest wait of any sensor was, and whether we still are connected."""
        inside = {
            entity: [begin, *(at for at in times if begin < at < end), end]
            for entity, times in self._seen.items()
            if entity.startswith("sensor.")
        }
        gaps = [later - earlier for times in inside.values() for earlier, later in pairwise(times)]
        return {
            "connected": self._task is not None and not self._task.done(),
            "updates": sum(len(times) - 2 for times in inside.values()),
            "sensors": len(inside),
            "gap": max(gaps, default=0) / 1e9,
        }

    async def close(self) -> None:
        """Leave."""
        if self._socket is not None:
            await self._socket.close()

    async def _read(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        async for message in socket:
            now = time.monotonic_ns()
            content = json.loads(message.data)
            for each in content if isinstance(content, list) else [content]:
                for entity in each.get("event", {}).get("c", {}):
                    self._seen.setdefault(entity, []).append(now)


async def _run() -> None:
    output = private_output()
    async with aiohttp.ClientSession() as session:
        browser = Browser(session)
        await serve_async(
            {
                "open": browser.open,
                "clear": browser.clear,
                "report": browser.report,
                "close": browser.close,
            },
            output,
        )


def main() -> None:
    """Run until the driver is done."""
    asyncio.run(_run())


if __name__ == "__main__":
    main()
