"""What a household does not take, and the limits of what it takes."""

import asyncio
from unittest.mock import patch

import pytest

from custom_components.homesync.client import NodeState, household, inbox, intake

from ..transport.link import LOGGER
from ..transport.packets import publish
from .villa import ROOT, Villa
from .virtual_time import on_virtual_time

pytestmark = pytest.mark.usefixtures("socket_enabled")


def warnings(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [
        each.getMessage()
        for each in caplog.records
        if each.name == LOGGER.name and each.levelname == "WARNING"
    ]


@pytest.mark.parametrize(
    ("rest", "payload", "kind"),
    [
        ("plug-1/telemetry/power", b"{oops", "malformed_json"),
        ("plug-1/telemetry/power", b"null", "malformed_json"),
        ("plug-1/telemetry/power", b'{"value": true}', "invalid_field"),
        ("plug-1/telemetry/power", b'{"value": 1e10}', "out_of_range"),
        ("plug-1/telemetry/power", b'{"value": 1, "unit": "V"}', "unknown_unit"),
        ("plug-1/status/relay", b"on", "malformed_json"),
        ("plug-1/status/relay", b'{"state": 1}', "invalid_field"),
        ("plug-1/response/command", b"[]", "malformed_json"),
        ("plug-1/response/command", b'{"status": "success"}', "invalid_field"),
        ("plug-1/status/nonsense", b"{}", "unknown_topic"),
        ("_echo/status/relay", b"{}", "invalid_topic"),
        ("plug-1/status/re\0lay", b"{}", "invalid_topic"),
    ],
)
@on_virtual_time
async def test_f33_f34_what_makes_no_sense_is_warned_of_counted_and_changes_nothing(
    rest: str, payload: bytes, kind: str, caplog: pytest.LogCaptureFixture
) -> None:
    async with Villa() as villa:
        await villa.arrive("plug-1/telemetry/power", {"value": 5})
        await villa.arrive("plug-1/status/relay", {"state": "on"})
        villa.changes.clear()
        for _ in range(3):
            await villa.arrive(rest, payload)
        assert villa.changes == []
        assert villa.household.counts[kind] == 3
        (line,) = warnings(caplog)
        assert line.startswith("Household Villa: ")
        assert repr(f"{ROOT}/{rest}".encode())[1:] in line
        await villa.arrive("plug-1/telemetry/power", {"value": 6})
        assert villa.told == [("telemetry/power", 6)]


@pytest.mark.parametrize(
    "topic",
    [b"", b"\xff\xfe", b"a\0b", b"x" * 65_535, b"homesync/chalet/nodes/n/status/relay"],
    ids=["empty", "no UTF-8", "NUL", "longest", "another household's"],
)
@on_virtual_time
async def test_f27_a_topic_of_nobody_is_dropped_with_one_line_a_minute(
    topic: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    async with Villa() as villa:
        for _ in range(5):
            await villa.arrive(topic, b"{}")
        assert villa.household.counts["foreign_topic"] == 5
        assert len(warnings(caplog)) == 1
        assert len(warnings(caplog)[0]) < 600
        await asyncio.sleep(60)
        await villa.arrive(topic, b"{}")
        assert "(4 more of this kind held back)" in warnings(caplog)[1]
        assert not villa.household.nodes


@on_virtual_time
async def test_f34_one_bad_field_is_counted_and_the_others_are_applied() -> None:
    async with Villa() as villa:
        await villa.arrive("plug-1/status/online", {"online": True, "rssi": "x", "relay": "on"})
        assert villa.told == [("status/online", True), ("status/relay", True)]
        assert villa.household.counts["invalid_field"] == 1


@on_virtual_time
async def test_f26_a_large_message_is_counted_and_warned_of(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async with Villa() as villa:
        await villa.arrive("plug-1/telemetry/power", bytes(300_000))
        assert villa.household.counts["payload_too_large"] == 1
        assert "too large" in warnings(caplog)[0]


@on_virtual_time
async def test_s04_strangers_become_nodes_only_up_to_the_limit() -> None:
    async with Villa(max_nodes=3) as villa:
        villa.household.restore_node("plug-1")
        for number in range(50):
            await villa.arrive(f"n-{number}/telemetry/power", {"value": number})
        assert list(villa.household.nodes) == ["plug-1", "n-0", "n-1"]
        assert villa.household.counts["node_refused"] == 48
        assert villa.refused == [f"n-{number}" for number in range(2, 50)]
        villa.household.remove_node("n-0")
        await villa.arrive("n-9/status/online", {"online": True})
        assert list(villa.household.nodes) == ["plug-1", "n-1", "n-9"]


@on_virtual_time
async def test_s04_the_last_place_is_given_once_within_a_batch() -> None:
    async with Villa(max_nodes=1) as villa:
        villa.peer.send(
            b"".join(
                publish(4, f"{ROOT}/n-{number}/telemetry/power".encode(), b'{"value": 1}')
                for number in range(3)
            )
        )
        await villa.settle()
        assert list(villa.household.nodes) == ["n-0"]
        assert villa.refused == ["n-1", "n-2"]


@on_virtual_time
async def test_without_a_listener_a_refused_node_is_only_counted() -> None:
    async with Villa(max_nodes=0) as villa:
        villa.household.on_node_refused = household._nobody_cares
        await villa.arrive("n/status/online", {"online": True})
        assert villa.household.counts["node_refused"] == 1


@pytest.mark.parametrize("asked", ["on_node_refused", "accepts"])
@on_virtual_time
async def test_somebody_who_fails_when_asked_about_a_node_does_not_end_the_connection(
    asked: str, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(_: str) -> bool:
        raise ZeroDivisionError

    async with Villa(max_nodes=1) as villa:
        villa.household.restore_node("plug-1")
        setattr(villa.household, asked, fail)
        await villa.arrive("stranger/telemetry/power", {"value": 1})
        await villa.arrive("plug-1/telemetry/power", {"value": 2})
        assert villa.node.get("telemetry/power") == 2
        assert list(villa.household.nodes) == ["plug-1"]
        assert len(villa.broker.peers) == 1
    errors = [each.getMessage() for each in caplog.records if each.levelname == "ERROR"]
    assert errors == [
        f"Household Villa: unexpected failure with a message on b'{ROOT}/stranger/telemetry/power'"
    ]


@on_virtual_time
async def test_the_last_place_is_given_once_to_whoever_tells_a_status_first() -> None:
    async with Villa(max_nodes=1) as villa:
        villa.peer.send(
            b"".join(
                publish(4, f"{ROOT}/n-{number}/status/online".encode(), b'{"online": true}')
                for number in range(3)
            )
        )
        await villa.settle()
        assert list(villa.household.nodes) == ["n-0"]
        assert villa.refused == ["n-1", "n-2"]


@on_virtual_time
async def test_what_waits_for_a_node_that_is_being_removed_takes_nothing_back() -> None:
    async with Villa() as villa:
        await villa.arrive("plug-1/telemetry/power", {"value": 1})

        def remove(node: NodeState, keys: tuple[str, ...]) -> None:
            villa.household.remove_node(node.node_id)

        villa.household.add_change_listener(remove)
        villa.peer.send(
            publish(4, f"{ROOT}/plug-1/status/relay".encode(), b'{"state": "on"}')
            + publish(4, f"{ROOT}/plug-1/telemetry/power".encode(), b"")
            + publish(4, f"{ROOT}/plug-1/status/rssi".encode(), b"")
        )
        await villa.settle()
        assert not villa.household.nodes


@on_virtual_time
async def test_what_waits_for_a_node_that_was_removed_brings_it_back_only_if_it_is_wanted() -> None:
    async with Villa() as villa:
        await villa.arrive("plug-1/status/online", {"online": True})
        asked: list[str] = []

        def is_accepted(node_id: str) -> bool:
            asked.append(node_id)
            return False

        def remove(node: NodeState, keys: tuple[str, ...]) -> None:
            villa.household.accepts = is_accepted
            villa.household.remove_node(node.node_id)

        villa.household.add_change_listener(remove)
        villa.peer.send(
            publish(4, f"{ROOT}/plug-1/telemetry/power".encode(), b'{"value": 1}')
            + publish(4, f"{ROOT}/plug-1/telemetry/voltage".encode(), b'{"value": 1}')
        )
        await villa.settle()
        assert not villa.household.nodes
        assert asked == ["plug-1"]


@on_virtual_time
async def test_s04_so_many_topics_are_remembered_and_the_others_work_all_the_same() -> None:
    with patch.object(intake, "_MAX_ROUTES", 2):
        async with Villa() as villa:
            villa.household.restore_node("plug-1")
            for number in range(5):
                await villa.arrive(f"plug-1/telemetry/own-{number}", {"value": number})
            assert len(villa.household._intake._routes) == 2
            assert [value for _, value in villa.told] == [0, 1, 2, 3, 4]


@on_virtual_time
async def test_f38_when_too_much_waits_reading_pauses_until_there_is_room() -> None:
    async with Villa() as villa:
        session = villa.household._session
        with (
            patch.object(inbox, "_FULL", 1000),
            patch.object(inbox, "_ROOM", 250),
            patch.object(session, "pause_reading", wraps=session.pause_reading) as pause,
            patch.object(session, "resume_reading", wraps=session.resume_reading) as resume,
        ):
            villa.peer.send(
                b"".join(
                    publish(4, f"{ROOT}/plug-1/telemetry/own-{number}".encode(), b'{"value": 1}')
                    for number in range(30)
                )
            )
            await villa.settle()
        assert pause.call_count == resume.call_count == 1
        assert len(villa.told) == 30
        await villa.arrive("plug-1/telemetry/power", {"value": 1})
        assert villa.node.get("telemetry/power") == 1


@on_virtual_time
async def test_what_others_say_where_probes_go_makes_no_node_and_no_noise(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async with Villa() as villa:
        before = villa.household.counts
        await villa.arrive("_echo/status/online", b"not a probe of ours")
        assert villa.household.counts == before
        assert not villa.household.nodes
    assert not warnings(caplog)
