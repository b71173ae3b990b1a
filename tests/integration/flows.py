"""Going through forms as a browser would."""

from typing import Any

from homeassistant.config_entries import SOURCE_USER, ConfigFlowResult
from homeassistant.core import HomeAssistant
from homeassistant.data_entry_flow import FlowResultType

from custom_components.homesync.const import DOMAIN


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


async def begin(hass: HomeAssistant) -> str:
    """Open the form for a new household; return the flow's id."""
    result = await hass.config_entries.flow.async_init(DOMAIN, context={"source": SOURCE_USER})
    assert result["type"] is FlowResultType.FORM
    assert result["step_id"] == "user"
    assert result["errors"] == {}
    return result["flow_id"]


async def submit(hass: HomeAssistant, flow_id: str, fields: dict[str, Any]) -> ConfigFlowResult:
    """Send a form and wait while the broker is tried."""
    result = await hass.config_entries.flow.async_configure(flow_id, fields)
    if result["type"] is not FlowResultType.SHOW_PROGRESS:
        return result
    assert result["step_id"] == "connect"
    assert result["progress_action"] == "connect"
    await hass.async_block_till_done()
    return await hass.config_entries.flow.async_configure(flow_id)


def suggested(result: ConfigFlowResult) -> dict[str, Any]:
    """What a form comes filled in with."""
    schema = result["data_schema"]
    assert schema is not None
    return {
        str(marker): marker.description["suggested_value"]
        for marker in schema.schema
        if marker.description and "suggested_value" in marker.description
    }
