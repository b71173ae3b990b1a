"""What must not be told: planted values, and all places where they could come up."""

import json
from typing import Any

from homeassistant.const import EVENT_LOGBOOK_ENTRY
from homeassistant.core import Event, HomeAssistant, callback
from homeassistant.helpers import issue_registry as ir
from homeassistant.setup import async_setup_component
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry, get_system_health_info

from custom_components.homesync.const import DOMAIN, EVENT_COMMAND, EVENT_CONNECTION
from custom_components.homesync.diagnostics import (
    async_get_config_entry_diagnostics,
    async_get_device_diagnostics,
)

from .lookup import device

CANARY = "canary-5e1f0c"


def everything_shown(hass: HomeAssistant) -> str:
    """All that Home Assistant tells without being asked for the entry's data."""
    parts: list[object] = [each.as_dict() for each in hass.states.async_all()]
    parts += [issue.to_json() for issue in ir.async_get(hass).issues.values()]
    parts += [issue.translation_placeholders for issue in ir.async_get(hass).issues.values()]
    parts += hass.config_entries.flow.async_progress(include_uninitialized=True)
    for entry in hass.config_entries.async_entries(DOMAIN):
        parts += [entry, entry.title, entry.unique_id, entry.as_json_fragment, entry.reason]
    return repr(parts)


async def everything_downloaded(hass: HomeAssistant, entry: MockConfigEntry, *nodes: str) -> str:
    """Diagnostics of a household, its device and its nodes, and the system's health."""
    assert await async_setup_component(hass, "diagnostics", {})
    assert await async_setup_component(hass, "system_health", {})
    await hass.async_block_till_done()
    parts: list[Any] = [await async_get_config_entry_diagnostics(hass, entry)]
    for found in (device(hass, entry), *(device(hass, entry, node) for node in nodes)):
        assert found is not None
        parts.append(await async_get_device_diagnostics(hass, entry, found))
    parts.append(await get_system_health_info(hass, DOMAIN))
    return json.dumps(parts)


def logged(caplog: pytest.LogCaptureFixture, logger: str = "") -> str:
    """All that was logged below a logger, tracebacks included."""
    records = [record for when in ("setup", "call") for record in caplog.get_records(when)]
    return "\n".join(
        f"{record.getMessage()} {record.args!r} {record.exc_text}"
        for record in records
        if record.name.startswith(logger)
    )


class OwnEvents:
    """All that the integration tells on the bus."""

    def __init__(self, hass: HomeAssistant) -> None:
        self.told: list[tuple[str, dict[str, Any]]] = []
        for kind in (EVENT_COMMAND, EVENT_CONNECTION, EVENT_LOGBOOK_ENTRY):
            hass.bus.async_listen(kind, self._hear)

    @callback
    def _hear(self, event: Event[dict[str, Any]]) -> None:
        self.told.append((str(event.event_type), dict(event.data)))
