"""A notice that the user ignores stays ignored for as long as what it tells lasts."""

from typing import Any

from homeassistant.config_entries import ConfigEntryDisabler
from homeassistant.core import HomeAssistant
from homeassistant.helpers import issue_registry as ir
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry, flush_store

from custom_components.homesync.client import Alert
from custom_components.homesync.const import DOMAIN
from custom_components.homesync.issues import alert_key
from tests.broker import Mosquitto

from .conftest import SetUp
from .figures import BYTE, grow_older, look
from .lookup import is_connected
from .queueing import issue
from .waiting import until

DATA = alert_key(Alert.DATA)
CONNECTIONS = alert_key(Alert.CONNECTIONS)


@pytest.fixture
def hass_storage() -> dict[str, Any]:
    """Let Home Assistant's stores read and write files, as they do outside of tests."""
    return {}


@pytest.fixture
async def entry(hass: HomeAssistant, mosquitto: Mosquitto, set_up: SetUp) -> MockConfigEntry:
    """A household with two notices, of which the one about data is ignored."""
    entry = await set_up(mosquitto.port, options={"plan_data": BYTE, "plan_connections": 1})
    await until(hass, lambda: is_connected(hass, entry))
    await look(hass)
    assert issue(hass, entry, CONNECTIONS)
    ir.async_ignore_issue(hass, DOMAIN, f"{DATA}_{entry.entry_id}", ignore=True)
    return entry


def is_ignored(hass: HomeAssistant, entry: MockConfigEntry) -> bool:
    found = issue(hass, entry, DATA)
    return found is not None and found.dismissed_version is not None


def shown(hass: HomeAssistant) -> list[str | None]:
    """The notices that the user sees."""
    issues = ir.async_get(hass).issues.values()
    return [
        each.translation_key
        for each in issues
        if each.domain == DOMAIN and each.active and each.dismissed_version is None
    ]


async def set_up_again(hass: HomeAssistant, entry: MockConfigEntry) -> None:
    assert await hass.config_entries.async_setup(entry.entry_id)
    await until(hass, lambda: is_connected(hass, entry))
    await look(hass)


async def test_it_stays_ignored_over_a_reload(hass: HomeAssistant, entry: MockConfigEntry) -> None:
    assert await hass.config_entries.async_reload(entry.entry_id)
    await until(hass, lambda: is_connected(hass, entry))
    await look(hass)

    assert is_ignored(hass, entry)
    assert shown(hass) == [CONNECTIONS]
    grow_older(entry, 16)
    await look(hass)
    assert is_ignored(hass, entry)


async def test_it_stays_ignored_over_a_restart(hass: HomeAssistant, entry: MockConfigEntry) -> None:
    assert await hass.config_entries.async_unload(entry.entry_id)
    assert shown(hass) == []
    await flush_store(ir.async_get(hass)._store)
    await ir.async_load(hass)
    left = issue(hass, entry, DATA)
    assert left is not None
    assert not left.active

    await set_up_again(hass, entry)
    assert is_ignored(hass, entry)
    again = issue(hass, entry, DATA)
    assert again is not None
    assert again.active
    assert shown(hass) == [CONNECTIONS]


async def test_it_is_forgotten_once_the_next_run_can_tell_that_it_is_over(
    hass: HomeAssistant, entry: MockConfigEntry, mosquitto: Mosquitto
) -> None:
    assert await hass.config_entries.async_unload(entry.entry_id)
    mosquitto.kill()
    hass.config_entries.async_update_entry(entry, options={"plan_data": 1, "alert_disconnected": 0})
    assert await hass.config_entries.async_setup(entry.entry_id)
    grow_older(entry, 16)
    await look(hass)
    assert is_ignored(hass, entry)

    mosquitto.start()
    await until(hass, lambda: is_connected(hass, entry))
    assert issue(hass, entry, DATA) is None


async def test_a_run_is_given_its_time_to_tell(hass: HomeAssistant, entry: MockConfigEntry) -> None:
    assert await hass.config_entries.async_unload(entry.entry_id)
    hass.config_entries.async_update_entry(entry, options={"plan_data": 0})
    await set_up_again(hass, entry)
    grow_older(entry, 14)
    await look(hass)
    assert is_ignored(hass, entry)

    grow_older(entry, 1.1)
    await look(hass)
    assert issue(hass, entry, DATA) is None


async def test_a_disabled_household_has_no_notices(
    hass: HomeAssistant, entry: MockConfigEntry
) -> None:
    await hass.config_entries.async_set_disabled_by(entry.entry_id, ConfigEntryDisabler.USER)

    assert [each for each in ir.async_get(hass).issues if each[0] == DOMAIN] == []


@pytest.mark.parametrize("loaded", [True, False])
async def test_a_removed_household_has_no_notices(
    hass: HomeAssistant, entry: MockConfigEntry, *, loaded: bool
) -> None:
    if not loaded:
        assert await hass.config_entries.async_unload(entry.entry_id)
    assert is_ignored(hass, entry)

    await hass.config_entries.async_remove(entry.entry_id)

    assert [each for each in ir.async_get(hass).issues if each[0] == DOMAIN] == []
