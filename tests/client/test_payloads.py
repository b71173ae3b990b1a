"""JSON of strangers."""

from datetime import UTC, datetime, timedelta, timezone
import json
import math
from typing import Any

from hypothesis import given, strategies as st
import pytest

from custom_components.homesync.client.errors import ProtocolError
from custom_components.homesync.client.protocol.payloads import (
    MAX_BYTES,
    dump,
    load,
    read_bool,
    read_number,
    read_switch,
    read_text,
    read_time,
)

from .refusals import refusal

ARRIVAL = datetime(2025, 2, 6, 14, 30, tzinfo=UTC).timestamp()
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=5,
)


@given(st.binary() | json_values.map(lambda value: json.dumps(value).encode()))
def test_any_bytes_are_an_object_or_refused(payload: bytes) -> None:
    kind = refusal(lambda: load(payload))
    assert kind == "malformed_json" or type(load(payload)) is dict


@pytest.mark.parametrize(
    "payload",
    [
        b"",
        b"{not json",
        b'{"value": 12.5',
        b'{"value": NaN}',
        b'{"value": Infinity}',
        b'{"value": 1e400}',
        b"null",
        b"[]",
        b"12.5",
        b'"text"',
        b'\xef\xbb\xbf{"value": 1}',
        b'{"value": "\xff"}',
        b'{"value": "\\ud800"}',
        b"[" * 100_000,
        b'{"a":' * 2000,
        bytes(range(256)),
    ],
)
def test_f33_what_is_no_json_object_is_refused(payload: bytes) -> None:
    with pytest.raises(ProtocolError) as refusal:
        load(payload)
    assert refusal.value.kind == "malformed_json"


def test_of_a_key_that_comes_twice_the_last_wins() -> None:
    assert load(b'{"value": 1, "value": 2}') == {"value": 2}


def test_the_size_is_judged_before_anything_is_parsed() -> None:
    largest = b'{"a": 1}'.ljust(MAX_BYTES)
    assert load(largest) == {"a": 1}
    with pytest.raises(ProtocolError) as refusal:
        load(b"{" + largest)
    assert refusal.value.kind == "payload_too_large"


def test_a_refusal_does_not_repeat_the_payload() -> None:
    with pytest.raises(ProtocolError) as refusal:
        load(b'{"secret words": tru')
    assert "secret" not in str(refusal.value)


def test_what_is_encoded_is_read_back() -> None:
    assert load(dump({"action": "on", "n": 1.5})) == {"action": "on", "n": 1.5}


@given(json_values)
def test_a_number_is_finite_within_its_range_and_no_boolean(value: Any) -> None:
    kind = refusal(lambda: read_number(value, "value", -10, 10))
    if type(value) not in (int, float) or not math.isfinite(value):
        assert kind == "invalid_field"
    else:
        assert kind == (None if -10 <= value <= 10 else "out_of_range")


@pytest.mark.parametrize("value", [True, False, None, "1", [1], {}, math.nan, math.inf, -math.inf])
def test_f34_these_are_no_numbers(value: Any) -> None:
    with pytest.raises(ProtocolError) as refusal:
        read_number(value, "value", -1e300, 1e300)
    assert refusal.value.kind == "invalid_field"


@pytest.mark.parametrize(
    ("value", "fits"), [(-1, True), (1, True), (-1.001, False), (1.001, False)]
)
def test_the_ends_of_a_range_belong_to_it(value: float, *, fits: bool) -> None:
    if fits:
        assert read_number(value, "value", -1, 1) == value
    else:
        with pytest.raises(ProtocolError, match="value is out of range"):
            read_number(value, "value", -1, 1)


@given(json_values)
def test_a_text_is_short_and_has_no_control_characters(value: Any) -> None:
    kind = refusal(lambda: read_text(value, "error", 20))
    if kind is not None:
        assert kind == "invalid_field"
        return
    text = read_text(value, "error", 20)
    assert text.strip()
    assert len(value) <= 20
    assert not any(ord(each) < 32 or 127 <= ord(each) < 160 for each in text)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("1.2.3", "1.2.3"),
        ("a\r\nb\x1b[31m\0\x9b", "ab[31m"),
        ("x" * 255, "x" * 255),
        ("{{ 1/0 }}<b>", "{{ 1/0 }}<b>"),
    ],
)
def test_s15_control_characters_are_taken_out_and_the_rest_stays(value: str, text: str) -> None:
    assert read_text(value, "error") == text


@pytest.mark.parametrize("value", ["", "  ", "\n", "\0" * 5, "x" * 256, 1, True, None, ["a"]])
def test_these_are_no_texts(value: Any) -> None:
    with pytest.raises(ProtocolError, match="error is"):
        read_text(value, "error")


@pytest.mark.parametrize(("value", "switched"), [("on", True), ("off", False)])
def test_a_switch_is_on_or_off(value: str, *, switched: bool) -> None:
    assert read_switch(value, "state") is switched


@pytest.mark.parametrize("value", ["ON", "true", "", True, 1, None, ["on"], {"on": 1}])
def test_a_switch_is_nothing_else(value: Any) -> None:
    with pytest.raises(ProtocolError):
        read_switch(value, "state")


def test_a_boolean_is_true_or_false() -> None:
    assert read_bool(True, "online") is True
    assert read_bool(False, "online") is False


@pytest.mark.parametrize("value", ["true", 1, 0, None, []])
def test_a_boolean_is_nothing_else(value: Any) -> None:
    with pytest.raises(ProtocolError):
        read_bool(value, "online")


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("2025-02-06T14:30:00Z", 0),
        ("2025-02-06T15:30:00+01:00", 0),
        ("2025-02-06T15:30:00.250+01:00", 0.25),
        ("2025-02-06T14:34:59Z", 299),
        ("2025-02-06T14:35:00Z", 300),
        ("2020-01-01T00:00:00Z", datetime(2020, 1, 1, tzinfo=UTC).timestamp() - ARRIVAL),
    ],
)
def test_a_believable_time_of_the_node_is_taken(text: str, seconds: float) -> None:
    at, stamped = read_time({"timestamp": text}, ARRIVAL)
    assert at == pytest.approx(ARRIVAL + seconds)
    assert stamped


@pytest.mark.parametrize(
    "value",
    [
        None,
        "",
        "now",
        1_738_852_200,
        True,
        ["2025-02-06T14:30:00Z"],
        "2025-02-06T14:30:00",
        "2025-02-06",
        "1970-01-01T00:00:17Z",
        "2019-12-31T23:59:59Z",
        "2025-02-06T14:35:01Z",
        "2099-01-01T00:00:00Z",
        "0001-01-01T00:00:00+23:59",
        "9999-12-31T23:59:59-23:59",
        "0001-01-01T00:00:00",
        "9999-12-31T23:59:59",
        "2025-02-30T00:00:00Z",
        "2025-02-06T14:30:00Z" * 1000,
    ],
)
def test_f36_an_absurd_time_is_replaced_by_the_arrival(value: Any) -> None:
    assert read_time({"timestamp": value}, ARRIVAL) == (ARRIVAL, False)


def test_without_a_time_the_arrival_is_taken() -> None:
    assert read_time({}, ARRIVAL) == (ARRIVAL, False)


@given(st.text())
def test_any_text_as_a_time_gives_a_time(text: str) -> None:
    at, stamped = read_time({"timestamp": text}, ARRIVAL)
    assert at <= ARRIVAL + 300
    assert stamped or at == ARRIVAL


@given(
    st.datetimes(
        timezones=st.none()
        | st.integers(-1439, 1439).map(lambda minutes: timezone(timedelta(minutes=minutes)))
    )
)
def test_any_moment_is_believed_only_from_2020_to_five_minutes_ahead(moment: datetime) -> None:
    at, stamped = read_time({"timestamp": moment.isoformat()}, ARRIVAL)
    earliest = datetime(2020, 1, 1, tzinfo=UTC)
    latest = datetime.fromtimestamp(ARRIVAL + 300, UTC)
    believed = moment.tzinfo is not None and earliest <= moment <= latest
    assert (at, stamped) == ((moment.timestamp(), True) if believed else (ARRIVAL, False))
