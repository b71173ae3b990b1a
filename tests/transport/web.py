"""A web server that offers a broker's TCP port as WebSocket, as a reverse proxy would."""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from ssl import SSLContext
from typing import Self

from aiohttp import WSMsgType, web

from .scripted import HOST


class WebFront:
    """Bridges WebSockets on `/mqtt` to a TCP port; `cut(data)` makes frames of bytes."""

    def __init__(
        self,
        target: int,
        tls: SSLContext | None = None,
        *,
        protocols: tuple[str, ...] = ("mqtt",),
        cut: Callable[[bytes], list[bytes]] = lambda data: [data],
    ) -> None:
        self.port = 0
        self.sockets: list[web.WebSocketResponse] = []
        self.headers: list[dict[str, str]] = []
        self.may_read = asyncio.Event()
        self.may_read.set()
        self._target = target
        self._tls = tls
        self._protocols = protocols
        self._cut = cut
        self._runner: web.AppRunner | None = None

    async def __aenter__(self) -> Self:
        app = web.Application()
        app.router.add_get("/mqtt", self._bridge)
        self._runner = web.AppRunner(app, shutdown_timeout=0.1)
        await self._runner.setup()
        site = web.TCPSite(self._runner, HOST, 0, ssl_context=self._tls)
        await site.start()
        self.port = self._runner.addresses[0][1]
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._runner is not None
        await self._runner.cleanup()

    async def _bridge(self, request: web.Request) -> web.StreamResponse:
        self.headers.append(dict(request.headers))
        websocket = web.WebSocketResponse(protocols=self._protocols, timeout=0.2)
        await websocket.prepare(request)
        self.sockets.append(websocket)
        reader, writer = await asyncio.open_connection(HOST, self._target)
        up = asyncio.create_task(self._up(websocket, writer))
        down = asyncio.create_task(self._down(reader, websocket))
        try:
            await asyncio.wait((up, down), return_when=asyncio.FIRST_COMPLETED)
        finally:
            up.cancel()
            down.cancel()
            writer.transport.abort()
            await asyncio.gather(up, down, return_exceptions=True)
            with suppress(ConnectionError):
                await websocket.close()
        return websocket

    async def _up(self, websocket: web.WebSocketResponse, writer: asyncio.StreamWriter) -> None:
        while True:
            await self.may_read.wait()
            message = await websocket.receive()
            if message.type is not WSMsgType.BINARY:
                return
            writer.write(message.data)
            await writer.drain()

    async def _down(self, reader: asyncio.StreamReader, websocket: web.WebSocketResponse) -> None:
        while data := await reader.read(65_536):
            for frame in self._cut(data):
                await websocket.send_bytes(frame)
