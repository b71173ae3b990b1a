"""From raw messages to the keys that changed."""

import asyncio
from itertools import groupby
from unittest.mock import patch

import pytest

from custom_components.homesync.client import ConnectionState, Household, NodeState
from custom_components.homesync.client.model import HouseholdModel

from ..transport.link import until
from ..transport.packets import packet, publish
from .villa import NOW, ROOT, Villa
from .virtual_time import on_virtual_time

pytestmark = pytest.mark.usefixtures("socket_enabled")

LATER = "2025-02-06T14:30:05Z"
EARLIER = "2025-02-06T14:29:55Z"


@on_virtual_time
async def test_a_node_appears_by_itself_and_listeners_learn_exactly_what_changed() -> None:
    async with Villa() as villa:
        await villa.arrive("plug-1/status/online", {"online": True, "firmware": "1.2.3"})
        await villa.arrive("plug-1/telemetry/power", {"value": 125.5})
        await villa.arrive("plug-1/telemetry/power", {"value": 125.5})
        await villa.arrive("plug-1/telemetry/power", {"value": 126})
        assert villa.changes == [
            ("plug-1", "status/online", True),
            ("plug-1", "status/firmware", "1.2.3"),
            ("plug-1", "last_seen", NOW),
            ("plug-1", "telemetry/power", 125.5),
            ("plug-1", "telemetry/power", 126),
        ]
        assert villa.node.values["telemetry/power"].unit == "W"
        assert villa.household.counts == {"superseded": 0}


@on_virtual_time
async def test_of_many_values_in_one_batch_only_the_newest_is_applied() -> None:
    async with Villa() as villa:
        villa.peer.send(
            b"".join(
                publish(4, f"{ROOT}/plug-1/telemetry/power".encode(), b'{"value": %d}' % number)
                for number in range(10)
            )
        )
        await villa.settle()
        assert villa.told == [("telemetry/power", 9)]
        assert villa.household.counts["superseded"] == 9


@on_virtual_time
async def test_a_message_that_comes_alone_overtakes_none_that_waits() -> None:
    def message(metric: str, value: int) -> tuple[bytes, bytes, bool]:
        return f"{ROOT}/plug-1/telemetry/{metric}".encode(), b'{"value": %d}' % value, False

    async with Villa() as villa:
        receive = villa.household._intake.receive
        with patch("custom_components.homesync.client.inbox._SLICE_MESSAGES", 1):
            receive([message("power", 1), message("voltage", 1), message("current", 1)])
            receive([message("power", 2)])
            receive([message("current", 2)])
            assert villa.told == [("telemetry/power", 1)]
            await until(lambda: len(villa.told) == 4)
        assert villa.told[1:] == [
            ("telemetry/voltage", 1),
            ("telemetry/current", 2),
            ("telemetry/power", 2),
        ]
        assert villa.household.counts["superseded"] == 1
        receive([message("power", 3)])
        assert villa.told[4:] == [("telemetry/power", 3)]


@on_virtual_time
async def test_f38_of_a_flood_no_more_is_read_than_can_be_handed_on() -> None:
    def message(metric: str, value: int) -> tuple[bytes, bytes, bool]:
        return f"{ROOT}/plug-1/telemetry/{metric}".encode(), b'{"value": %d}' % value, False

    rests: list[float] = []
    async with Villa() as villa:
        receive = villa.household._intake.receive
        with (
            patch("custom_components.homesync.client.inbox._SLICE_MESSAGES", 1),
            patch.object(villa.household._session, "rest_reading", rests.append),
        ):
            receive([message("power", 1), message("voltage", 1), message("current", 1)])
            receive([message("current", 2)])
            assert rests == []
            await asyncio.sleep(0.01)
            assert villa.told == [("telemetry/power", 1), ("telemetry/voltage", 1)]
            receive([message("current", 3)])
            assert rests == [0.002]
            await until(lambda: len(villa.told) == 3)
            receive([message("power", 2), message("power", 3)])
        assert len(rests) == 1
        assert villa.told[2:] == [("telemetry/current", 3), ("telemetry/power", 3)]


@on_virtual_time
async def test_no_status_message_of_a_batch_is_skipped() -> None:
    async with Villa() as villa:
        villa.peer.send(
            b"".join(
                publish(
                    4, f"{ROOT}/plug-1/status/relay".encode(), b'{"state": "%s"}' % state, qos=1
                )
                for state in (b"on", b"off", b"on")
            )
        )
        await villa.settle()
        assert [value for _, value in villa.told] == [True, False, True]


@on_virtual_time
async def test_f36_f60_the_older_of_two_is_dropped_whichever_comes_last() -> None:
    async with Villa() as villa:
        await villa.arrive("plug-1/status/online", {"online": True, "timestamp": LATER})
        await villa.arrive("plug-1/status/online", {"online": False, "timestamp": EARLIER})
        await villa.arrive("plug-1/status/online", {"online": False})
        assert villa.told == [("status/online", True), ("status/online", False)]
        assert villa.household.counts["outdated"] == 1


@on_virtual_time
async def test_f39_empty_payloads_take_values_back_and_the_node_stays() -> None:
    async with Villa() as villa:
        await villa.arrive("plug-1/status/online", {"online": True})
        await villa.arrive("plug-1/status/relay", {"state": "on"})
        await villa.arrive("plug-1/telemetry/power", {"value": 1})
        villa.changes.clear()
        for rest in ("status/relay", "telemetry/power", "telemetry/voltage", "status/online"):
            await villa.arrive(f"plug-1/{rest}", b"")
        assert villa.told == [
            ("status/relay", None),
            ("telemetry/power", None),
            ("status/online", False),
        ]
        assert villa.node.offline


@pytest.mark.parametrize("rest", ["status/online", "status/relay", "telemetry/power"])
@on_virtual_time
async def test_an_empty_payload_makes_no_node(rest: str) -> None:
    async with Villa() as villa:
        await villa.arrive(f"plug-1/{rest}", b"")
        assert not villa.household.nodes
        assert villa.household.counts == {"superseded": 0}


@on_virtual_time
async def test_a_listener_that_leaves_is_told_no_more_and_costs_nobody_a_change() -> None:
    async with Villa() as villa:
        told: list[str] = []

        def once(node: NodeState, keys: tuple[str, ...]) -> None:
            remove()
            told.append("once")

        remove = villa.household.add_change_listener(once)
        villa.household.add_change_listener(lambda node, keys: told.append("always"))
        await villa.arrive("plug-1/telemetry/power", {"value": 1})
        await villa.arrive("plug-1/telemetry/power", {"value": 2})
        assert told == ["once", "always", "always"]


@on_virtual_time
async def test_a_listener_that_fails_is_logged_and_costs_the_others_nothing(
    caplog: pytest.LogCaptureFixture,
) -> None:
    def fail(node: NodeState, keys: tuple[str, ...]) -> None:
        raise ZeroDivisionError

    async with Villa() as villa:
        remove = villa.household.add_change_listener(fail)
        told: list[str] = []
        villa.household.add_change_listener(lambda node, keys: told.extend(keys))
        await villa.arrive("plug-1/telemetry/power", {"value": 1})
        assert told == ["telemetry/power", "last_seen"]
        remove()
        await villa.arrive("plug-1/telemetry/power", {"value": 2})
        assert villa.node.get("telemetry/power") == 2
        assert villa.household.link.state is ConnectionState.CONNECTED
    errors = [each.getMessage() for each in caplog.records if each.levelname == "ERROR"]
    assert errors == ["Household Villa: a listener failed"]


@on_virtual_time
async def test_a_failure_of_our_own_is_logged_and_the_next_message_counts(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async with Villa() as villa:
        with patch.object(HouseholdModel, "apply_reading", side_effect=ZeroDivisionError):
            await villa.arrive("plug-1/telemetry/power", {"value": 1})
        await villa.arrive("plug-1/telemetry/power", {"value": 2})
        assert villa.told == [("telemetry/power", 2)]
    errors = [each.getMessage() for each in caplog.records if each.levelname == "ERROR"]
    assert errors == [
        f"Household Villa: unexpected failure with a message on b'{ROOT}/plug-1/telemetry/power'"
    ]


@on_virtual_time
async def test_values_from_before_a_restart_stand_until_fresh_ones_come() -> None:
    async with Villa() as villa:
        villa.household.restore_value("plug-1", "telemetry/power", 5.0, "kW")
        villa.household.restore_value("plug-1", "status/relay", True)
        assert villa.node.get("status/relay") is True
        await villa.arrive("plug-1/status/relay", {"state": "off"}, retain=True)
        assert villa.told == [("status/relay", False)]
        assert villa.node.get("telemetry/power") == 5.0


@on_virtual_time
async def test_the_state_is_told_to_its_listeners() -> None:
    async with Villa() as villa:
        states: list[ConnectionState] = []
        remove = villa.household.link.add_listener(states.append)
        assert villa.household.link.error is None
        villa.peer.send(packet(0xF0))
        await asyncio.sleep(1)
        await villa.connected()
        told = [state for state, _ in groupby(states)]
        assert told == ["disconnected", "connecting", "connected"]
        remove()
        states.clear()
        household: Household = villa.household
    assert states == []
    assert household.link.state is ConnectionState.STOPPED


@pytest.mark.parametrize("retain", [False, True])
@on_virtual_time
async def test_only_what_is_live_makes_a_node_seen(*, retain: bool) -> None:
    async with Villa() as villa:
        await villa.arrive("plug-1/telemetry/power", {"value": 1}, retain=retain)
        await villa.arrive("plug-2/status/relay", {"state": "on"}, retain=retain)
        seen = [node.last_seen is not None for node in villa.household.nodes.values()]
        assert seen == [not retain] * 2


@on_virtual_time
async def test_f16_what_still_waits_when_all_ends_is_told_to_nobody() -> None:
    loop = asyncio.get_running_loop()

    def work(node: NodeState, keys: tuple[str, ...]) -> None:
        loop._clock.now += 0.005  # type: ignore[attr-defined]  # a test looks inside

    async with Villa() as villa:
        villa.household.add_change_listener(work)
        villa.peer.send(
            b"".join(
                publish(4, f"{ROOT}/plug-1/status/relay".encode(), b'{"state": "%s"}' % state)
                for state in (b"on", b"off") * 1000
            )
        )
        await until(lambda: villa.changes)
        await villa.household.stop()
        told = len(villa.changes)
        assert told < 2000
        await asyncio.sleep(60)
        assert len(villa.changes) == told
