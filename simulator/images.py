"""A small HTTPS server of firmware images and catalogues, good or bad, on the loopback."""

import asyncio
from dataclasses import dataclass
from hashlib import sha256
import ssl
from typing import Self

from aiohttp import web

from .info import Available

_CHUNK = 4096


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """What the server does wrong with one path; the default is nothing.

    redirect   to this URL instead
    wrong      other bytes, as many as promised
    extra      this many bytes too many
    slow       seconds before each 4 KiB but the first
    status     this HTTP status instead
    unsized    without Content-Length
    """

    redirect: str | None = None
    wrong: bool = False
    extra: int = 0
    slow: float = 0.0
    status: int = 200
    unsized: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Image:
    """What it serves under `url`."""

    url: str
    sha256: str
    size: int

    def available(self, version: str, notes: str | None = None) -> Available:
        """As a node announces it."""
        return Available(
            version=version, url=self.url, sha256=self.sha256, size=self.size, notes=notes
        )

    def order(self, version: str, request_id: str | None = None) -> dict[str, object]:
        """The payload of a command that installs it."""
        fields = {"action": "install", **self.available(version).as_json()}
        return fields if request_id is None else {**fields, "request_id": request_id}


class ImageServer:
    """Serves until stopped; `tls` is a server's context with the caller's certificate."""

    def __init__(self, tls: ssl.SSLContext, host: str = "127.0.0.1", port: int = 0) -> None:
        self.requests: list[str] = []
        self._tls = tls
        self._host = host
        self._port = port
        self._bodies: dict[str, bytes] = {}
        self._documents: dict[str, object] = {}
        self._faults: dict[str, Fault] = {}
        self._runner: web.AppRunner | None = None

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()

    async def start(self) -> None:
        """Listen; without a port any free one, kept over restarts."""
        application = web.Application()
        application.router.add_get("/{path:.*}", self._answer)
        # Who is slow on purpose does not end by itself.
        self._runner = web.AppRunner(
            application, access_log=None, handler_cancellation=True, shutdown_timeout=0.1
        )
        await self._runner.setup()
        await web.TCPSite(self._runner, self._host, self._port, ssl_context=self._tls).start()
        self._port = self._runner.addresses[0][1]

    async def stop(self) -> None:
        """End all connections."""
        runner, self._runner = self._runner, None
        if runner is not None:
            await runner.cleanup()

    def url(self, path: str, *, host: str | None = None) -> str:
        """Where a path is served, by default under the address it listens on."""
        return f"https://{host or self._host}:{self._port}/{path}"

    def serve(self, path: str, image: bytes, fault: Fault | None = None) -> Image:
        """Serve these bytes from now on; a fault does not show in what is returned."""
        self._bodies[path] = image
        self.spoil(path, fault)
        digest = sha256(image).hexdigest()
        return Image(url=self.url(path), sha256=digest, size=len(image))

    def serve_json(self, path: str, document: object) -> str:
        """Serve a JSON document, for instance a catalogue; returns its URL."""
        self._documents[path] = document
        return self.url(path)

    def spoil(self, path: str, fault: Fault | None) -> None:
        """Do this wrong from now on; None: nothing any more."""
        self._faults.pop(path, None)
        if fault is not None:
            self._faults[path] = fault

    async def _answer(self, request: web.Request) -> web.StreamResponse:
        path = request.match_info["path"]
        self.requests.append(path)
        fault = self._faults.get(path, Fault())
        if fault.redirect is not None:
            return web.Response(status=302, headers={"Location": fault.redirect})
        if fault.status != 200:
            return web.Response(status=fault.status)
        if path in self._documents:
            return web.json_response(self._documents[path])
        if path not in self._bodies:
            return web.Response(status=404)
        return await self._send(request, _spoilt(self._bodies[path], fault), fault)

    async def _send(self, request: web.Request, body: bytes, fault: Fault) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Type": "application/octet-stream"})
        if not fault.unsized:
            response.content_length = len(body)
        await response.prepare(request)
        for start in range(0, len(body), _CHUNK):
            if start and fault.slow:
                await asyncio.sleep(fault.slow)
            await response.write(body[start : start + _CHUNK])
        return response


def _spoilt(body: bytes, fault: Fault) -> bytes:
    if fault.wrong:
        body = bytes(byte ^ 0xFF for byte in body)
    return body + bytes(fault.extra)
