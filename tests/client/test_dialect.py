"""Topics, telemetry and commands of the HomeSync dialect."""

from datetime import datetime
import json
from typing import Any

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
