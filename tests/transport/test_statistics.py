"""Statistics against those who count besides: a proxy in between, and the broker's own log."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, replace
import re
from typing import Any, override

import pytest

from custom_components.homesync.client import (
    BrokerSettings,
    CongestedError,
    ConnectionState,
    Delivery,
    Household,
    HouseholdSettings,
    HouseholdStatistics,
    InvalidSettingError,
    MqttVersion,
    NotConnectedError,
    Outcome,
    Publication,
    RelayAction,
    RelayCommand,
    Timing,
    TooLargeError,
)
from custom_components.homesync.client.transport.reader import Message
from custom_components.homesync.client.transport.statistics import Traffic
from tests.broker import Mosquitto
from tests.client.home import Stranger

from .chaos import Proxy
from .conftest import Serve
from .link import (
    ALL_WAYS,
    BOTH_VERSIONS,
    LOGGER,
    Means,
    PlainLink,
    ProbingLink,
    Way,
    settings,
    until,
)
from .packets import binary, publish
from .scripted import Peer
from .web import WebFront

ON = RelayCommand(RelayAction.ON)
NO_ECHO = Timing(echo_every=0)


@dataclass(slots=True)
class House:
    """A household whose bytes somebody counts, on a real broker."""

    household: Household
    proxy: Proxy
    mosquitto: Mosquitto
    client_id: str

    @property
    def told(self) -> HouseholdStatistics:
        return self.household.statistics.snapshot()

    @property
    def counted(self) -> tuple[int, int]:
        """Bytes as the proxy saw them: to the household, from the household."""
        return self.proxy.down.passed, self.proxy.up.passed

    def logged(self, what: str) -> int:
        """How often the broker says that it did something with the household."""
        return len(re.findall(what.replace("ME", self.client_id), self.mosquitto.log))

    async def connected(self) -> None:
        await until(lambda: self.household.link.state is ConnectionState.CONNECTED)

    async def settled(self) -> None:
        """Wait until the search for retained commands is over and every byte has arrived."""
        await until(lambda: self.logged("Received UNSUBSCRIBE from ME") >= 1)
        await self.equal()

    async def equal(self) -> None:
        def is_equal() -> bool:
            traffic = self.told.traffic
            return (traffic.bytes_received, traffic.bytes_sent) == self.counted

        await until(is_equal)


@asynccontextmanager
async def house(
    mosquitto: Mosquitto, means: Means, way: Way = Way.TCP, **changes: Any
) -> AsyncIterator[House]:
    """Behind a proxy that sees the bytes of MQTT packets whatever the way."""
    async with AsyncExitStack() as stack:
        tls = means.broker_tls if way is Way.TLS else None
        proxy = await stack.enter_async_context(Proxy(mosquitto.port, tls))
        port = proxy.port
        if way is Way.WSS:
            front = WebFront(proxy.port, means.broker_tls)
            port = (await stack.enter_async_context(front)).port
        chosen: BrokerSettings = means.settings(way, port, client_id="hs-counted", **changes)
        household = Household(
            HouseholdSettings(name="Villa", home_id="villa"), chosen, LOGGER, timing=NO_ECHO
        )
        stack.push_async_callback(household.stop)
        found = House(household, proxy, mosquitto, chosen.client_id)
        household.start()
        await found.connected()
        await found.settled()
        yield found


@ALL_WAYS
@BOTH_VERSIONS
async def test_bytes_are_those_that_a_proxy_counts_whatever_the_way(
    way: Way, version: int, mosquitto: Mosquitto, means: Means
) -> None:
    async with house(mosquitto, means, way, version=MqttVersion(version)) as villa:
        async with Stranger(mosquitto) as stranger:
            topic = "villa/nodes/plug-1/telemetry/power"
            for number in range(50):
                stranger.publish(topic, f'{{"value": {number}}}', qos=0)
            await until(lambda: villa.told.traffic.received.telemetry == 50)
        villa.household.publish(Publication("villa/note", b"x" * 1000))
        await until(lambda: villa.told.publishing.succeeded == 1)
        await villa.equal()
        received, sent = villa.counted
        assert received > 50 * 40
        assert sent > 1000
        await villa.household.stop()
        await villa.equal()
        assert villa.counted[1] > sent


@BOTH_VERSIONS
async def test_messages_are_those_that_the_broker_counts_by_qos_and_kind(
    version: int, mosquitto: Mosquitto, means: Means
) -> None:
    async with (
        house(mosquitto, means, version=MqttVersion(version)) as villa,
        Stranger(mosquitto) as node,
    ):
        for number in range(7):
            node.publish("villa/nodes/plug-1/telemetry/power", f'{{"value": {number}}}', qos=0)
            node.publish("villa/nodes/plug-1/telemetry/power", f'{{"value": {number}}}', qos=1)
        for number in range(5):
            node.publish("villa/nodes/plug-1/status/rssi", f'{{"rssi": -{number + 50}}}', qos=1)
        for number in range(3):
            node.publish("villa/nodes/plug-1/status/rssi", f'{{"rssi": -{number + 60}}}', qos=0)
        node.publish("villa/nodes/plug-1/response/command", "{}", qos=1)
        node.publish("villa/nodes/plug-1/status/unheard_of", "{}", qos=0)
        command = asyncio.create_task(
            villa.household.commands.execute("plug-1", ON, Delivery(timeout=0.05, retries=0))
        )
        assert (await command).outcome is Outcome.TIMED_OUT
        villa.household.publish(Publication("villa/note", b"", qos=0))
        villa.household.publish(Publication("villa/note", b"", qos=1))
        await until(lambda: villa.told.traffic.received.total == 24)
        await until(lambda: villa.told.publishing.succeeded == 3)
        received, sent = villa.told.traffic.received, villa.told.traffic.sent
    assert (received.qos0, received.qos1) == (18, 6)
    assert (received.telemetry, received.status, received.response) == (14, 8, 1)
    assert (received.command, received.other) == (0, 1)
    assert (sent.total, sent.qos0, sent.qos1) == (3, 1, 2)
    assert (sent.command, sent.other) == (1, 2)
    for qos, count in ((0, received.qos0), (1, received.qos1)):
        assert villa.logged(rf"Sending PUBLISH to ME \(d0, q{qos}") == count
    for qos, count in ((0, sent.qos0), (1, sent.qos1)):
        assert villa.logged(rf"Received PUBLISH from ME \(d0, q{qos}") == count


@BOTH_VERSIONS
async def test_what_we_sent_is_what_the_broker_has_received(
    version: int, start_mosquitto: Callable[..., Mosquitto]
) -> None:
    broker = start_mosquitto(settings=("sys_interval 1",))
    async with PlainLink(broker.port, version=MqttVersion(version)) as link:
        await link.connected()
        for number in range(40):
            link.session.publish(Publication("a/note", b"x" * number, number % 2))
        await until(lambda: link.session.traffic.acknowledged == 20)
        assert await link.session.listen_in(("$SYS/broker/#",))

        def told_by_the_broker(topic: str) -> int:
            values = [value for name, value, _ in link.messages if name == topic.encode()]
            return int(values[-1]) if values else 0

        traffic = link.session.traffic
        assert traffic.sent == 40
        await until(lambda: told_by_the_broker("$SYS/broker/bytes/received") == traffic.bytes_out)
        assert told_by_the_broker("$SYS/broker/publish/messages/received") == traffic.sent
        assert traffic.received == len(link.messages)


class CountingLink(PlainLink):
    """Notes how much was counted when so many messages had come."""

    def __init__(self, port: int, **changes: Any) -> None:
        super().__init__(port, **changes)
        self.counted: dict[int, Traffic] = {}

    @override
    def _receive(self, messages: list[Message]) -> None:
        super()._receive(messages)
        self.counted[len(self.messages)] = replace(self.session.traffic)


@pytest.mark.parametrize(
    ("topic", "figure"), [("publish/messages/sent", "received"), ("bytes/sent", "bytes_in")]
)
@BOTH_VERSIONS
async def test_what_we_received_is_what_the_broker_has_sent(
    version: int, topic: str, figure: str, start_mosquitto: Callable[..., Mosquitto]
) -> None:
    broker = start_mosquitto(settings=("sys_interval 1",))
    async with CountingLink(broker.port, version=MqttVersion(version)) as link:
        await link.connected()
        for number in range(40):
            link.session.publish(Publication("a/x/status/y", b"x" * number, number % 2))
        await until(lambda: link.session.traffic.acknowledged == 20)
        await until(lambda: len(link.messages) == 40)
        assert await link.session.listen_in((f"$SYS/broker/{topic}",))
        # The first is what the broker kept, the second tells of the first, and so on.
        await until(lambda: len(link.messages) == 43)
    told = [int(payload) for _, payload, _ in link.messages[41:]]
    assert told == [getattr(link.counted[messages], figure) for messages in (41, 42)]


async def test_probes_and_our_own_status_are_counted_like_everything_else(
    mosquitto: Mosquitto,
) -> None:
    status = Publication("villa/status", b"online", 1, True)
    villa = Household(
        HouseholdSettings(name="Villa", home_id="villa"),
        settings(mosquitto.port, birth=status, farewell=status),
        LOGGER,
        # The farewell is acknowledged, however long it takes.
        timing=Timing(goodbye=60),
    )
    villa.start()
    await until(lambda: villa.link.echo is not None)
    await until(lambda: villa.statistics.snapshot().publishing.succeeded == 4)
    told = villa.statistics.snapshot()
    assert told.traffic.received.other == told.traffic.received.total == 3
    assert told.traffic.sent.other == 4
    assert told.connection.round_trip is not None
    assert told.connection.url == f"mqtt://127.0.0.1:{mosquitto.port}"
    await villa.stop()
    assert villa.statistics.snapshot().traffic.sent.total == 5
    assert villa.statistics.snapshot().publishing.succeeded == 5


async def test_subscriptions_are_those_that_the_broker_has_granted(
    mosquitto: Mosquitto, means: Means
) -> None:
    async with house(mosquitto, means) as villa:
        await until(lambda: villa.told.connection.subscriptions == 3)
        await villa.household.stop()
        assert villa.told.connection.subscriptions == 0


async def test_connects_failures_and_disconnects_are_counted_by_cause(
    mosquitto: Mosquitto,
) -> None:
    async with Proxy(mosquitto.port) as proxy, ProbingLink(proxy.port) as link:
        history = link.session.history
        await link.connected()
        assert (history.connects, history.last_reason) == (1, None)
        assert history.since is not None
        proxy.reset()
        await until(lambda: history.connects == 2)
        link.session.reconnect()
        await until(lambda: history.connects == 3)
        mosquitto.stop()
        await link.failed(5)
        assert link.session.history.next_attempt is not None
        failed = history.failures.total()
        assert failed >= 3
        assert set(history.failures) <= {"closed", "refused"}
        mosquitto.start()
        link.go_on()
        await until(lambda: history.connects == 4)
        assert history.failures.total() >= failed
    assert history.disconnects == {"closed": 2, "left": 1, "stopped": 1}
    assert (history.last_reason, history.next_attempt, history.seconds) == ("stopped", None, 0.0)
    assert history.seconds_in_all > 0


async def test_a_refused_client_is_a_failure_by_the_brokers_word(serve: Serve) -> None:
    async def refuse(peer: Peer) -> None:
        await peer.connack(5)

    stage = await serve(refuse)
    async with PlainLink(stage.settings.port) as link:
        await link.failed(2)
        assert link.session.history.failures == {"not_authorised": 2}
        assert link.session.history.connects == 0
        assert not link.session.history.disconnects


async def test_a_message_that_the_broker_refuses_is_a_failure(
    start_mosquitto: Callable[..., Mosquitto], means: Means
) -> None:
    broker = start_mosquitto(acl="topic read homesync/villa/nodes/#\n")
    async with house(broker, means, version=MqttVersion.V5) as villa:
        villa.household.publish(Publication("not/allowed", b""))
        await until(lambda: villa.told.publishing.failed == 1)
        told = villa.told.publishing
    assert told.failures["refused"] == 1
    assert (told.succeeded, told.recent_failed, told.failure_rate) == (0, 1, 1.0)


async def test_what_was_never_sent_is_a_failure_by_cause(
    mosquitto: Mosquitto, means: Means
) -> None:
    async with house(mosquitto, means, maximum_packet=1000) as villa:
        with pytest.raises(TooLargeError):
            villa.household.publish(Publication("villa/note", b"x" * 1001))
        with pytest.raises(InvalidSettingError):
            villa.household.publish(Publication("homesync/villa/nodes/a/command/relay", b""))
        await villa.household.stop()
        with pytest.raises(NotConnectedError):
            villa.household.publish(Publication("villa/note", b""))
        told = villa.told
    assert {cause: times for cause, times in told.publishing.failures.items() if times} == {
        "too_large": 1,
        "not_connected": 1,
    }
    assert told.traffic.sent.total == told.publishing.succeeded == 0


async def test_a_message_whose_connection_ends_before_the_answer_is_a_failure(
    serve: Serve,
) -> None:
    async def deaf(peer: Peer) -> None:
        await peer.accept()
        await peer.serve(ack=False)

    stage = await serve(deaf)
    async with PlainLink(stage.settings.port) as link:
        await link.connected()
        link.session.publish(Publication("a", b""))
        link.session.publish(Publication("a", b"", qos=0))
        assert link.session.traffic.unanswered == 0
        stage.proxy.reset()
        await until(lambda: link.session.history.connects == 2)
        traffic = link.session.traffic
        assert (traffic.sent, traffic.sent_qos1) == (2, 1)
        assert (traffic.acknowledged, traffic.unanswered) == (0, 1)


async def test_only_a_congestion_that_loses_a_message_is_a_failure(serve: Serve) -> None:
    async def deaf(peer: Peer) -> None:
        await peer.accept()
        await peer.serve(ack=False)

    stage = await serve(deaf)
    async with PlainLink(stage.settings.port) as link:
        await link.connected()
        for _ in range(20):
            link.session.publish(Publication("a", b""), wait=False)
        with pytest.raises(CongestedError):
            link.session.publish(Publication("a", b""), wait=False)
        for _ in range(1000):
            link.session.publish(Publication("a", b""))
        assert link.session.traffic.congested == 0
        with pytest.raises(CongestedError):
            link.session.publish(Publication("a", b""))
        assert link.session.traffic.congested == 1
        assert link.session.traffic.sent == 20
    assert link.session.traffic.unanswered == 1020


@BOTH_VERSIONS
async def test_what_is_too_large_or_cut_into_pieces_is_counted_once(
    version: int, serve: Serve
) -> None:
    large = publish(version, b"a/b/telemetry/x", b"x" * 300_000, qos=1, packet_id=9)

    async def play(peer: Peer) -> None:
        await peer.accept()
        peer.send(large, publish(version, b"a/b/telemetry/x", b"y"))
        await peer.serve()

    stage = await serve(play)
    stage.proxy.down.pieces = 7_001
    async with PlainLink(stage.settings.port, version=MqttVersion(version)) as link:
        await until(lambda: link.payloads == [b"y"])
        traffic = link.session.traffic
        assert (traffic.received, traffic.received_qos1) == (2, 1)
        await until(lambda: traffic.bytes_in == stage.proxy.down.passed)


async def test_a_malformed_message_ends_the_count_where_it_ends_the_connection(
    serve: Serve,
) -> None:
    broken = publish(5, b"", b"x", properties=b"\x23\0\1")

    async def play(peer: Peer) -> None:
        await peer.accept()
        peer.send(publish(5, b"t", b"1", properties=b"\x03" + binary(b"text")), broken)
        peer.send(publish(5, b"t", b"2"))
        await peer.until_closed()

    stage = await serve(play)
    async with PlainLink(stage.settings.port, version=MqttVersion.V5) as link:
        await link.failed()
        history = link.session.history
        assert history.failures + history.disconnects == {"protocol_error": 1}
        assert link.session.traffic.received == 2
