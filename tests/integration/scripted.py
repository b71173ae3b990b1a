"""Brokers that go only as far as a test wants."""

import asyncio
from collections.abc import Sequence

CONNACK = b"\x20\x02\x00\x00"
_CONNECT, _SUBSCRIBE, _SUBACK = 0x10, 0x82, 0x90
_LEVEL = 6  # in a CONNECT, after the length and the name of the protocol
_SERVER_REFERENCE = 0x1C


def refusal(code: int) -> bytes:
    """A CONNACK with a return code (MQTT 3.1.1 table 3.1)."""
    return bytes((0x20, 0x02, 0x00, code))


def refusal_5(code: int, server: str = "") -> bytes:
    """A CONNACK with a reason code and perhaps a server reference (MQTT 5 section 3.2)."""
    reference = bytes((_SERVER_REFERENCE, *len(server).to_bytes(2))) + server.encode()
    properties = reference if server else b""
    return bytes((0x20, 3 + len(properties), 0x00, code, len(properties))) + properties


class ScriptedBroker:
    """Answers CONNECT with `connack` and SUBSCRIBE with `codes`; None: not at all.

    With `hang_up` the connection is closed where the answer would be. It knows MQTT 3.1.1
    and, like many, answers anything newer with code 1; `version` 5 makes it know that alone.
    """

    def __init__(
        self,
        *,
        connack: bytes | None = CONNACK,
        codes: Sequence[int] | None = None,
        hang_up: bool = False,
        version: int = 4,
    ) -> None:
        self.port = 0
        self.connections = 0
        self.reached = asyncio.Event()
        self.open_connections = 0
        self._connack = connack
        self._codes = codes
        self._hang_up = hang_up
        self._version = version
        self._server: asyncio.Server | None = None
        self._writers: set[asyncio.StreamWriter] = set()

    async def start(self) -> None:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        assert self._server is not None
        self._server.close()
        for writer in tuple(self._writers):
            writer.close()
        await self._server.wait_closed()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writers.add(writer)
        self.connections += 1
        self.reached.set()
        self.open_connections += 1
        try:
            await self._talk(reader, writer)
        except ConnectionError, asyncio.IncompleteReadError:
            pass
        finally:
            self.open_connections -= 1
            self._writers.discard(writer)
            writer.close()

    async def _talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            head, packet = await _read_packet(reader)
            answer: bytes | None = None
            if head == _CONNECT and packet[_LEVEL] > self._version and self._connack is not None:
                writer.write(refusal(1))
                return
            if head == _CONNECT:
                answer = self._connack
            elif head == _SUBSCRIBE and self._codes is not None:
                answer = bytes((_SUBACK, 2 + len(self._codes), *packet[:2], *self._codes))
            if answer is not None:
                writer.write(answer)
            elif self._hang_up:
                return


async def _read_packet(reader: asyncio.StreamReader) -> tuple[int, bytes]:
    head = (await reader.readexactly(1))[0]
    length = shift = 0
    while True:
        digit = (await reader.readexactly(1))[0]
        length |= (digit & 0x7F) << shift
        if not digit & 0x80:
            return head, await reader.readexactly(length)
        shift += 7
