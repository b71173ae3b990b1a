"""One MQTT connection, from the name look-up to the goodbye; never used twice."""

import asyncio
from collections.abc import Callable
import contextlib
from dataclasses import replace
import ssl
from typing import cast, override

from ..errors import (
    Cause,
    CongestedError,
    ConnectError,
    HomeSyncError,
    MalformedPacketError,
    NotConnectedError,
    Step,
    TooLargeError,
)
from ..records import Publication
from .engine import Engine, OnAnswer
from .flow import FlowControl
from .packets import Answer, BrokerLimits, Connack
from .pending import PendingAnswers
from .reader import PacketReader
from .reasons import TIMEOUT_WORDS, reason_of
from .settings import BrokerSettings
from .statistics import Traffic
from .streams import certificate_expires, insecure, open_stream
from .tcp import quick_acknowledgement
from .terms import HIGHEST_QOS, Receiver, Subscriptions, Terms
from .watch import Watch, Watched
from .websocket import WebSocketTransport

_PINGREQ = b"\xc0\x00"
_PINGRESP = b"\xd0\x00"
_UNSUBACK_WITHIN = 1.0
_SUBACK_WITHIN = 10.0
_ALERT_WITHIN = 0.5
# A PUBACK for each packet id that there is: no broker may have more messages open.
_MOST_ACKS = 65_535 * 4


class Connection(asyncio.Protocol):
    """Connects, subscribes, keeps alive and ends one connection.

    `closed` is done when the connection is no more, with the reason as its result;
    `traffic` counts on from connection to connection.
    """

    def __init__(
        self,
        settings: BrokerSettings,
        terms: Terms,
        subscriptions: Subscriptions,
        receiver: Receiver,
        traffic: Traffic | None = None,
    ) -> None:
        loop = asyncio.get_running_loop()
        settings = replace(
            settings.lowered(retain=terms.retain, qos=terms.qos), keepalive=terms.keepalive
        )
        self.closed: asyncio.Future[ConnectError] = loop.create_future()
        self.terms = terms
        self.connack: Connack | None = None
        self._now = loop.time
        self._call_soon = loop.call_soon
        self._acks = b""
        self._full = False
        self._flow = FlowControl()
        self._settings = settings
        self._subscriptions = subscriptions
        self._traffic = traffic = traffic or Traffic()
        self._receiver = receiver
        self._step = Step.RESOLVE
        self._transport: asyncio.Transport | None = None
        self._acknowledge_quickly: Callable[[], object] = bool
        self._websocket: WebSocketTransport | None = None
        self._answers = PendingAnswers()
        self._reader = PacketReader(
            _refuse_early, self._on_packet, receiver.on_oversize, terms.version, traffic
        )
        self._engine = Engine(
            settings,
            terms.version,
            self._write,
            self,
            terms.window,
            retain=terms.retain,
            qos=terms.qos,
            traffic=traffic,
        )
        watched = Watched(
            ping=lambda: self._write(_PINGREQ),
            give_up=lambda words: self._fail(Cause.SILENT, words),
            reading=lambda: self._flow.reading,
            window_full=lambda: self._engine.window_full,
        )
        self._watch = Watch(watched, terms.keepalive)

    @property
    def limits(self) -> BrokerLimits:
        """What the broker announced."""
        return self._engine.limits

    @property
    def certificate_expires(self) -> float | None:
        """When the broker's certificate ends, in seconds since the epoch; None if unknown."""
        return certificate_expires(self._transport) if self._transport is not None else None

    async def open(self, deadline: float) -> None:
        """Connect and subscribe within `deadline` seconds, or raise ConnectError."""
        try:
            async with asyncio.timeout(deadline):
                await self._open()
        except TimeoutError:
            error = ConnectError(Cause.TIMED_OUT, self._step, TIMEOUT_WORDS[self._step])
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
        self._watch.start()

    def publish(
        self, message: Publication, on_answer: OnAnswer | None = None, *, wait: bool = True
    ) -> None:
        """Send a message; `on_answer` is told the broker's code if it is QoS 1.

        Raises NotConnectedError, CongestedError or TooLargeError if it was not sent; without
        `wait` also when the broker must first acknowledge others; InvalidSettingError for a
        topic that no broker takes.
        """
        if self.closed.done():
            raise NotConnectedError("not connected")
        self._engine.publish(message, on_answer, wait=wait)
        self._watch.sent()

    async def listen_in(self, filters: tuple[str, ...]) -> bool:
        """Subscribe to more; return whether the broker grants all of it.

        Raises NotConnectedError if the connection ends meanwhile, CongestedError if the
        broker does not answer.
        """
        packet_id = self._use(self._engine.subscribe, [(each, 0) for each in filters])
        try:
            async with asyncio.timeout(_SUBACK_WITHIN):
                codes = await self._answers.expect(f"suback{packet_id}")
        except TimeoutError:
            self.leave_off(filters)
            raise CongestedError("the broker did not answer the SUBSCRIBE") from None
        except ConnectError as err:
            raise NotConnectedError("not connected") from err
        granted = len(codes) == len(filters) and max(codes) <= HIGHEST_QOS
        if not granted:
            self.leave_off(filters)
        return granted

    def leave_off(self, filters: tuple[str, ...]) -> None:
        """Take back what `listen_in` subscribed to; nobody waits for the answer."""
        with contextlib.suppress(NotConnectedError):
            self._use(self._engine.unsubscribe, filters)

    async def close(self, goodbye: float) -> None:
        """Say goodbye and wait until it is out, at most `goodbye` seconds."""
        try:
            async with asyncio.timeout(goodbye):
                if not self.closed.done():
                    await self._say_goodbye()
                await asyncio.shield(self.closed)
        except TimeoutError, HomeSyncError:
            pass
        finally:
            self._abort(ConnectError(Cause.CLOSED, self._step, "ended"))
        await self.wait_closed()

    async def wait_closed(self) -> None:
        """Return when nothing is left of a connection that has ended."""
        if self._websocket is not None:
            await self._websocket.wait_closed()

    def end(self, cause: Cause, words: str) -> None:
        """Give the connection up at once."""
        self._fail(cause, words)

    def pause_reading(self) -> None:
        """Take no more bytes until `resume_reading`: the broker waits."""
        self._flow.hold()

    def rest_reading(self, seconds: float) -> None:
        """Read nothing for a moment after the present read, unless it brought much."""
        self._flow.rest = seconds

    def resume_reading(self) -> None:
        """Take bytes again."""
        self._flow.release()

    @override
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        if isinstance(transport, WebSocketTransport):
            # Sends later, and sees to acknowledgements then.
            self._websocket = transport
        else:
            self._acknowledge_quickly = quick_acknowledgement(transport)

    @override
    def data_received(self, data: bytes) -> None:
        self._traffic.bytes_in += len(data)
        if self.closed.done():
            return
        self._watch.keepalive.received = self._now()
        acks = b""
        try:
            acks = self._reader.feed(data)
        except MalformedPacketError as err:
            self._fail(Cause.PROTOCOL_ERROR, f"the broker broke the rules of MQTT: {err}")
        if acks:
            if not self._acks:
                # Two turns later: whoever waits for an answer has his turn first, and Home
                # Assistant puts a task between. What comes until then goes along.
                self._call_soon(self._call_soon, self._send_acks)
            elif len(self._acks) > _MOST_ACKS:
                words = "the broker has more messages open than MQTT has packet ids"
                self._fail(Cause.PROTOCOL_ERROR, words)
            self._acks += acks
        if self._flow.rest:
            self._flow.after_read(len(data))

    @override
    def connection_lost(self, exc: Exception | None) -> None:
        if isinstance(exc, ssl.SSLError):
            # With TLS 1.3 a refused certificate of ours shows only after the handshake.
            self._abort(insecure(exc))
            return
        words = "the broker closed the connection"
        self._fail(Cause.CLOSED, words if exc is None else f"{words} ({type(exc).__name__})")

    @override
    def pause_writing(self) -> None:
        self._full = True
        self._engine.pause()

    @override
    def resume_writing(self) -> None:
        self._full = False
        with contextlib.suppress(NotConnectedError):
            self._use(self._engine.resume)
            self._watch.sent()
            self._send_acks()
            self._answers.take("room", ())

    def on_connack(self, connack: Connack) -> None:
        """Part of EngineEvents."""
        self.connack = connack
        if connack.code == 0 and self._transport is not None:
            self._reader.on_messages = self._receiver.on_messages
            # Not before, or CONNACK would not be read.
            self._flow.begin(self._transport, may_rest=self._websocket is None)
        self._answers.take("connack", (connack.code,))

    def on_puback(self) -> None:
        """Part of EngineEvents."""
        self._watch.acknowledged()

    def on_suback(self, answer: Answer) -> None:
        """Part of EngineEvents."""
        self._answers.take(f"suback{answer.packet_id}", answer.codes)

    def on_unsuback(self, answer: Answer) -> None:
        """Part of EngineEvents."""
        self._answers.take(f"unsuback{answer.packet_id}", answer.codes)

    def on_disconnect(self, code: int, server_reference: str | None) -> None:
        """Part of EngineEvents."""
        reason = reason_of(code)
        self._abort(ConnectError(reason.cause, self._step, reason.words, server_reference, code))

    async def _open(self) -> None:
        await open_stream(self._settings, self.terms.transport, self, self._enter)
        self._enter(Step.CONNACK)
        if self.terms.listen_first:
            await asyncio.wait((self.closed,), timeout=_ALERT_WITHIN)
        answered = self._answers.expect("connack")
        self._engine.connect()
        (code,) = await answered
        if code != 0:
            reason = reason_of(code)
            server = self.connack.server_reference if self.connack is not None else None
            raise ConnectError(reason.cause, Step.CONNACK, reason.words, server, code)
        if self.limits.keepalive:
            self._watch.change_interval(self.limits.keepalive)
        self._enter(Step.SUBSCRIBE)
        if filters := self._subscriptions.filters:
            codes = await self._answers.expect(f"suback{self._engine.subscribe(filters)}")
            self._subscriptions.check_granted(codes)
        if self._settings.birth is not None:
            # A broker that does not take it is of use all the same.
            with contextlib.suppress(CongestedError, TooLargeError):
                self._engine.publish(self._settings.birth)
        if self.closed.done():
            raise self.closed.result()

    async def _say_goodbye(self) -> None:
        self._send_acks()
        filters = self._subscriptions.names
        if filters and not self._settings.session_expiry:
            packet_id = self._engine.unsubscribe(filters)
            try:
                async with asyncio.timeout(_UNSUBACK_WITHIN):
                    await self._answers.expect(f"unsuback{packet_id}")
            except TimeoutError:
                pass
        if self._settings.farewell is not None:
            await self._room()
            await self._publish_and_wait(self._settings.farewell)
        await self._room()
        if self._transport is not None and not self.closed.done():
            self._engine.disconnect()
            self._transport.close()

    async def _room(self) -> None:
        """Send what waits; return when the stream takes more: paho keeps what it does not."""
        self._send_acks()
        while self._full:
            await self._answers.expect("room")
            self._send_acks()

    async def _publish_and_wait(self, message: Publication) -> None:
        answered = asyncio.Event()
        self.publish(message, lambda _: answered.set())
        if message.qos and self.limits.maximum_qos:
            await answered.wait()

    def _use[**P, R](self, method: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
        """Have the engine do something, or raise NotConnectedError."""
        if self.closed.done():
            raise NotConnectedError("not connected")
        try:
            return method(*args, **kwargs)
        except MalformedPacketError as err:
            self._fail(Cause.PROTOCOL_ERROR, str(err))
            raise NotConnectedError("not connected") from err

    def _enter(self, step: Step) -> None:
        self._step = step

    def _on_packet(self, packet: bytes) -> None:
        if packet == _PINGRESP:
            self._watch.keepalive.answered()
        else:
            self._engine.feed(packet)

    def _write(self, data: bytes) -> None:
        if self._transport is not None and not self._transport.is_closing():
            if self._acks and not self._full:
                # Behind, so that a command does not wait for them in the broker; before a
                # DISCONNECT, which nothing may follow, they were sent by themselves.
                data, self._acks = data + self._acks, b""
            self._watch.keepalive.sent = self._now()
            self._traffic.bytes_out += len(data)
            self._transport.write(data)
            self._acknowledge_quickly()

    def _send_acks(self) -> None:
        # While the stream is full they wait here, where they are counted.
        if self._acks and not self._full:
            acks, self._acks = self._acks, b""
            self._write(acks)

    def _fail(self, cause: Cause, words: str) -> None:
        self._abort(ConnectError(cause, self._step, words))

    def _abort(self, error: ConnectError) -> None:
        """End at once; the first reason wins."""
        self._reader.close()
        self._watch.stop()
        self._flow.end()
        if self._transport is not None:
            self._transport.abort()
            self._transport = None
        if self.closed.done():
            return
        self.closed.set_result(error)
        self._engine.give_up()
        self._answers.end(error)


def _refuse_early(_: object) -> None:
    raise MalformedPacketError("PUBLISH before CONNACK")
