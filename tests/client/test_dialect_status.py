"""Status messages of the HomeSync dialect."""

import json
from typing import Any

import pytest

from custom_components.homesync.client import HomeSyncDialect
from custom_components.homesync.client.errors import ProtocolError
from custom_components.homesync.client.protocol.topics import NodeTopic
from custom_components.homesync.client.records import StatusReport, StatusValue

ARRIVAL = 1_738_852_200.0  # 2025-02-06T14:30:00Z
DIALECT = HomeSyncDialect("homesync", "villa")


def decode(leaf: str, payload: bytes) -> tuple[StatusReport, list[str]]:
    complaints: list[ProtocolError] = []
    target = NodeTopic("plug-1", "status", leaf)
    report = DIALECT.decode_status(target, payload, ARRIVAL, complaints.append)
    return report, [str(each) for each in complaints]


def fields(leaf: str, **content: Any) -> tuple[dict[str, StatusValue], int]:
    report, complaints = decode(leaf, json.dumps(content).encode())
    return {str(key): value for key, value in report.fields}, len(complaints)


@pytest.mark.parametrize(
    ("leaf", "content", "expected"),
    [
        ("online", {"online": True}, {"online": True}),
        ("online", {"online": False, "reason": "shutdown"}, {"online": False}),
        (
            "online",
            {"online": True, "uptime": 86400, "firmware": "1.2.3"},
            {"online": True, "uptime": 86400, "firmware": "1.2.3"},
        ),
        (
            "online",
            {"online": True, "relay": "off", "rssi": -61},
            {"online": True, "relay": False, "rssi": -61},
        ),
        ("relay", {"state": "on"}, {"relay": True}),
        ("relay", {"relay": "off"}, {"relay": False}),
        ("relay", {"state": "on", "uptime": 5}, {"relay": True, "uptime": 5}),
        ("firmware", {"version": "1.2.3"}, {"firmware": "1.2.3"}),
        ("firmware", {"firmware": "1.2.3"}, {"firmware": "1.2.3"}),
        ("firmware", {"version": "x" * 64, "uptime": 0}, {"firmware": "x" * 64, "uptime": 0}),
        ("rssi", {"value": -61}, {"rssi": -61}),
        ("rssi", {"rssi": -61.4}, {"rssi": -61}),
        ("rssi", {"value": -150, "uptime": 1e10}, {"rssi": -150, "uptime": 10_000_000_000}),
        ("rssi", {"value": 0, "more": {}}, {"rssi": 0}),
    ],
)
def test_each_form_of_the_page_is_read(
    leaf: str, content: dict[str, Any], expected: dict[str, StatusValue]
) -> None:
    assert fields(leaf, **content) == (expected, 0)


@pytest.mark.parametrize(
    ("leaf", "content"),
    [
        ("online", {"online": "true"}),
        ("online", {"online": 1}),
        ("online", {"reason": "shutdown"}),
        ("relay", {"state": True}),
        ("relay", {"state": "ON"}),
        ("relay", {"relay": 1}),
        ("relay", {}),
        ("firmware", {"version": "x" * 65}),
        ("firmware", {"version": 1.2}),
        ("firmware", {"version": ""}),
        ("rssi", {"value": "-61"}),
        ("rssi", {"value": 1}),
        ("rssi", {"value": -151}),
        ("rssi", {"value": True}),
    ],
)
def test_f34_a_required_field_that_is_bad_or_missing_is_refused(
    leaf: str, content: dict[str, Any]
) -> None:
    assert fields(leaf, **content) == ({}, 1)
    assert fields(leaf, uptime=7, **content) == ({"uptime": 7}, 1)


@pytest.mark.parametrize(
    "bad",
    [
        {"uptime": -1},
        {"uptime": 1e11},
        {"uptime": "long"},
        {"uptime": True},
        {"firmware": 5},
        {"relay": True},
        {"rssi": 5},
    ],
)
def test_f34_a_bad_optional_field_leaves_the_others(bad: dict[str, Any]) -> None:
    good = {"online": True, "firmware": "1", "relay": "on", "rssi": -1, "uptime": 1}
    expected: dict[str, StatusValue] = {
        "online": True,
        "firmware": "1",
        "relay": True,
        "rssi": -1,
        "uptime": 1,
    }
    for name in bad:
        del expected[name]
    assert fields("online", **{**good, **bad}) == (expected, 1)


def test_the_first_name_of_a_field_counts_if_both_are_there() -> None:
    assert fields("relay", state="on", relay="off") == ({"relay": True}, 0)


def test_only_online_carries_what_has_a_topic_of_its_own() -> None:
    assert fields("rssi", value=-60, relay="on", firmware="9") == ({"rssi": -60}, 0)


def test_the_time_is_the_nodes_if_it_gives_one() -> None:
    report, _ = decode("online", b'{"online": true, "timestamp": "2025-02-06T14:29:00Z"}')
    assert (report.at, report.stamped) == (ARRIVAL - 60, True)
    report, _ = decode("online", b'{"online": true, "timestamp": "1970-01-01T00:00:09Z"}')
    assert (report.at, report.stamped) == (ARRIVAL, False)


@pytest.mark.parametrize(
    ("leaf", "key", "value"),
    [
        ("online", "online", False),
        ("relay", "relay", None),
        ("firmware", "firmware", None),
        ("rssi", "rssi", None),
    ],
)
def test_f39_an_empty_payload_takes_the_value_back(
    leaf: str, key: str, *, value: bool | None
) -> None:
    report, complaints = decode(leaf, b"")
    assert report.fields == ((key, value),)
    assert (report.at, report.stamped) == (ARRIVAL, False)
    assert not complaints


@pytest.mark.parametrize("payload", [b"online", b"null", b"[]", b"{", b" "])
def test_another_payload_that_is_no_object_is_refused(payload: bytes) -> None:
    with pytest.raises(ProtocolError, match="payload is not"):
        decode("online", payload)
