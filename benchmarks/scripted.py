"""A program that plays a broker over TLS and sends several messages in one TLS record."""

import asyncio
import ssl
import sys
import time
from typing import Any

from .channel import private_output, serve_async
from .packets import (
    CONNACK,
    CONNECT,
    LOOPBACK,
    PINGREQ,
    PINGRESP,
    PUBACK,
    PUBLISH,
    SUBACK,
    SUBSCRIBE,
    UNSUBACK,
    UNSUBSCRIBE,
    Packets,
    packet,
    read_publish,
    text,
)

_V5 = 5


class Client:
    """One connection to the broker."""

    def __init__(self, writer: asyncio.StreamWriter) -> None:
        self._writer = writer
        self._v5 = False

    def take(self, header: int, body: bytes) -> None:
        """Answer one packet."""
        match header & 0xF0:
            case _ if header & 0xF0 == CONNECT:
                self._v5 = body[6] == _V5
                self._send(CONNACK, b"\0\0" + self._properties)
            case _ if header == SUBSCRIBE:
                codes = bytes(1 for _ in self._filters(body))
                self._send(SUBACK, body[:2] + self._properties + codes)
            case _ if header == UNSUBSCRIBE:
                codes = bytes(0 for _ in self._filters(body, options=0)) if self._v5 else b""
                self._send(UNSUBACK, body[:2] + self._properties + codes)
            case _ if header & 0xF0 == PUBLISH:
                where, payload, packet_id = read_publish(header, body)
                if packet_id:
                    self._send(PUBACK, packet_id)
                # What HomeSync sends itself to prove the connection.
                if "/_echo/" in where:
                    self._send(PUBLISH, text(where) + payload)
            case _ if header == PINGREQ:
                self._send(PINGRESP, b"")

    def publish(self, messages: list[tuple[str, str]]) -> None:
        """Send messages in one write, which is one TLS record up to 16 KiB."""
        self._writer.write(
            b"".join(
                packet(PUBLISH, text(where) + self._properties + payload.encode())
                for where, payload in messages
            )
        )

    @property
    def _properties(self) -> bytes:
        return b"\0" if self._v5 else b""

    def _filters(self, body: bytes, options: int = 1) -> list[bytes]:
        position = 2
        if self._v5:
            position += 1 + body[2]
        found = []
        while position < len(body):
            size = int.from_bytes(body[position : position + 2])
            found.append(body[position + 2 : position + 2 + size])
            position += 2 + size + options
        return found

    def _send(self, header: int, body: bytes) -> None:
        self._writer.write(packet(header, body))


class Scripted:
    """The broker: knows no topics, tells everybody what the driver says."""

    def __init__(self, context: ssl.SSLContext) -> None:
        self._context = context
        self._clients: list[Client] = []
        self._server: asyncio.Server | None = None

    async def listen(self) -> int:
        """Begin; return the port."""
        self._server = await asyncio.start_server(self._serve, LOOPBACK, 0, ssl=self._context)
        port: int = self._server.sockets[0].getsockname()[1]
        return port

    async def one_by_one(self, messages: list[tuple[str, str]]) -> None:
        """Send messages each in a record of its own, with pauses."""
        for message in messages:
            for client in self._clients:
                client.publish([message])
            await asyncio.sleep(0.02)

    async def one_record(self, messages: list[tuple[str, str]]) -> dict[str, Any]:
        """Send messages in one record; tell when."""
        begin = time.monotonic_ns()
        for client in self._clients:
            client.publish(messages)
        return {"begin": begin}

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        client, packets = Client(writer), Packets()
        self._clients.append(client)
        try:
            while data := await reader.read(65536):
                for header, body in packets.feed(data):
                    client.take(header, body)
        finally:
            self._clients.remove(client)
            writer.close()


async def _run(certificate: str, key: str) -> None:
    output = private_output()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    scripted = Scripted(context)
    await serve_async(
        {
            "listen": scripted.listen,
            "one_by_one": scripted.one_by_one,
            "one_record": scripted.one_record,
        },
        output,
    )


def main() -> None:
    """Run until the driver is done: benchmarks.scripted CERTIFICATE KEY."""
    asyncio.run(_run(sys.argv[1], sys.argv[2]))


if __name__ == "__main__":
    main()
