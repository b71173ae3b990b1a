"""One MQTT connection, from the name look-up to the goodbye; never used twice."""

import asyncio
from collections.abc import Callable, Sequence
from typing import cast, override

from ..errors import Cause, ConnectError, MalformedPacketError, NotConnectedError, Step
from ..records import Publication
from .engine import Engine
from .keepalive import KeepAlive, Verdict
from .reader import OnPublish, PacketReader
from .reasons import SUBACK_FAILURE, connack_cause
from .settings import BrokerSettings
from .streams import open_stream

type Filters = Sequence[tuple[str, int]]

_PINGREQ = b"\xc0\x00"
_PINGRESP = b"\xd0\x00"
# Bytes that came while the loop was blocked are read before a silence is judged.
_SECOND_LOOK = 0.05
_UNSUBACK_WITHIN = 1.0


class Receiver:
    """Where a connection hands what it received; replaced by the session's owner."""

    def __init__(
        self,
        on_publish: OnPublish,
        on_batch: Callable[[], None],
        on_oversize: Callable[[bytes], None],
    ) -> None:
        self.on_publish = on_publish
        self.on_batch = on_batch
        self.on_oversize = on_oversize


class Connection(asyncio.Protocol):
    """Connects, subscribes, keeps alive and ends one connection.

    `closed` is done when the connection is no more, with the reason as its result.
    """

    def __init__(self, settings: BrokerSettings, filters: Filters, receiver: Receiver) -> None:
        loop = asyncio.get_running_loop()
        self.closed: asyncio.Future[ConnectError] = loop.create_future()
        self._loop = loop
        self._settings = settings
        self._filters = filters
        self._receiver = receiver
        self._step = Step.RESOLVE
        self._transport: asyncio.Transport | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._doubted = False
        self._answers: dict[str, asyncio.Future[list[int]]] = {}
        self._reader = PacketReader(_refuse_early, self._on_packet, receiver.on_oversize)
        self._engine = Engine(
            settings,
            self._write,
            on_connack=self._on_connack,
            on_suback=lambda packet_id, codes: self._answer(f"suback{packet_id}", codes),
            on_unsuback=lambda packet_id: self._answer(f"unsuback{packet_id}", []),
        )
        self._keepalive = KeepAlive(settings.keepalive, loop.time())

    async def open(self, deadline: float) -> None:
        """Connect and subscribe within `deadline` seconds, or raise ConnectError."""
        try:
            async with asyncio.timeout(deadline):
                await self._open()
        except TimeoutError:
            error = ConnectError(Cause.TIMED_OUT, self._step, _TIMEOUT_WORDS[self._step])
            self._abort(error)
            raise error from None
        except MalformedPacketError as err:
            error = ConnectError(Cause.PROTOCOL_ERROR, self._step, str(err))
            self._abort(error)
            raise error from err
        except ConnectError as err:
            self._abort(err)
            raise
        except BaseException:
            self._abort(ConnectError(Cause.CLOSED, self._step, "given up"))
            raise
        self._step = Step.LINK
        self._watch()

    def publish(self, message: Publication) -> None:
        """Send a message; raises NotConnectedError or CongestedError if it was not sent."""
        if self.closed.done():
            raise NotConnectedError("not connected")
        try:
            self._engine.publish(message)
        except MalformedPacketError as err:
            self._fail(Cause.PROTOCOL_ERROR, str(err))
            raise NotConnectedError("not connected") from err

    async def close(self, goodbye: float) -> None:
        """Unsubscribe, send DISCONNECT and wait until it is out, at most `goodbye` seconds."""
        try:
            async with asyncio.timeout(goodbye):
                if not self.closed.done():
                    await self._say_goodbye()
                await asyncio.shield(self.closed)
        except TimeoutError, MalformedPacketError, ConnectError:
            pass
        finally:
            self._abort(ConnectError(Cause.CLOSED, self._step, "ended"))

    def pause_reading(self) -> None:
        """Take no more bytes until `resume_reading`: the broker waits."""
        if self._transport is not None:
            self._transport.pause_reading()

    def resume_reading(self) -> None:
        """Take bytes again."""
        if self._transport is not None:
            self._transport.resume_reading()

    @override
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)

    @override
    def data_received(self, data: bytes) -> None:
        if self.closed.done():
            return
        self._keepalive.received(self._loop.time())
        try:
            if acks := self._reader.feed(data):
                self._write(acks)
        except MalformedPacketError as err:
            self._fail(Cause.PROTOCOL_ERROR, f"the broker broke the rules of MQTT: {err}")
        finally:
            self._receiver.on_batch()

    @override
    def connection_lost(self, exc: Exception | None) -> None:
        words = "the broker closed the connection"
        self._fail(Cause.CLOSED, words if exc is None else f"{words} ({type(exc).__name__})")

    @override
    def pause_writing(self) -> None:
        self._engine.pause()

    @override
    def resume_writing(self) -> None:
        try:
            self._engine.resume()
        except MalformedPacketError as err:
            self._fail(Cause.PROTOCOL_ERROR, str(err))

    async def _open(self) -> None:
        await open_stream(self._settings, self, self._enter)
        self._enter(Step.CONNACK)
        connack = self._expect("connack")
        self._engine.connect()
        (code,) = await connack
        if code != 0:
            cause, words = connack_cause(code)
            raise ConnectError(cause, Step.CONNACK, words)
        self._enter(Step.SUBSCRIBE)
        if self._filters:
            codes = await self._expect(f"suback{self._engine.subscribe(self._filters)}")
            self._check_granted(codes)

    def _check_granted(self, codes: list[int]) -> None:
        if len(codes) != len(self._filters):
            raise ConnectError(Cause.PROTOCOL_ERROR, Step.SUBSCRIBE, "SUBACK of the wrong length")
        for (topic_filter, _), code in zip(self._filters, codes, strict=True):
            if code >= SUBACK_FAILURE:
                raise ConnectError(
                    Cause.SUBSCRIPTION_REFUSED,
                    Step.SUBSCRIBE,
                    f"the broker does not allow to subscribe to {topic_filter}",
                )

    async def _say_goodbye(self) -> None:
        if self._filters:
            packet_id = self._engine.unsubscribe(
                [topic_filter for topic_filter, _ in self._filters]
            )
            try:
                async with asyncio.timeout(_UNSUBACK_WITHIN):
                    await self._expect(f"unsuback{packet_id}")
            except TimeoutError:
                pass
        if self._transport is not None and not self.closed.done():
            self._engine.disconnect()
            self._transport.close()

    def _enter(self, step: Step) -> None:
        self._step = step

    def _expect(self, answer: str) -> asyncio.Future[list[int]]:
        future = self._answers[answer] = self._loop.create_future()
        if self.closed.done():
            future.set_exception(self.closed.result())
        return future

    def _answer(self, answer: str, codes: list[int]) -> None:
        future = self._answers.pop(answer, None)
        if future is not None and not future.done():
            future.set_result(codes)

    def _on_connack(self, code: int) -> None:
        if code == 0:
            self._reader.on_publish = self._receiver.on_publish
        self._answer("connack", [code])

    def _on_packet(self, packet: bytes) -> None:
        if packet == _PINGRESP:
            self._keepalive.answered()
        else:
            self._engine.feed(packet)

    def _write(self, data: bytes) -> None:
        if self._transport is not None and not self._transport.is_closing():
            self._keepalive.sent(self._loop.time())
            self._transport.write(data)

    def _watch(self) -> None:
        """Judge the silence now, and again when it is next due."""
        self._timer = None
        if self.closed.done():
            return
        now = self._loop.time()
        verdict = self._judge(now)
        wait = 0.0
        if verdict is Verdict.DEAD and self._doubted:
            self._fail(Cause.SILENT, "the broker does not answer pings any more")
            return
        self._doubted = verdict is Verdict.DEAD
        if verdict is Verdict.DEAD:
            wait = _SECOND_LOOK
        elif verdict is Verdict.PING:
            self._write(_PINGREQ)
            self._keepalive.pinged(now)
        self._timer = self._loop.call_at(max(now + wait, self._keepalive.due()), self._watch)

    def _judge(self, now: float) -> Verdict:
        verdict = self._keepalive.judge(now)
        if verdict is Verdict.DEAD and self._transport and not self._transport.is_reading():
            # The answer waits where we do not read; the broker wants pings all the same.
            return Verdict.PING
        return verdict

    def _fail(self, cause: Cause, words: str) -> None:
        self._abort(ConnectError(cause, self._step, words))

    def _abort(self, error: ConnectError) -> None:
        """End at once; the first reason wins."""
        self._reader.close()
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._transport is not None:
            self._transport.abort()
            self._transport = None
        if self.closed.done():
            return
        self.closed.set_result(error)
        for future in self._answers.values():
            if not future.done():
                future.set_exception(error)
                # Nobody may be waiting for it any more.
                future.exception()
        self._answers.clear()


def _refuse_early(_topic: bytes, _payload: bytes, _retained: bool) -> None:
    raise MalformedPacketError("PUBLISH before CONNACK")


_TIMEOUT_WORDS: dict[Step, str] = {
    Step.RESOLVE: "the broker's host name was not resolved in time",
    Step.TCP: "the broker does not answer",
    Step.TLS: "the broker did not finish the TLS handshake",
    Step.CONNACK: "the broker did not answer the CONNECT; is this an MQTT port?",
    Step.SUBSCRIBE: "the broker did not answer the SUBSCRIBE",
    Step.LINK: "the broker does not answer",
}
