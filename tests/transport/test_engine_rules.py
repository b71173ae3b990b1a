"""The state machine of one connection, with paho behind it and without a socket."""

from functools import partial
import inspect
from pathlib import Path

from hypothesis import given, strategies as st
from paho.mqtt.client import Client
import pytest

from custom_components.homesync.client import BrokerSettings, MqttVersion
from custom_components.homesync.client.errors import (
    CongestedError,
    InvalidSettingError,
    MalformedPacketError,
    NotConnectedError,
)
from custom_components.homesync.client.records import Publication
from custom_components.homesync.client.transport.engine import Engine, Wire
from custom_components.homesync.client.transport.packets import Answer, Connack
from custom_components.homesync.client.transport.statistics import Traffic

from .packets import CONNACK, GOODBYE, connack, packet, puback, publish, suback, unsuback

SETTINGS = BrokerSettings(host="broker", port=1883, client_id="hs-1", keepalive=60)
WINDOW = 20
FIRST_ID, LAST_ID = 0x8000, 0xFFFF


class Paho:
    """An engine and what it told."""

    def __init__(
        self, settings: BrokerSettings = SETTINGS, *, traffic: Traffic | None = None
    ) -> None:
        self.written: list[bytes] = []
        self.connacks: list[int] = []
        self.subacks: list[Answer] = []
        self.unsubacks: list[int] = []
        self.engine = Engine(
            settings, MqttVersion.V311, self.written.append, self, WINDOW, traffic=traffic
        )

    def on_connack(self, connack: Connack) -> None:
        self.connacks.append(connack.code)

    def on_puback(self) -> None:
        pass

    def on_suback(self, answer: Answer) -> None:
        self.subacks.append(answer)

    def on_unsuback(self, answer: Answer) -> None:
        self.unsubacks.append(answer.packet_id)

    def on_disconnect(self, code: int, server_reference: str | None) -> None:
        raise AssertionError("MQTT 3.1.1 knows no such packet from a broker")

    def connected(self) -> Paho:
        self.engine.connect()
        self.engine.feed(CONNACK)
        self.written.clear()
        return self

    @property
    def stream(self) -> bytes:
        return b"".join(self.written)

    def publish(self, payload: bytes = b"x", *, qos: int = 1, retain: bool = False) -> None:
        self.engine.publish(Publication("a/b", payload, qos, retain))


@pytest.fixture
def paho() -> Paho:
    return Paho().connected()


def test_the_one_private_name_of_paho_is_there_and_used() -> None:
    assert "_create_socket" in vars(Client)
    assert "self._create_socket()" in inspect.getsource(Client.reconnect)
    assert list(inspect.signature(Client._create_socket).parameters) == ["self"]


def test_no_other_file_of_the_client_knows_paho() -> None:
    client = Path(inspect.getfile(Engine)).parents[1]
    assert [each.name for each in client.rglob("*.py") if "paho.mqtt" in each.read_text()] == [
        "engine.py"
    ]


def test_connect_asks_for_a_clean_session_of_mqtt_3_1_1_without_a_will() -> None:
    paho = Paho()
    paho.engine.connect()
    assert paho.stream == packet(0x10, b"\0\4MQTT\4\x02\0\x3c\0\4hs-1")


def test_connect_carries_the_credentials() -> None:
    paho = Paho(
        BrokerSettings(host="h", port=1, client_id="c", username="ü", password="p", keepalive=5)
    )
    paho.engine.connect()
    assert paho.stream == packet(0x10, b"\0\4MQTT\4\xc2\0\5\0\1c\0\2\xc3\xbc\0\1p")


def test_credentials_that_mqtt_cannot_carry_are_an_error_of_ours() -> None:
    paho = Paho(BrokerSettings(host="h", port=1, client_id="c", username="\ud800", password="p"))
    with pytest.raises(MalformedPacketError):
        paho.engine.connect()
    assert not paho.written


def test_an_accepting_connack_is_told_and_nothing_is_sent_by_itself() -> None:
    paho = Paho()
    paho.engine.connect()
    paho.written.clear()
    paho.engine.feed(CONNACK)
    assert paho.connacks == [0]
    assert not paho.written


def test_f30_a_session_that_should_not_be_there_changes_nothing() -> None:
    paho = Paho()
    paho.engine.connect()
    paho.engine.feed(connack(4, 0, present=1))
    assert paho.connacks == [0]
    paho.publish()


@pytest.mark.parametrize(
    ("code", "told"),
    [
        (1, 0x84),
        (2, 0x85),
        (3, 0x88),
        (4, 0x86),
        (5, 0x87),
        (6, 0x80),
        (0x84, 0x84),
        (255, 255),
    ],
)
def test_a_refusing_connack_is_told_in_the_codes_of_mqtt_5_and_answered_with_nothing(
    code: int, told: int
) -> None:
    paho = Paho()
    paho.engine.connect()
    paho.written.clear()
    paho.engine.feed(connack(4, code))
    assert paho.connacks == [told]
    assert not paho.written
    with pytest.raises(NotConnectedError):
        paho.publish()


@pytest.mark.parametrize(
    "malformed",
    [packet(0x20), packet(0x20, b"\0"), packet(0x20, b"\0\0\0"), packet(0x20, bytes(9))],
)
def test_a_connack_of_another_length_is_refused(malformed: bytes) -> None:
    paho = Paho()
    paho.engine.connect()
    with pytest.raises(MalformedPacketError):
        paho.engine.feed(malformed)
    assert not paho.connacks


def test_f28_a_second_connack_is_refused(paho: Paho) -> None:
    with pytest.raises(MalformedPacketError):
        paho.engine.feed(CONNACK)
    assert paho.connacks == [0]


@pytest.mark.parametrize("early", [suback(4, 1, 0), puback(1), unsuback(4, 1), packet(0xD0, b"\0")])
def test_nothing_may_come_before_connack(early: bytes) -> None:
    paho = Paho()
    paho.engine.connect()
    with pytest.raises(MalformedPacketError):
        paho.engine.feed(early)


@pytest.mark.parametrize("kind", [0, 1, 3, 5, 6, 7, 8, 10, 12, 13, 14, 15])
def test_f28_a_packet_that_nobody_asked_for_is_refused(paho: Paho, kind: int) -> None:
    with pytest.raises(MalformedPacketError):
        paho.engine.feed(packet(kind << 4, b"\0\1\0"))


@given(st.integers(0, 255), st.binary(max_size=130))
def test_f24_any_packet_is_taken_or_refused_and_nothing_else(header: int, body: bytes) -> None:
    paho = Paho().connected()
    paho.engine.subscribe([("a/#", 1)])
    paho.publish()
    try:
        paho.engine.feed(packet(header, body))
    except MalformedPacketError:
        return
    assert header & 0xF0 in (0x40, 0x90, 0xB0)


@pytest.mark.parametrize(
    "malformed",
    [packet(0x90), packet(0x90, b"\0"), packet(0x90, b"\0\1"), packet(0x40, b"\0"), packet(0xB0)],
)
def test_f24_a_short_acknowledgement_is_refused(paho: Paho, malformed: bytes) -> None:
    with pytest.raises(MalformedPacketError):
        paho.engine.feed(malformed)


def test_subscribing_tells_its_packet_id_and_the_answer_its_codes(paho: Paho) -> None:
    packet_id = paho.engine.subscribe([("a/+", 0), ("b/+", 1)])
    assert paho.stream == packet(0x82, packet_id.to_bytes(2) + b"\0\3a/+\0\0\3b/+\1")
    paho.engine.feed(suback(4, packet_id, 0, 0x80))
    assert paho.subacks == [Answer(packet_id, (0, 0x80))]


def test_unsubscribing_tells_its_packet_id_and_the_answer(paho: Paho) -> None:
    packet_id = paho.engine.unsubscribe(["a/+"])
    assert paho.stream == packet(0xA2, packet_id.to_bytes(2) + b"\0\3a/+")
    paho.engine.feed(unsuback(4, packet_id))
    assert paho.unsubacks == [packet_id]


@pytest.mark.parametrize("retain", [False, True])
def test_a_message_goes_out_as_it_is(paho: Paho, *, retain: bool) -> None:
    paho.publish(b"on", qos=1, retain=retain)
    assert paho.stream == publish(4, b"a/b", b"on", qos=1, packet_id=FIRST_ID, retain=retain)
    paho.publish(b"", qos=0)
    assert paho.written[-1] == publish(4, b"a/b", b"")


def test_before_connack_nothing_is_taken_to_be_sent_later() -> None:
    paho = Paho()
    paho.engine.connect()
    paho.written.clear()
    with pytest.raises(NotConnectedError):
        paho.publish()
    paho.engine.feed(CONNACK)
    assert not paho.written


def test_f28_an_acknowledgement_of_nothing_is_ignored(paho: Paho) -> None:
    paho.engine.feed(puback(4711))
    paho.engine.feed(unsuback(4, 4711))
    paho.publish()
    assert paho.stream == publish(4, b"a/b", b"x", qos=1, packet_id=FIRST_ID)


def test_twenty_messages_are_open_and_a_thousand_wait(paho: Paho) -> None:
    for _ in range(WINDOW + 1000):
        paho.publish()
    assert len(paho.written) == WINDOW
    with pytest.raises(CongestedError):
        paho.publish()
    paho.engine.feed(puback(FIRST_ID))
    assert len(paho.written) == WINDOW + 1
    paho.publish()
    with pytest.raises(CongestedError):
        paho.publish()


def test_what_waits_is_neither_overtaken_nor_hurried_by_answers_to_nothing(paho: Paho) -> None:
    for number in range(WINDOW + 2):
        paho.publish(b"%d" % number)
    paho.engine.feed(puback(4711))
    assert len(paho.written) == WINDOW
    paho.engine.pause()
    for number in range(WINDOW):
        paho.engine.feed(puback(FIRST_ID + number))
    paho.engine.resume()
    paho.publish(b"last")
    assert [each[9:] for each in paho.written[WINDOW:]] == [b"20", b"21", b"last"]


def test_each_answer_of_the_broker_is_told_to_whom_it_concerns(paho: Paho) -> None:
    answers: list[tuple[int, int]] = []

    def note(number: int, code: int) -> None:
        answers.append((number, code))

    for number in range(WINDOW + 1):
        paho.engine.publish(Publication("t", b""), partial(note, number))
    for number in (1, 0, 0, WINDOW):
        paho.engine.feed(puback(FIRST_ID + number))
    assert answers == [(1, 0), (0, 0), (WINDOW, 0)]


def test_f53_packet_ids_start_again_and_leave_out_those_that_are_open(paho: Paho) -> None:
    paho.publish()
    for packet_id in (*range(FIRST_ID + 1, LAST_ID + 1), FIRST_ID + 1, FIRST_ID + 2):
        paho.written.clear()
        paho.publish()
        assert int.from_bytes(paho.stream[7:9]) == packet_id
        paho.engine.feed(puback(packet_id))


def test_a_message_never_has_the_packet_id_of_a_subscription(paho: Paho) -> None:
    asked = paho.engine.subscribe([("a/+", 1)]), paho.engine.unsubscribe(["a/+"])
    assert max(asked) < FIRST_ID
    paho.publish()
    for packet_id in asked:
        paho.engine.feed(puback(packet_id))
    assert paho.engine.subscribe([("a/+", 1)]) not in asked


def test_p12_while_the_stream_is_full_nothing_is_taken_and_then_what_waited_goes(
    paho: Paho,
) -> None:
    for _ in range(21):
        paho.publish()
    paho.written.clear()
    paho.engine.pause()
    with pytest.raises(CongestedError):
        paho.publish()
    paho.engine.feed(puback(FIRST_ID))
    assert not paho.written
    paho.engine.resume()
    assert paho.stream == publish(4, b"a/b", b"x", qos=1, packet_id=FIRST_ID + WINDOW)


def test_disconnect_is_the_last_word(paho: Paho) -> None:
    paho.engine.disconnect()
    assert paho.stream == GOODBYE
    with pytest.raises(NotConnectedError):
        paho.publish()
    assert paho.stream == GOODBYE


@pytest.mark.parametrize("topic", ["", "a/+", "a/#", "a\0", "\ud800", "x" * 65_536, "ü" * 32_768])
def test_a_topic_that_no_broker_takes_is_refused_and_hurts_nothing_else(
    paho: Paho, topic: str
) -> None:
    for qos in (0, 1):
        with pytest.raises(InvalidSettingError) as caught:
            paho.engine.publish(Publication(topic, b"", qos))
        assert caught.value.field == "topic"
    assert not paho.written
    paho.publish()
    assert paho.stream == publish(4, b"a/b", b"x", qos=1, packet_id=FIRST_ID)


def test_p7_what_was_not_acknowledged_is_given_up_with_its_connection() -> None:
    traffic = Traffic()
    paho = Paho(traffic=traffic).connected()
    for _ in range(WINDOW + 2):
        paho.publish()
    paho.engine.feed(puback(FIRST_ID))
    paho.engine.give_up()
    assert (traffic.sent_qos1, traffic.unanswered) == (WINDOW + 1, WINDOW + 1)
    paho.written.clear()
    paho.engine.feed(puback(FIRST_ID + 1))
    paho.engine.resume()
    assert not paho.written


def test_the_wire_is_true_however_little_it_does() -> None:
    wire = Wire(lambda _: None)
    assert wire  # type: ignore[truthy-bool]  # its truth is what is tested
    assert wire.fileno() == -1
    wire.paused = True
    with pytest.raises(BlockingIOError):
        wire.send(b"abc")
