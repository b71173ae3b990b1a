"""Figures as they change, over the WebSocket."""

import asyncio
from collections.abc import Iterator
from typing import Any
from unittest.mock import patch

from homeassistant.core import HomeAssistant
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry
from pytest_homeassistant_custom_component.typing import MockHAClientWebSocket, WebSocketGenerator

from custom_components.homesync import api
from custom_components.homesync.live_statistics import _EVERY, changes
from tests.broker import Mosquitto

from ..asking import ask, event, steady
from ..conftest import SetUp
from ..figures import at_rest
from ..lookup import coordinator
from ..waiting import reached
from ..wire import Wire


@pytest.fixture(autouse=True)
def _fast() -> Iterator[None]:
    """Look more often than once a second; that it is once a second has its own test."""
    with patch("custom_components.homesync.live_statistics._EVERY", 0.02):
        yield


def lay_over(before: dict[str, Any], change: dict[str, Any]) -> dict[str, Any]:
    """Do with a change what a subscriber has to do."""
    after = dict(before)
    for key, value in change.items():
        old = after.get(key)
        both = isinstance(old, dict) and isinstance(value, dict)
        after[key] = lay_over(old or {}, value) if both else value
    return after


async def test_live_figures_are_what_changed(
    hass: HomeAssistant, *, client: MockHAClientWebSocket, entry: MockConfigEntry, wire: Wire
) -> None:
    await at_rest(entry)
    await ask(client, type="homesync/stats/subscribe")
    first = await event(client)
    assert first.pop("type") == "snapshot"
    received = first["summary"]["messages_received"]

    wire.say("telemetry/power", {"value": 42})
    told = first
    while told["summary"]["messages_received"] == received:
        update = await event(client)
        assert update.pop("type") == "update"
        assert "name" not in update.get("households", {}).get(entry.entry_id, {})
        told = lay_over(told, update)

    figures = told["households"][entry.entry_id]["statistics"]
    now = coordinator(entry).household.statistics.snapshot()
    assert steady(figures["traffic"]) == steady(api.plain(now.traffic))


async def test_nothing_is_told_while_only_the_clock_goes_on(
    hass: HomeAssistant, *, client: MockHAClientWebSocket, entry: MockConfigEntry, set_up: SetUp
) -> None:
    looks = 0
    original = api.household_statistics

    def look(*args: Any) -> Any:
        nonlocal looks
        looks += 1
        return original(*args)

    await at_rest(entry)
    with patch.object(api, "household_statistics", look):
        await ask(client, type="homesync/stats/subscribe")
        await event(client)
        before = looks
        await reached(lambda: looks > before + 5)
        coordinator(entry).household.statistics.node_refused("new")
        update = await event(client)

    changed = update["households"][entry.entry_id]["statistics"]
    assert changed["nodes"] == {"refused": 1}
    assert changed.keys() >= {"at", "connection", "nodes"}
    assert changed["connection"].keys() == {"seconds", "connected_seconds", "uptime"}


async def test_only_one_household_is_told_of_if_one_is_asked_for(
    hass: HomeAssistant,
    *,
    client: MockHAClientWebSocket,
    entry: MockConfigEntry,
    set_up: SetUp,
    mosquitto: Mosquitto,
) -> None:
    await ask(client, type="homesync/stats/subscribe", household_id="villa")
    first = await event(client)
    assert first.keys() == {"type", "households"}
    assert first["households"].keys() == {entry.entry_id}

    await set_up(mosquitto.port, "cabin", title="Cabin")
    assert await hass.config_entries.async_unload(entry.entry_id)
    told = lay_over(first, await event(client))
    while told["households"][entry.entry_id]["loaded"]:
        told = lay_over(told, await event(client))

    assert told["households"].keys() == {entry.entry_id}


async def test_a_household_that_is_removed_is_taken_back(
    hass: HomeAssistant,
    *,
    client: MockHAClientWebSocket,
    entry: MockConfigEntry,
    set_up: SetUp,
    mosquitto: Mosquitto,
) -> None:
    await ask(client, type="homesync/stats/subscribe")
    await event(client)
    assert await hass.config_entries.async_remove(entry.entry_id)

    households: dict[str, Any] = {}
    while households.get(entry.entry_id, 1) is not None:
        households = (await event(client)).get("households", {})


def test_live_figures_come_once_a_second() -> None:
    assert _EVERY == 1


async def test_one_look_serves_all_and_the_last_ends_it(
    hass: HomeAssistant,
    *,
    client: MockHAClientWebSocket,
    entry: MockConfigEntry,
    hass_ws_client: WebSocketGenerator,
) -> None:
    def looking() -> int:
        return sum(each.get_name() == "homesync statistics" for each in asyncio.all_tasks())

    other = await hass_ws_client()
    for each in (client, other):
        await ask(each, type="homesync/stats/subscribe")
        await event(each)
    assert looking() == 1

    await client.close()
    await other.close()
    await reached(lambda: not looking())


def test_what_changed_lies_over_what_was() -> None:
    before = {"a": 1, "b": {"c": 1, "d": 2}, "gone": {"x": 1}, "e": None}
    after = {"a": 1, "b": {"c": 3, "d": 2}, "e": {"new": 1}}

    assert changes(before, after) == {"b": {"c": 3}, "gone": None, "e": {"new": 1}}
    assert changes(after, after) == {}
