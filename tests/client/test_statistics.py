"""What is told of a household, and of many."""

import asyncio
from dataclasses import asdict
import json

import pytest

from custom_components.homesync.client import (
    Alert,
    Alerts,
    ConnectionState,
    Delivery,
    Figures,
    HouseholdStatistics,
    Outcome,
    Plan,
    Publication,
    Statistics,
    overall,
    read_state,
)
from custom_components.homesync.client.errors import Cause
from custom_components.homesync.client.statistics import Percentiles
from custom_components.homesync.client.transport.statistics import LinkHistory

from ..transport.link import until
from ..transport.packets import publish
from .villa import NOW, ON, QUIET, ROOT, Villa
from .virtual_time import on_virtual_time

pytestmark = pytest.mark.usefixtures("socket_enabled")

POWER = "plug-1/telemetry/power"


def told(villa: Villa) -> HouseholdStatistics:
    return villa.household.statistics.snapshot()


@on_virtual_time
async def test_received_messages_are_told_apart_and_those_that_led_to_nothing() -> None:
    async with Villa(max_nodes=1) as villa:
        await villa.arrive("plug-1/status/online", {"online": True})
        for payload in ({"value": 1}, {"value": "much"}, b"{"):
            await villa.arrive(POWER, payload)
        await villa.arrive("plug-1/status/unheard_of", {})
        await villa.arrive(b"somewhere/else", {})
        await villa.arrive("plug-2/telemetry/power", {"value": 1})
        await villa.arrive("plug-2/status/online", {"online": True})
        await villa.arrive("plug-1/response/command", {"request_id": "a", "status": "success"})
        await villa.arrive("plug-3/response/command", {"request_id": "a", "status": "success"})
        settled = 10  # each a status message of a node that is not there
        received, intake = told(villa).traffic.received, told(villa).intake
        assert received.total == 10 + settled
        assert (received.telemetry, received.status) == (4, 2 + settled)
        assert (received.response, received.other) == (2, 2)
        assert (intake.malformed, intake.refused, intake.conflated) == (4, 2, 0)
        assert intake.causes["unmatched_answer"] == 2
        assert (intake.recent_malformed, intake.recent_refused) == (4, 2)
        nodes = told(villa).nodes
        assert (nodes.total, nodes.online, nodes.refused) == (1, 1, 1)


@on_virtual_time
async def test_messages_of_nodes_that_are_not_accepted_are_a_figure_of_their_own() -> None:
    async with Villa() as villa:
        villa.household.accepts = lambda node_id: node_id == "plug-1"
        await villa.arrive("plug-1/status/online", {"online": True})
        await villa.arrive("plug-2/telemetry/power", {"value": 1})
        await villa.arrive("plug-2/status/online", {"online": True})
        intake = told(villa).intake
        assert (intake.not_accepted, intake.recent_not_accepted) == (2, 2)
        assert (intake.malformed, intake.refused, intake.recent_refused) == (0, 0, 0)
        assert intake.causes == {"node_not_accepted": 2}
        assert told(villa).nodes.refused == 0


@on_virtual_time
async def test_a_burst_is_counted_whole_though_only_the_newest_is_read() -> None:
    async with Villa() as villa:
        await villa.arrive("plug-1/status/online", {"online": True})
        before = told(villa).traffic.received.telemetry
        topic = f"{ROOT}/{POWER}".encode()
        villa.peer.send(b"".join(publish(4, topic, b'{"value": %d}' % n) for n in range(100)))
        await villa.settle()
        assert told(villa).traffic.received.telemetry == before + 100
        assert told(villa).intake.conflated == 99
        assert (told(villa).intake.waiting, told(villa).intake.behind) == (0, 0.0)


@on_virtual_time
async def test_commands_are_counted_by_outcome_and_timed() -> None:
    async with Villa() as villa:
        await villa.arrive("plug-1/status/online", {"online": True})
        for seconds in (1.0, 3.0, 2.0):
            command = await villa.command(timeout=10)
            await asyncio.sleep(seconds)
            await villa.answer()
            assert (await command).outcome is Outcome.CONFIRMED
        await villa.execute(timeout=1, retries=0)
        commands = told(villa).commands
        assert commands.outcomes["confirmed"] == 3
        assert commands.outcomes["timed_out"] == 1
        assert set(commands.outcomes) == {each.value for each in Outcome} - {"queued"}
        assert commands.latency.count == 3
        assert commands.latency.p50 == pytest.approx(2.0, abs=0.5)
        assert commands.latency.p99 == pytest.approx(3.0, abs=0.5)
        assert told(villa).traffic.sent.command == told(villa).traffic.sent.total == 4


@on_virtual_time
async def test_a_queue_has_a_length_and_an_age() -> None:
    async with Villa(broker=QUIET) as villa:
        assert told(villa).commands.oldest is None
        villa.may_reconnect.clear()
        await villa.peer.close()
        await until(lambda: villa.household.link.state is ConnectionState.DISCONNECTED)
        waiting = [villa.execute(f"plug-{n}", queue=True, ttl=3600) for n in range(3)]
        await asyncio.sleep(600)
        waiting.append(villa.execute("plug-9", queue=True, ttl=7200))
        await asyncio.sleep(60)
        commands = told(villa).commands
        assert (commands.waiting, commands.in_flight) == (4, 0)
        assert commands.oldest == pytest.approx(660, abs=5)
        villa.may_reconnect.set()
        await villa.connected()
        await until(lambda: told(villa).commands.in_flight == 4)
        assert told(villa).commands.oldest is None
        villa.household.commands.cancel()
        await asyncio.gather(*waiting)


@pytest.mark.parametrize("jump", [-3600, 3600])
@on_virtual_time
async def test_a_clock_that_is_set_in_an_outage_changes_nothing_of_it(jump: float) -> None:
    async with Villa(broker=QUIET) as villa:
        await asyncio.sleep(7200)
        villa.may_reconnect.clear()
        await villa.peer.close()
        await until(lambda: villa.household.link.state is ConnectionState.DISCONNECTED)
        alerts = Alerts({Alert.DISCONNECTED: 5})
        await asyncio.sleep(240)
        villa.now += jump
        alerts.look(told(villa))
        assert not alerts.raised
        await asyncio.sleep(120)
        alerts.look(told(villa))
        assert alerts.raised == {Alert.DISCONNECTED: pytest.approx(6, abs=0.1)}
        villa.now -= jump
        alerts.look(told(villa))
        assert alerts.raised


@on_virtual_time
async def test_an_outage_counts_from_the_start_without_a_first_connection() -> None:
    history = LinkHistory(asyncio.get_running_loop().time, lambda: NOW)
    await asyncio.sleep(301)
    assert history.seconds_away == pytest.approx(301)
    history.failed(Cause.REFUSED)
    assert history.seconds_away == pytest.approx(301)
    history.connected()
    assert history.seconds_away == 0


@on_virtual_time
async def test_times_of_connections_and_of_this_start() -> None:
    async with Villa(broker=QUIET) as villa:
        await asyncio.sleep(100)
        first = told(villa).connection
        assert (first.since, first.connects) == (NOW, 1)
        assert first.seconds == pytest.approx(100, abs=2)
        villa.may_reconnect.clear()
        await villa.peer.close()
        await until(lambda: villa.household.link.state is ConnectionState.DISCONNECTED)
        await asyncio.sleep(50)
        away = told(villa).connection
        assert (away.since, away.seconds, away.transport) == (None, 0.0, None)
        assert away.connected_seconds == pytest.approx(100, abs=3)
        assert first.away_seconds == 0.0
        assert away.away_seconds == pytest.approx(50, abs=3)
        assert away.uptime == pytest.approx(150, abs=5)
        assert (away.last_disconnect, away.last_disconnect_at) == ("closed", NOW)
        assert away.next_attempt is not None
        assert away.next_attempt >= NOW
        villa.turned_away = 1
        villa.may_reconnect.set()
        await villa.connected()
        back = told(villa).connection
        assert back.away_seconds == 0.0
        assert (back.connects, back.failed, dict(back.failures)) == (2, 1, {"closed": 1})
        assert (back.recent_connects, back.recent_failed) == (2, 1)
        assert back.failure_rate == pytest.approx(1 / 3)
        assert back.disconnects == {"closed": 1}
        assert back.next_attempt is None
        await asyncio.sleep(1000)
        later = told(villa).connection
        assert (later.recent_connects, later.failure_rate) == (0, None)


@on_virtual_time
async def test_rates_and_recent_failures_come_from_samples() -> None:
    async with Villa(broker=QUIET) as villa:
        assert told(villa).rates is None
        villa.acknowledges = True
        villa.household.publish(Publication("villa/note", b""))
        await until(lambda: told(villa).publishing.succeeded == 1)
        await asyncio.sleep(60)
        rates = told(villa).rates
        assert rates is not None
        assert rates.messages_sent == 1
        assert rates.bytes_sent >= 16
        assert told(villa).publishing.recent_succeeded == 1
        await asyncio.sleep(900)
        assert told(villa).publishing.recent_succeeded == 0
        assert told(villa).publishing.succeeded == 1
        assert told(villa).publishing.failure_rate is None


@on_virtual_time
async def test_everything_goes_on_after_a_restart() -> None:
    async with Villa(plan=Plan(bytes_a_month=1000)) as villa:
        await villa.arrive("plug-1/status/online", {"online": True})
        await villa.execute(timeout=1, retries=0)
        await villa.peer.close()
        await until(lambda: told(villa).connection.connects == 2)
        await villa.household.stop()
        before = told(villa)
        fields = json.dumps(villa.household.statistics.state().fields())
    async with Villa(plan=Plan(bytes_a_month=1000)) as again:
        fresh = told(again)
        again.household.statistics.restore(read_state(json.loads(fields)))
        after = told(again)
    assert after.since == before.since
    assert after.traffic.received.status == before.traffic.received.status
    assert after.traffic.bytes_sent == before.traffic.bytes_sent + fresh.traffic.bytes_sent
    assert after.commands.outcomes == before.commands.outcomes
    assert after.connection.connects == before.connection.connects + 1 == 3
    assert after.connection.disconnects == before.connection.disconnects
    assert after.intake.causes == before.intake.causes
    assert after.budget.bytes == before.budget.bytes + fresh.budget.bytes
    assert after.budget.share == after.budget.bytes / 1000


@on_virtual_time
async def test_the_month_of_the_household_is_that_of_the_wall_clock() -> None:
    async with Villa(broker=QUIET) as villa:
        await asyncio.sleep(60)
        used = told(villa).budget
        assert (used.month, used.last_month) == ("2025-02", None)
        assert used.bytes == sum(villa_bytes(villa)) > 0
        villa.now += 30 * 86_400
        await asyncio.sleep(10)
        changed = told(villa).budget
        assert (changed.month, changed.last_month) == ("2025-03", "2025-02")
        assert changed.last_month_bytes is not None
        assert changed.bytes + changed.last_month_bytes == sum(villa_bytes(villa))


def villa_bytes(villa: Villa) -> tuple[int, int]:
    traffic = told(villa).traffic
    return traffic.bytes_received, traffic.bytes_sent


@on_virtual_time
async def test_connections_of_a_plan_are_ours_and_those_of_nodes_online() -> None:
    async with Villa(plan=Plan(connections=10)) as villa:
        for node, online in (("plug-1", True), ("plug-2", True), ("plug-3", False)):
            await villa.arrive(f"{node}/status/online", {"online": online})
        used = told(villa).budget
        assert (used.connections, used.connections_share) == (3, 0.3)


@on_virtual_time
async def test_who_registers_is_told_of_among_the_others() -> None:
    async with Villa(broker=QUIET) as villa:
        statistics: Statistics = villa.household.statistics
        sent = 0
        end = statistics.register(
            "publisher", lambda: Figures(counters={"sent": sent}, gauges={"queue": 2})
        )
        await asyncio.sleep(20)
        sent = 30
        await asyncio.sleep(20)
        other = told(villa).others["publisher"]
        assert (dict(other.counters), dict(other.gauges)) == ({"sent": 30}, {"queue": 2})
        assert other.recent == {"sent": 30}
        assert other.per_minute is not None
        assert other.per_minute["sent"] > 0
        with pytest.raises(ValueError, match="traffic"):
            statistics.register("traffic", lambda: Figures(counters={}))
        end()
        assert told(villa).others == {}
        assert statistics.state().counters["publisher"] == {"sent": 30}


@on_virtual_time
async def test_all_of_it_is_json() -> None:
    async with Villa() as villa:
        villa.household.statistics.register("other", lambda: Figures(counters={"a": 1}))
        content = json.loads(json.dumps(asdict(told(villa))))
        assert content["connection"]["state"] == "connected"
        assert content["others"]["other"]["counters"] == {"a": 1}


@on_virtual_time
async def test_households_add_up() -> None:
    async with Villa() as villa, Villa() as chalet:
        await villa.arrive("plug-1/status/online", {"online": True})
        await chalet.arrive("plug-1/status/online", {"online": False})
        chalet.may_reconnect.clear()
        await chalet.peer.close()
        await until(lambda: chalet.household.link.state is ConnectionState.DISCONNECTED)
        both = overall((told(villa), told(chalet)))
        assert (both.households, both.active_households) == (2, 1)
        assert (both.connections, both.active_connections) == (2, 1)
        assert (both.nodes, both.nodes_online, both.connected_since) == (2, 1, NOW)
        assert both.messages_received == 4
        assert both.subscriptions == told(villa).connection.subscriptions
        await chalet.household.stop()
        assert overall((told(chalet),)).connections == 0
    nobody = overall(())
    assert (nobody.households, nobody.connected_since) == (0, None)


def test_percentiles_are_values_that_occurred() -> None:
    assert Percentiles.of(()) == Percentiles(count=0, p50=None, p95=None, p99=None)
    assert Percentiles.of((7.0,)) == Percentiles(count=1, p50=7.0, p95=7.0, p99=7.0)
    hundred = Percentiles.of([float(n) for n in range(100, 0, -1)])
    assert hundred == Percentiles(count=100, p50=50.0, p95=95.0, p99=99.0)


@on_virtual_time
async def test_only_the_last_latencies_are_kept() -> None:
    async with Villa() as villa:
        villa.household.commands.latencies.extend(float(n) for n in range(700))
        latency = told(villa).commands.latency
        assert (latency.count, latency.p50) == (500, 449.0)


@on_virtual_time
async def test_nothing_is_left_running_when_a_household_stops() -> None:
    villa = Villa()
    async with villa:
        await asyncio.sleep(30)
    assert told(villa).connection.state is ConnectionState.STOPPED
    assert told(villa).connection.disconnects == {"stopped": 1}
    assert (await villa.household.commands.execute("plug-1", ON, Delivery())).outcome
