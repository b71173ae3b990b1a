"""Topics, telemetry and commands of the HomeSync dialect."""

from collections.abc import Callable
from datetime import datetime
import json
from typing import Any

from hypothesis import given, strategies as st
import pytest

from custom_components.homesync.client import HomeSyncDialect, RelayAction, RelayCommand
from custom_components.homesync.client.errors import InvalidSettingError, ProtocolError
from custom_components.homesync.client.protocol.topics import NodeTopic
from custom_components.homesync.client.records import Publication, Reading

ARRIVAL = 1_738_852_200.0  # 2025-02-06T14:30:00Z
DIALECT = HomeSyncDialect("homesync", "villa")
POWER = NodeTopic("plug-1", "telemetry", "power")


class Complaints(list[ProtocolError]):
    @property
    def kinds(self) -> list[str]:
        return [each.kind for each in self]


def read(payload: dict[str, Any] | bytes, target: NodeTopic = POWER) -> tuple[Reading, Complaints]:
    complaints = Complaints()
    raw = payload if isinstance(payload, bytes) else json.dumps(payload).encode()
    return DIALECT.decode_reading(target, raw, ARRIVAL, complaints.append), complaints


def test_three_disjoint_filters_ask_for_what_nodes_send() -> None:
    assert [(each.topic_filter, each.qos) for each in DIALECT.subscriptions] == [
        ("homesync/villa/nodes/+/telemetry/+", 0),
        ("homesync/villa/nodes/+/status/+", 1),
        ("homesync/villa/nodes/+/response/+", 1),
    ]


@pytest.mark.parametrize(("prefix", "home_id"), [("a/#", "villa"), ("homesync", "a/b")])
def test_no_dialect_is_made_of_texts_that_are_no_ids(prefix: str, home_id: str) -> None:
    with pytest.raises(InvalidSettingError):
        HomeSyncDialect(prefix, home_id)


@pytest.mark.parametrize(
    "rest",
    [
        "telemetry/power",
        "telemetry/whatever-it_is",
        "status/online",
        "status/relay",
        "status/firmware",
        "status/rssi",
        "status/led",
        "status/info",
        "command/relay",
        "command/own",
        "response/command",
        "response/ota",
    ],
)
def test_the_topics_of_the_protocol_are_known(rest: str) -> None:
    target = DIALECT.resolve(f"homesync/villa/nodes/plug-1/{rest}".encode())
    assert target == NodeTopic("plug-1", *rest.split("/"))


@pytest.mark.parametrize(
    "rest",
    ["status/uptime", "status/", "response/relay", "commands/relay", "other/x", "Status/relay"],
)
def test_other_topics_are_not(rest: str) -> None:
    with pytest.raises(ProtocolError):
        DIALECT.resolve(f"homesync/villa/nodes/plug-1/{rest}".encode())


def test_a_reading_has_value_unit_quality_and_time() -> None:
    reading, complaints = read(
        b'{"value": 125.5, "unit": "kW", "timestamp": "2025-02-06T14:29:00Z", "quality": 99,'
        b' "room": "kitchen"}'
    )
    assert reading == Reading(
        node_id="plug-1",
        metric="power",
        value=125.5,
        unit="kW",
        quality=99,
        at=ARRIVAL - 60,
        stamped=True,
    )
    assert not complaints


def test_a_reading_needs_no_more_than_its_value() -> None:
    reading, complaints = read({"value": 7})
    assert (reading.value, reading.unit, reading.quality) == (7, "W", None)
    assert (reading.at, reading.stamped) == (ARRIVAL, False)
    assert not complaints


@pytest.mark.parametrize("value", ["12.5", True, None, [1], {}, 2e9])
def test_f34_without_a_value_that_counts_there_is_no_reading(value: Any) -> None:
    with pytest.raises(ProtocolError):
        read({"value": value, "unit": "W"})
    with pytest.raises(ProtocolError):
        read({"unit": "W"})


@pytest.mark.parametrize("quality", ["99", True, -1, 101, [99]])
def test_f34_a_bad_quality_is_refused_and_the_value_counts_all_the_same(quality: Any) -> None:
    reading, complaints = read({"value": 1, "quality": quality})
    assert reading.value == 1
    assert reading.quality is None
    assert len(complaints) == 1


def telling(decode: Callable[..., Reading], target: NodeTopic, payload: bytes) -> list[object]:
    """Return a reading, or why there is none, and what was said of it."""
    complaints = Complaints()
    try:
        return [decode(target, payload, ARRIVAL, complaints.append), *complaints.kinds]
    except ProtocolError as err:
        return [err.kind, str(err), *complaints.kinds]


ODD = st.none() | st.booleans() | st.text(max_size=3) | st.lists(st.integers(), max_size=1)
FIELDS = {
    "value": st.floats(-1e10, 1e10) | st.integers(-(10**10), 10**20) | ODD,
    "unit": st.sampled_from(["W", "kW", "°C", "C", "%", "", "horses", "\n"]) | ODD,
    "timestamp": ODD
    | st.sampled_from(
        [
            "2025-02-06T14:29:00Z",
            "2025-02-06T14:35:00.000+00:00",
            "2025-02-06T14:35:01Z",
            "2019-12-31T23:59:59Z",
            "2025-02-06T14:29:00",
            "soon",
        ]
    ),
    "quality": st.integers(-1, 101) | st.floats(-1, 101) | ODD,
}
CONTENTS = st.fixed_dictionaries({}, optional=FIELDS) | ODD | st.integers()


@given(
    metric=st.sampled_from(["power", "temperature", "power_factor", "energy", "own"]),
    payload=CONTENTS.map(json.dumps).map(str.encode) | st.binary(max_size=20),
)
def test_f33_what_is_read_in_one_go_is_the_same_as_field_by_field(
    metric: str, payload: bytes
) -> None:
    target = NodeTopic("plug-1", "telemetry", metric)
    careful = telling(DIALECT._decode_carefully, target, payload)
    assert telling(DIALECT.decode_reading, target, payload) == careful
    assert type(careful[0]) in (Reading, str)


def test_f33_a_payload_that_is_too_large_is_no_reading_whatever_it_says() -> None:
    usual = b'{"value": 1.5, "unit": "W", "timestamp": "2025-02-06T14:29:00Z", "quality": 99'
    assert type(telling(DIALECT.decode_reading, POWER, usual + b"}")[0]) is Reading
    padded = usual + b" " * 256 * 1024 + b"}"
    assert telling(DIALECT.decode_reading, POWER, padded)[0] == "payload_too_large"


@pytest.mark.parametrize("action", RelayAction)
def test_f49_a_command_is_sent_with_qos_1_and_never_retained(action: RelayAction) -> None:
    message = DIALECT.encode_command("plug-1", RelayCommand(action), "id-1", ARRIVAL + 0.25)
    assert message.topic == "homesync/villa/nodes/plug-1/command/relay"
    assert (message.qos, message.retain) == (1, False)
    content = json.loads(message.payload)
    assert content == {
        "action": action.value,
        "request_id": "id-1",
        "timestamp": content["timestamp"],
    }
    assert datetime.fromisoformat(content["timestamp"]).timestamp() == ARRIVAL + 0.25


@pytest.mark.parametrize("node_id", ["a/b", "+", "#", "", "a\0"])
def test_s01_no_command_goes_to_what_is_no_id(node_id: str) -> None:
    with pytest.raises(ValueError, match="not an id"):
        DIALECT.encode_command(node_id, RelayCommand(RelayAction.ON), "id-1", ARRIVAL)


def test_a_node_is_forgotten_with_an_empty_retained_message_on_each_status_topic() -> None:
    assert DIALECT.forget_node("plug-1") == [
        Publication(f"homesync/villa/nodes/plug-1/status/{leaf}", b"", 1, retain=True)
        for leaf in ("firmware", "info", "led", "online", "relay", "rssi")
    ]
