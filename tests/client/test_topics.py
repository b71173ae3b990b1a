"""Ids, prefixes and topics: exactly the intended levels, or nothing."""

import string
import unicodedata

from hypothesis import given, strategies as st
import pytest

from custom_components.homesync.client.errors import InvalidSettingError, ProtocolError
from custom_components.homesync.client.protocol.topics import (
    HouseholdTopics,
    NodeTopic,
    check_home_id,
    check_prefix,
    is_id,
)

from .refusals import refusal

ID_CHARACTERS = string.ascii_letters + string.digits + "_-"
ids = st.text(ID_CHARACTERS, min_size=1, max_size=64)
anything = st.text() | st.text("ab/+#$\0 é\n", max_size=8)

VILLA = HouseholdTopics("homesync", "villa")


@given(anything | ids)
def test_a_household_id_is_refused_or_holds_nothing_but_its_characters(text: str) -> None:
    if set(text) <= set(ID_CHARACTERS) and 1 <= len(text) <= 64:
        assert check_home_id(text) == text
        return
    with pytest.raises(InvalidSettingError) as refused:
        check_home_id(text)
    assert refused.value.field == "home_id"


@pytest.mark.parametrize(
    "text", ["", "a" * 65, "villa\n", "a/b", "+", "#", "a b", "vílla", "٣", "a\0", "$a"]
)
def test_no_id_is_taken_that_could_change_a_topic(text: str) -> None:
    assert not is_id(text)


@given(anything)
def test_a_prefix_is_refused_or_gives_exactly_its_levels(prefix: str) -> None:
    try:
        topics = HouseholdTopics(prefix, "villa")
    except InvalidSettingError:
        return
    levels = topics.build("plug-1", "status", "relay").split("/")
    assert levels == [*prefix.split("/"), "villa", "nodes", "plug-1", "status", "relay"]
    assert all(levels)
    assert not set("+#\0") & set(prefix)
    assert not prefix.startswith("$")
    assert len(prefix.encode()) <= 512
    assert not any(unicodedata.category(each) == "Cc" for each in prefix)


@pytest.mark.parametrize(
    "prefix",
    [
        "",
        "/a",
        "a/",
        "a//b",
        "$SYS",
        "a/+",
        "a/#",
        "a+b",
        "a\0b",
        "a\x1fb",
        "a\x85b",
        "a\ufffe",
        "\ufdd0",
        "\U0001ffff",
        "\ud800",
        "a" * 513,
        "é" * 257,
    ],
)
def test_a_prefix_that_mqtt_or_brokers_refuse_is_refused(prefix: str) -> None:
    with pytest.raises(InvalidSettingError):
        check_prefix(prefix)


@pytest.mark.parametrize(
    "prefix", ["homesync", "a/b/c", "Häuser/日本", "a b", "a" * 512, "é" * 256]
)
def test_other_prefixes_are_taken_as_they_are(prefix: str) -> None:
    assert check_prefix(prefix) == prefix
    topics = HouseholdTopics(prefix, "villa")
    assert topics.split(f"{prefix}/villa/nodes/n/status/relay".encode()) == NodeTopic(
        "n", "status", "relay"
    )


def test_filters_take_every_leaf_of_one_branch_of_every_node() -> None:
    assert VILLA.filter("telemetry") == "homesync/villa/nodes/+/telemetry/+"


@given(ids, ids)
def test_what_was_built_splits_into_what_it_was_built_from(node_id: str, leaf: str) -> None:
    if node_id == "_echo":
        return
    topic = VILLA.build(node_id, "telemetry", leaf)
    assert topic.count("/") == 5
    assert VILLA.split(topic.encode()) == NodeTopic(node_id, "telemetry", leaf)


@given(anything, anything)
def test_nothing_is_built_from_a_text_that_is_no_id(node_id: str, leaf: str) -> None:
    if is_id(node_id) and is_id(leaf):
        return
    with pytest.raises(ValueError, match="not an id"):
        VILLA.build(node_id, "command", leaf)


@given(st.binary() | st.binary().map(lambda tail: b"homesync/villa/nodes/" + tail))
def test_any_bytes_as_a_topic_are_refused_or_lead_back_to_themselves(topic: bytes) -> None:
    if refusal(lambda: VILLA.split(topic)) not in {"foreign_topic", "invalid_topic"}:
        target = VILLA.split(topic)
        assert (
            f"homesync/villa/nodes/{target.node_id}/{target.branch}/{target.leaf}".encode() == topic
        )


@pytest.mark.parametrize(
    ("topic", "kind"),
    [
        (b"", "foreign_topic"),
        (b"homesync/villa/nodes", "foreign_topic"),
        (b"homesync/villa2/nodes/n/status/relay", "foreign_topic"),
        (b"homesync/chalet/nodes/n/status/relay", "foreign_topic"),
        (b"/homesync/villa/nodes/n/status/relay", "foreign_topic"),
        (b"homesync/villa/nodes/", "invalid_topic"),
        (b"homesync/villa/nodes/n/status", "invalid_topic"),
        (b"homesync/villa/nodes/n/status/relay/", "invalid_topic"),
        (b"homesync/villa/nodes//status/relay", "invalid_topic"),
        (b"homesync/villa/nodes/n\0/status/relay", "invalid_topic"),
        (b"homesync/villa/nodes/n\xff/status/relay", "invalid_topic"),
        (b"homesync/villa/nodes/\xc3\xa9/status/relay", "invalid_topic"),
        (b"homesync/villa/nodes/n/telemetry/a\x07", "invalid_topic"),
        (b"homesync/villa/nodes/" + b"a" * 65_000, "invalid_topic"),
        (b"homesync/villa/nodes/_echo/status/relay", "invalid_topic"),
    ],
)
def test_f27_a_topic_of_another_form_is_refused(topic: bytes, kind: str) -> None:
    with pytest.raises(ProtocolError) as refusal:
        VILLA.split(topic)
    assert refusal.value.kind == kind
