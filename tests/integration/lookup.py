"""Finding what belongs to a household, by ids instead of names."""

from homeassistant.config_entries import ConfigEntry
from homeassistant.core import HomeAssistant, State
from homeassistant.helpers import device_registry as dr, entity_registry as er

from custom_components.homesync.const import DOMAIN
from custom_components.homesync.coordinator import HomeSyncCoordinator
from custom_components.homesync.names import unique_id


def coordinator(entry: ConfigEntry) -> HomeSyncCoordinator:
    """What runs a household."""
    running = entry.runtime_data
    assert isinstance(running, HomeSyncCoordinator)
    return running


def entity_id(hass: HomeAssistant, entry: ConfigEntry, platform: str, *parts: str) -> str | None:
    """The entity of a household (`connected`) or of a node's value (`plug-1`, `status/relay`)."""
    unique = unique_id(entry.entry_id, *parts)
    return er.async_get(hass).async_get_entity_id(platform, DOMAIN, unique)


def whole_state(
    hass: HomeAssistant, entry: ConfigEntry, platform: str, *parts: str
) -> State | None:
    """State and attributes, None without such an entity."""
    found = entity_id(hass, entry, platform, *parts)
    return None if found is None else hass.states.get(found)


def state(hass: HomeAssistant, entry: ConfigEntry, platform: str, *parts: str) -> str | None:
    """The state alone."""
    found = whole_state(hass, entry, platform, *parts)
    return None if found is None else found.state


def attribute(
    hass: HomeAssistant, entry: ConfigEntry, platform: str, *parts: str, name: str
) -> object:
    """One attribute, None without it."""
    found = whole_state(hass, entry, platform, *parts)
    return None if found is None else found.attributes.get(name)


def connection_state(hass: HomeAssistant, entry: ConfigEntry) -> str | None:
    """Where the household's connection stands."""
    return state(hass, entry, "sensor", "connection_state")


def is_connected(hass: HomeAssistant, entry: ConfigEntry) -> bool:
    """Whether the household says that it is connected."""
    return state(hass, entry, "binary_sensor", "connected") == "on"


def device(hass: HomeAssistant, entry: ConfigEntry, *parts: str) -> dr.DeviceEntry | None:
    """The device of a node, or without a node id the household's own."""
    identifier = (DOMAIN, unique_id(entry.entry_id, *parts))
    return dr.async_get(hass).async_get_device_by_identifier(identifier, entry.entry_id)


def device_id(hass: HomeAssistant, entry: ConfigEntry, *parts: str) -> str:
    """The registry's id of a device that must be there."""
    found = device(hass, entry, *parts)
    assert found is not None
    return found.id
