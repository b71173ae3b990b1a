"""Going through forms as a browser would."""

from collections.abc import Mapping
from typing import Any

from homeassistant.config_entries import SOURCE_USER, ConfigFlowResult
from homeassistant.core import HomeAssistant
from homeassistant.data_entry_flow import FlowResultType, section
from pytest_homeassistant_custom_component.common import MockConfigEntry
import voluptuous as vol

from custom_components.homesync.broker_form import SECTIONS, broker_schema
from custom_components.homesync.const import DOMAIN

UNTOUCHED = {"version": "auto", "session_expiry": 0, "client_id_base": "homesync"}
"""What the section of the prefix holds besides it when nobody touches it."""

_SECTION_OF = {
    str(inner): str(marker)
    for marker, field in broker_schema("other", new=True).schema.items()
    if isinstance(field, section)
    for inner in field.schema.schema
}


def typed(port: int, **changes: Any) -> dict[str, Any]:
    """What a user types; None takes a field away."""
    fields = {
        "name": "Villa",
        "host": "127.0.0.1",
        "port": port,
        "tls": False,
        "prefix": "homesync",
        **changes,
    }
    return {name: value for name, value in fields.items() if value is not None}


def sent(fields: Mapping[str, Any]) -> dict[str, Any]:
    """What a browser makes of it: some fields are in sections."""
    nested: dict[str, Any] = {}
    for name, value in fields.items():
        if (inside := _SECTION_OF.get(name)) is None:
            nested[name] = value
        else:
            nested.setdefault(inside, {})[name] = value
    return nested


async def begin(hass: HomeAssistant, preset: str = "other") -> str:
    """Choose a kind of broker, which opens the form for a new household; return the flow's id."""
    return (await choose(hass, preset))["flow_id"]


async def choose(hass: HomeAssistant, preset: str) -> ConfigFlowResult:
    """Choose a kind of broker and return the form that it opens."""
    result = await hass.config_entries.flow.async_init(DOMAIN, context={"source": SOURCE_USER})
    assert result["type"] is FlowResultType.MENU
    assert result["step_id"] == "user"
    result = await hass.config_entries.flow.async_configure(
        result["flow_id"], {"next_step_id": preset}
    )
    assert result["type"] is FlowResultType.FORM
    assert result["step_id"] == "broker"
    assert result["errors"] == {}
    return result


async def submit(hass: HomeAssistant, flow_id: str, fields: Mapping[str, Any]) -> ConfigFlowResult:
    """Send a form and wait while the broker is tried."""
    result = await hass.config_entries.flow.async_configure(flow_id, sent(fields))
    if result["type"] is not FlowResultType.SHOW_PROGRESS:
        return result
    assert result["step_id"] == "connect"
    assert result["progress_action"] == "connect"
    await hass.async_block_till_done()
    return await hass.config_entries.flow.async_configure(flow_id)


async def configure(hass: HomeAssistant, entry: MockConfigEntry, **typed: Any) -> ConfigFlowResult:
    """Open a household's options and send them."""
    form = await hass.config_entries.options.async_init(entry.entry_id)
    return await hass.config_entries.options.async_configure(form["flow_id"], typed)


def suggested(result: ConfigFlowResult) -> dict[str, Any]:
    """What a form comes filled in with, besides what is a field's default."""
    schema = result["data_schema"]
    assert schema is not None
    return _suggested(schema)


def proposed(result: ConfigFlowResult) -> dict[str, Any]:
    """What a form holds when nobody touches it: defaults, and before them suggestions."""
    schema = result["data_schema"]
    assert schema is not None
    return _defaults(schema) | _suggested(schema)


def _suggested(schema: vol.Schema) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for marker, field in schema.schema.items():
        if isinstance(field, section):
            found |= _suggested(field.schema)
        elif marker.description and "suggested_value" in marker.description:
            found[str(marker)] = marker.description["suggested_value"]
    return found


def _defaults(schema: vol.Schema) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for marker, field in schema.schema.items():
        if str(marker) in SECTIONS:
            found |= _defaults(field.schema)
        elif not isinstance(marker.default, vol.Undefined):
            found[str(marker)] = marker.default()
    return found
