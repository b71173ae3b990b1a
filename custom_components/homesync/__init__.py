"""HomeSync: several households, each with its own MQTT broker, in one Home Assistant."""

import asyncio
from contextlib import ExitStack

from homeassistant.config_entries import ConfigEntryState
from homeassistant.const import EVENT_HOMEASSISTANT_STOP
from homeassistant.core import HomeAssistant
from homeassistant.exceptions import ConfigEntryError
from homeassistant.helpers import config_validation as cv, device_registry as dr
from homeassistant.helpers.typing import ConfigType
from homeassistant.util.hass_dict import HassKey

from .broker import async_broker_settings
from .client import InvalidSettingError
from .const import DOMAIN, PLATFORMS
from .coordinator import HomeSyncConfigEntry, HomeSyncCoordinator, configuration
from .http_api import async_setup_http_api
from .issues import HouseholdIssues
from .names import unique_id
from .outcomes import announce
from .queued import async_abandon
from .services import async_setup_services
from .statistics_store import async_remove_statistics
from .websocket_api import async_setup_websocket_api

CONFIG_SCHEMA = cv.config_entry_only_config_schema(DOMAIN)

# At a start Home Assistant sets all of them up in the same turn of the loop, in which each
# would have a thread started for its files, and later get its platforms.
_ONE_BY_ONE: HassKey[asyncio.Lock] = HassKey(f"{DOMAIN}_one_by_one")
# For so long at most: the others have nothing to do with one that hangs.
_LONGEST_TURN = 10.0


async def async_setup(hass: HomeAssistant, config: ConfigType) -> bool:
    """Register the actions and what administrators may ask for."""
    hass.data[_ONE_BY_ONE] = asyncio.Lock()
    async_setup_services(hass)
    async_setup_http_api(hass)
    async_setup_websocket_api(hass)
    return True


async def async_setup_entry(hass: HomeAssistant, entry: HomeSyncConfigEntry) -> bool:
    """Run one household; a broker that is away does not keep it from loading."""
    lock = hass.data[_ONE_BY_ONE]
    await lock.acquire()
    with ExitStack() as turn:
        turn.callback(lock.release)
        turn.callback(hass.loop.call_later(_LONGEST_TURN, turn.close).cancel)
        await _set_up(hass, entry)
    return True


async def _set_up(hass: HomeAssistant, entry: HomeSyncConfigEntry) -> None:
    try:
        broker = await async_broker_settings(hass, entry.data, entry.options)
    except InvalidSettingError as err:
        raise ConfigEntryError(
            translation_domain=DOMAIN,
            translation_key="invalid_setting",
            translation_placeholders={"field": err.field, "detail": str(err)},
        ) from err
    coordinator = entry.runtime_data = HomeSyncCoordinator(hass, entry, broker)
    await coordinator.async_restore()
    await hass.config_entries.async_forward_entry_setups(entry, PLATFORMS)
    entry.async_on_unload(entry.add_update_listener(_reload))
    entry.async_on_unload(hass.bus.async_listen_once(EVENT_HOMEASSISTANT_STOP, coordinator.stop))
    if not hass.is_stopping:
        # Nobody would end what is started now.
        await coordinator.async_start()


async def async_unload_entry(hass: HomeAssistant, entry: HomeSyncConfigEntry) -> bool:
    """End one household."""
    # First: a node that is heard during the goodbye would be added to platforms that are gone.
    await entry.runtime_data.stop()
    return await hass.config_entries.async_unload_platforms(entry, PLATFORMS)


async def async_remove_entry(hass: HomeAssistant, entry: HomeSyncConfigEntry) -> None:
    """Leave nothing of a household behind."""
    for result in await async_abandon(hass, entry):
        announce(hass, entry, result, (DOMAIN, unique_id(entry.entry_id, result.node_id)))
    await async_remove_statistics(hass, entry)
    HouseholdIssues(hass, entry).clear()


async def async_remove_config_entry_device(
    hass: HomeAssistant, entry: HomeSyncConfigEntry, device: dr.AnyDeviceEntry
) -> bool:
    """Let the user delete a node that is gone."""
    if (DOMAIN, entry.entry_id) in device.identifiers:
        return False
    if entry.state is not ConfigEntryState.LOADED:
        return True
    node_id = entry.runtime_data.devices.node_id_of(device)
    return node_id is None or await entry.runtime_data.async_remove_node(node_id)


async def _reload(hass: HomeAssistant, entry: HomeSyncConfigEntry) -> None:
    """Start again with changed settings."""
    if configuration(entry) != entry.runtime_data.configuration:
        hass.config_entries.async_schedule_reload(entry.entry_id)
