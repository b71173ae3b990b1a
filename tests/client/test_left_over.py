"""What a broker keeps of a household, and what rests of a command nobody takes up again."""

import json
from typing import Any

from hypothesis import given, strategies as st
import pytest

from custom_components.homesync.client import InvalidSettingError, StoredCommand, abandoned
from custom_components.homesync.client.protocol.homesync import HomeSyncDialect
from custom_components.homesync.client.protocol.topics import check_topic
from custom_components.homesync.client.transport.packets import is_topic


@pytest.mark.parametrize(
    "topic", ["a", "a//b", "/", "a/b/", "$SYS/x", "a\x01b", "ü", "x" * 65_535, "a b"]
)
def test_whatever_a_broker_may_keep_can_be_cleared(topic: str) -> None:
    assert is_topic(topic)


@pytest.mark.parametrize("topic", ["", "a/+", "#", "a\0b", "\ud800", "x" * 65_536, "ü" * 32_768])
def test_what_mqtt_forbids_is_no_topic(topic: str) -> None:
    assert not is_topic(topic)


@given(st.text(max_size=40))
def test_what_we_publish_on_is_always_a_topic(text: str) -> None:
    try:
        check_topic(text)
    except InvalidSettingError:
        return
    assert is_topic(text)


def test_all_topics_of_one_node_are_those_below_its_id() -> None:
    dialect = HomeSyncDialect("home/sync", "villa")
    assert dialect.everything_of("plug-1") == "home/sync/villa/nodes/plug-1/#"
    with pytest.raises(ValueError, match="id"):
        dialect.everything_of("+")


def stored(**changes: Any) -> StoredCommand:
    rested: dict[str, Any] = {
        "request_id": "1",
        "node_id": "plug-1",
        "kind": "relay",
        "fields": json.dumps({"action": "on"}),
        "created": 1e9,
        "ttl": 60.0,
        "timeout": 5.0,
        "retries": 3,
        "attempts": 2,
        "first_sent": 1e9,
    }
    return StoredCommand(**{**rested, **changes})


def test_a_command_of_a_household_that_is_gone_ends_as_withdrawn() -> None:
    result = abandoned(stored())
    assert (result.outcome, result.reason) == ("cancelled", "withdrawn")
    assert (result.node_id, result.kind, result.request_id) == ("plug-1", "relay", "1")
    assert result.attempts == 2


@pytest.mark.parametrize("changes", [{"node_id": "+"}, {"fields": "{"}, {"ttl": 1e9}])
def test_one_that_cannot_be_ours_ends_as_nothing(changes: dict[str, Any]) -> None:
    with pytest.raises(InvalidSettingError):
        abandoned(stored(**changes))
