"""Telemetry is thinned when a plan is used up, and everything else goes on."""

import asyncio
from types import SimpleNamespace
from typing import Any

import pytest

from custom_components.homesync.client import ConnectionState, Outcome, Plan, Publication, thinning
from custom_components.homesync.client.transport.echo import Echo
from tests.broker import Mosquitto

from ..transport.link import until
from ..transport.packets import SUBSCRIBE, UNSUBSCRIBE, read_filters
from .home import Home, Stranger
from .villa import QUIET, ROOT, Villa
from .virtual_time import on_virtual_time

pytestmark = pytest.mark.usefixtures("socket_enabled")

USED_UP = Plan(bytes_a_month=1, stops=True)
TELEMETRY = f"{ROOT}/+/telemetry/+"
OTHERS = [f"{ROOT}/+/status/+", f"{ROOT}/+/response/+"]
COMMANDS = f"{ROOT}/+/command/+"
_ASKED = {SUBSCRIBE: "subscribe", UNSUBSCRIBE: "unsubscribe"}


def villa_of(plan: Plan = USED_UP, *, thin_at_limit: bool = True, **broker: Any) -> Villa:
    return Villa(broker={**QUIET, **broker}, plan=plan, thin_at_limit=thin_at_limit)


def look(home: Home | Villa) -> None:
    home.household.keep_to_plan(home.household.statistics.snapshot().budget)


def is_thinned(home: Home | Villa) -> bool:
    return home.household.thinned


def asked(villa: Villa) -> list[tuple[str, list[str]]]:
    """What the broker was asked for, but for the search for retained commands."""
    found = []
    for packet in villa.peer.received:
        if (what := _ASKED.get(packet[0])) is not None:
            filters = read_filters(packet, villa.peer.version)
            if filters != [COMMANDS]:
                found.append((what, filters))
    return found


@on_virtual_time
async def test_telemetry_comes_in_windows_once_the_plan_is_used_up() -> None:
    async with villa_of() as villa:
        assert asked(villa) == [("subscribe", [TELEMETRY, *OTHERS])]
        assert not is_thinned(villa)
        look(villa)
        assert is_thinned(villa)
        await until(lambda: asked(villa)[1:] == [("unsubscribe", [TELEMETRY])])
        await asyncio.sleep(869)
        assert len(asked(villa)) == 2
        await asyncio.sleep(2)
        assert asked(villa)[2:] == [("subscribe", [TELEMETRY])]
        await asyncio.sleep(28)
        assert len(asked(villa)) == 3
        await asyncio.sleep(3)
        assert asked(villa)[3:] == [("unsubscribe", [TELEMETRY])]
        await asyncio.sleep(900)
        assert len(asked(villa)) == 6


@on_virtual_time
async def test_commands_go_on() -> None:
    async with villa_of() as villa:
        look(villa)
        await villa.arrive("plug-1/status/online", {"online": True})
        command = await villa.command()
        await villa.answer()
        assert (await command).outcome is Outcome.CONFIRMED


@pytest.mark.parametrize(
    ("plan", "thin_at_limit"),
    [
        (USED_UP, False),
        (Plan(bytes_a_month=1), True),
        (Plan(stops=True), True),
        (Plan(bytes_a_month=1_000_000, stops=True), True),
    ],
    ids=["not chosen", "a plan that goes on", "no limit", "not used up"],
)
@on_virtual_time
async def test_otherwise_nothing_is_thinned(plan: Plan, thin_at_limit: bool) -> None:
    async with villa_of(plan, thin_at_limit=thin_at_limit) as villa:
        look(villa)
        await asyncio.sleep(1000)
        assert not is_thinned(villa)
        assert asked(villa) == [("subscribe", [TELEMETRY, *OTHERS])]


async def reconnected(villa: Villa) -> None:
    before = len(villa.broker.peers)
    await villa.peer.close()
    await until(lambda: len(villa.broker.peers) > before)
    await villa.connected()


@on_virtual_time
async def test_a_reconnect_does_not_end_it() -> None:
    async with villa_of() as villa:
        look(villa)
        await reconnected(villa)
        assert asked(villa)[0] == ("subscribe", OTHERS)
        await asyncio.sleep(895)
        assert ("subscribe", [TELEMETRY]) in asked(villa)


@on_virtual_time
async def test_a_broker_that_kept_the_session_is_told_to_stop() -> None:
    async with villa_of(session_expiry=3600) as villa:
        look(villa)
        await asyncio.sleep(880)
        assert asked(villa)[-1] == ("subscribe", [TELEMETRY])
        await reconnected(villa)
        await until(lambda: asked(villa) == [("subscribe", OTHERS), ("unsubscribe", [TELEMETRY])])


@on_virtual_time
async def test_a_new_month_ends_it() -> None:
    async with villa_of(Plan(bytes_a_month=50, stops=True), session_expiry=3600) as villa:
        look(villa)
        assert is_thinned(villa)
        villa.now += 30 * 86_400
        look(villa)
        assert not is_thinned(villa)
        await until(lambda: asked(villa)[-1] == ("subscribe", [TELEMETRY]))
        await asyncio.sleep(2000)
        assert asked(villa)[-1] == ("subscribe", [TELEMETRY])
        assert villa.household.statistics.snapshot().connection.subscriptions == 3
        await reconnected(villa)
        await asyncio.sleep(10)
        assert asked(villa) == [("subscribe", [TELEMETRY, *OTHERS])]


@on_virtual_time
async def test_what_ends_within_a_window_is_not_left_out_after_a_reconnect() -> None:
    async with villa_of(Plan(bytes_a_month=50, stops=True), session_expiry=3600) as villa:
        look(villa)
        await asyncio.sleep(880)
        assert asked(villa)[-1] == ("subscribe", [TELEMETRY])
        villa.now += 30 * 86_400
        look(villa)
        await asyncio.sleep(5)
        assert villa.household.statistics.snapshot().connection.subscriptions == 3
        await reconnected(villa)
        await asyncio.sleep(100)
        assert asked(villa) == [("subscribe", [TELEMETRY, *OTHERS])]


async def lost(villa: Villa) -> None:
    villa.may_reconnect.clear()
    await villa.peer.close()
    await until(lambda: villa.household.link.state is ConnectionState.DISCONNECTED)


async def regained(villa: Villa) -> None:
    villa.may_reconnect.set()
    await villa.connected()


@on_virtual_time
async def test_what_begins_without_a_connection_begins_with_a_window() -> None:
    async with villa_of() as villa:
        await lost(villa)
        look(villa)
        await regained(villa)
        assert asked(villa)[0] == ("subscribe", OTHERS)
        window = [("unsubscribe", [TELEMETRY]), ("subscribe", [TELEMETRY])]
        await until(lambda: asked(villa)[1:] == window, seconds=15)
        await asyncio.sleep(32)
        assert asked(villa)[3:] == [("unsubscribe", [TELEMETRY])]
        await asyncio.sleep(860)
        assert len(asked(villa)) == 4


@on_virtual_time
async def test_a_window_that_is_missed_is_made_up_for() -> None:
    async with villa_of() as villa:
        look(villa)
        await asyncio.sleep(860)
        await lost(villa)
        await asyncio.sleep(60)
        await regained(villa)
        await until(lambda: ("subscribe", [TELEMETRY]) in asked(villa), seconds=15)


@on_virtual_time
async def test_a_window_that_is_cut_short_is_opened_again() -> None:
    async with villa_of() as villa:
        look(villa)
        await asyncio.sleep(880)
        assert asked(villa)[-1] == ("subscribe", [TELEMETRY])
        await reconnected(villa)
        await until(lambda: asked(villa)[-1] == ("subscribe", [TELEMETRY]), seconds=30)
        await asyncio.sleep(29)
        assert asked(villa)[-1] == ("subscribe", [TELEMETRY])
        await asyncio.sleep(3)
        assert asked(villa)[-1] == ("unsubscribe", [TELEMETRY])


@on_virtual_time
async def test_a_connection_that_never_lasts_is_given_three_windows() -> None:
    async with villa_of() as villa:
        look(villa)
        await asyncio.sleep(870)
        windows = 0
        for _ in range(20):
            await asyncio.sleep(20)
            windows += ("subscribe", [TELEMETRY]) in asked(villa)
            await reconnected(villa)
        assert windows == 3


@on_virtual_time
async def test_what_ends_while_connecting_is_taken_up_all_the_same() -> None:
    async with villa_of(Plan(bytes_a_month=50, stops=True)) as villa:
        look(villa)
        villa.may_reconnect.clear()
        await villa.peer.close()
        await until(lambda: villa.household.link.state is ConnectionState.DISCONNECTED)
        hurried = False

        def on_state(state: ConnectionState) -> None:
            nonlocal hurried
            if state is ConnectionState.CONNECTING and not hurried:
                hurried = True
                # The attempt has been given its subscriptions when this runs.
                asyncio.get_running_loop().call_soon(end_the_month)

        def end_the_month() -> None:
            villa.now += 30 * 86_400
            look(villa)

        villa.household.link.add_listener(on_state)
        villa.may_reconnect.set()
        await villa.connected()
        assert asked(villa)[0] == ("subscribe", OTHERS)
        await until(lambda: ("subscribe", [TELEMETRY]) in asked(villa), seconds=20)


@on_virtual_time
async def test_what_begins_while_connecting_is_left_out_all_the_same() -> None:
    async with villa_of() as villa:
        villa.may_reconnect.clear()
        await villa.peer.close()
        await until(lambda: villa.household.link.state is ConnectionState.DISCONNECTED)
        begun = asyncio.Event()

        def on_state(state: ConnectionState) -> None:
            if state is ConnectionState.CONNECTING and not begun.is_set():
                begun.set()
                asyncio.get_running_loop().call_soon(look, villa)

        villa.household.link.add_listener(on_state)
        villa.may_reconnect.set()
        await villa.connected()
        assert asked(villa)[0] == ("subscribe", [TELEMETRY, *OTHERS])
        await until(lambda: ("unsubscribe", [TELEMETRY]) in asked(villa))


def sent(mosquitto: Mosquitto, leaf: str) -> int:
    """How many messages of a topic the broker sent to the household, by its own account."""
    return sum(
        "Sending PUBLISH to hs-villa" in line and f"plug-1/{leaf}'" in line
        for line in mosquitto.log.splitlines()
    )


async def test_a_real_broker_sends_no_telemetry_but_in_windows(
    mosquitto: Mosquitto, monkeypatch: pytest.MonkeyPatch
) -> None:
    over = [asyncio.Event() for _ in range(3)]
    waits = iter(over)

    async def wait(_: float) -> None:
        await next(waits).wait()

    in_tests_hand = SimpleNamespace(sleep=wait, get_running_loop=asyncio.get_running_loop)
    monkeypatch.setattr(thinning, "asyncio", in_tests_hand)
    async with (
        Home(mosquitto, plan=USED_UP, thin_at_limit=True) as home,
        Stranger(mosquitto) as node,
    ):

        async def report(power: int, rssi: int) -> None:
            node.publish("villa/nodes/plug-1/telemetry/power", f'{{"value": {power}}}')
            # On one connection nothing overtakes: the broker is done with what came before.
            node.publish("villa/nodes/plug-1/status/rssi", f'{{"value": {rssi}}}')
            await home.knows("status/rssi", rssi)

        def subscriptions() -> int:
            return home.household.statistics.snapshot().connection.subscriptions

        def unsubscribed() -> int:
            return mosquitto.log.count("Received UNSUBSCRIBE from hs-villa")

        await report(1, -50)
        # The search for retained commands is over.
        await until(lambda: unsubscribed() == 1)
        assert subscriptions() == len((TELEMETRY, *OTHERS))
        look(home)
        assert subscriptions() == len(OTHERS)
        await until(lambda: unsubscribed() == 2)
        await report(2, -51)
        assert sent(mosquitto, "telemetry/power") == 1
        assert home.plug.get("telemetry/power") == 1

        over[0].set()
        await until(lambda: subscriptions() == len((TELEMETRY, *OTHERS)))
        await until(lambda: mosquitto.log.count("Sending SUBACK to hs-villa") == 3)
        await report(3, -52)
        await home.knows("telemetry/power", 3)
        over[1].set()
        await until(lambda: subscriptions() == len(OTHERS))
        await until(lambda: unsubscribed() == 3)
        await report(4, -53)
        assert sent(mosquitto, "telemetry/power") == 2


async def test_a_restart_does_not_end_it_and_nothing_is_missed_by_the_echo(
    mosquitto: Mosquitto,
) -> None:
    async with Home(mosquitto) as before:
        await until(lambda: before.household.link.echo is not None)
    # The broker counts in its log what clients subscribe to.
    telemetry_before = mosquitto.log.count(f"{TELEMETRY} (QoS")
    again = Home(mosquitto, plan=USED_UP, thin_at_limit=True)
    again.household.statistics.restore(before.household.statistics.state())
    look(again)
    async with again:
        await until(lambda: again.household.link.echo is not None)
        assert is_thinned(again)
        assert again.household.link.echo is not None
        assert again.household.link.echo.unproven == ()
    assert telemetry_before
    assert mosquitto.log.count(f"{TELEMETRY} (QoS") == telemetry_before


def test_an_echo_under_way_does_not_miss_what_is_left_out_meanwhile() -> None:
    sent: list[Publication] = []
    echo = Echo([("a/+", "a/echo"), ("b/+", "b/echo")], sent.append, lambda: 0.0)
    echo.start()
    assert echo.received(b"a/echo", sent[0].payload)
    assert echo.result().unproven == ("b/+",)
    echo.skip(frozenset({"b/+"}))
    assert echo.complete
    echo.start()
    assert [each.topic for each in sent] == ["a/echo", "b/echo", "a/echo"]
    echo.skip(frozenset())
    echo.start()
    assert echo.result().unproven == ("a/+", "b/+")
