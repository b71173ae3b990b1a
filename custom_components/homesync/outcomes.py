"""How commands ended, told on Home Assistant's event bus and in its logbook."""

from homeassistant.config_entries import ConfigEntry
from homeassistant.const import EVENT_LOGBOOK_ENTRY, Platform
from homeassistant.core import HomeAssistant
from homeassistant.helpers import device_registry as dr, entity_registry as er

from .client import FIRMWARE, LED, RELAY, RESTART, CommandResult
from .const import CONF_HOME_ID, DOMAIN, EVENT_COMMAND
from .errors import command_error
from .names import unique_id

_SHOWN_WITH = {
    "relay": (Platform.SWITCH, RELAY),
    "led": (Platform.LIGHT, LED),
    "ota": (Platform.UPDATE, FIRMWARE),
    "restart": (Platform.BUTTON, RESTART),
}


def outcome_of(result: CommandResult) -> dict[str, str | int | float | None]:
    """Return how a command ended, as actions and events tell it; latency in milliseconds."""
    return {
        "action": result.action,
        "outcome": result.outcome.value,
        "request_id": result.request_id,
        "result": result.result,
        "reason": None if result.reason is None else result.reason.value,
        "detail": result.detail,
        "latency_ms": None if result.latency is None else round(result.latency * 1000, 1),
        "attempts": result.attempts,
    }


def announce(
    hass: HomeAssistant, entry: ConfigEntry, result: CommandResult, identifier: tuple[str, str]
) -> None:
    """Fire `homesync_command`, and put a failure into the logbook."""
    device = dr.async_get(hass).async_get_device_by_identifier(identifier, entry.entry_id)
    hass.bus.async_fire(
        EVENT_COMMAND,
        {
            "entry_id": entry.entry_id,
            "household": entry.title,
            "home_id": entry.data[CONF_HOME_ID],
            "node_id": result.node_id,
            "device_id": None if device is None else device.id,
            "command": result.kind,
            **outcome_of(result),
        },
    )
    error = command_error(result, entry.title)
    if error is not None:
        name = result.node_id if device is None else device.name_by_user or device.name
        _log(hass, entry, result, {"name": name, "message": f"{result.kind}: {error}"})


def _log(
    hass: HomeAssistant, entry: ConfigEntry, result: CommandResult, line: dict[str, str | None]
) -> None:
    """Write a line into the logbook, beside the entity that the command was for."""
    data = {**line, "domain": DOMAIN}
    if result.kind in _SHOWN_WITH:
        platform, key = _SHOWN_WITH[result.kind]
        unique = unique_id(entry.entry_id, result.node_id, key)
        entity_id = er.async_get(hass).async_get_entity_id(platform, DOMAIN, unique)
        data |= {"entity_id": entity_id} if entity_id is not None else {}
    hass.bus.async_fire(EVENT_LOGBOOK_ENTRY, data)
