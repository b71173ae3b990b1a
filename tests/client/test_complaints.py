"""Warnings about what others send."""

import logging

import pytest

from custom_components.homesync.client.complaints import Complaints, shorten


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def complaints(clock: Clock) -> Complaints:
    return Complaints(logging.getLogger("client"), "Villa", clock)


def test_f33_a_warning_names_household_topic_and_payload(
    complaints: Complaints, caplog: pytest.LogCaptureFixture
) -> None:
    complaints.add("malformed_json", "payload is not JSON", b"a/b", b"{oops")
    assert [(each.levelname, each.getMessage()) for each in caplog.records] == [
        ("WARNING", "Household Villa: payload is not JSON; topic b'a/b', payload b'{oops'")
    ]


def test_without_a_payload_none_is_named(
    complaints: Complaints, caplog: pytest.LogCaptureFixture
) -> None:
    complaints.add("foreign_topic", "topic is not of this household", b"")
    assert caplog.messages == ["Household Villa: topic is not of this household; topic b''"]


def test_a_cause_is_warned_of_once_a_minute_and_counted_always(
    complaints: Complaints, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    for _ in range(100):
        complaints.add("a", "words", b"t")
    clock.now += 59.9
    complaints.add("a", "words", b"t")
    assert len(caplog.messages) == 1
    clock.now += 0.1
    complaints.add("a", "words", b"t")
    assert len(caplog.messages) == 2
    assert caplog.messages[1].endswith("(100 more of this kind held back)")
    clock.now += 60
    complaints.add("a", "words", b"t")
    assert "held back" not in caplog.messages[2]
    assert complaints.counts == {"a": 103}


def test_each_cause_has_a_minute_of_its_own(
    complaints: Complaints, caplog: pytest.LogCaptureFixture
) -> None:
    for kind in ("a", "b", "a", "b"):
        complaints.add(kind, kind, b"t")
    assert len(caplog.messages) == 2


def test_some_things_are_counted_without_a_warning(
    complaints: Complaints, caplog: pytest.LogCaptureFixture
) -> None:
    complaints.count("unmatched_answer")
    assert complaints.counts == {"unmatched_answer": 1}
    assert not caplog.messages


def test_s15_the_words_of_strangers_cannot_forge_a_line(
    complaints: Complaints, caplog: pytest.LogCaptureFixture
) -> None:
    complaints.add("a", "words", b"t\nERROR all is lost", b"\x1b[31m\r\n\xff\x00")
    (line,) = caplog.messages
    assert line.isprintable()
    assert "\\n" in line
    assert "\\x1b" in line


@pytest.mark.parametrize(
    ("foreign", "shown"),
    [
        (b"x" * 120, repr(b"x" * 120)),
        (b"x" * 121, repr(b"x" * 120) + "…"),
        ("é\u202e\n", "'é\\u202e\\n'"),
        ("x" * 300_000, repr("x" * 120) + "…"),
    ],
)
def test_foreign_words_are_shortened_and_escaped(foreign: bytes | str, shown: str) -> None:
    assert shorten(foreign) == shown
