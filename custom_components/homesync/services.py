"""Actions: find the target, call the client, return the outcome."""

from typing import Any

from homeassistant.const import ATTR_DEVICE_ID
from homeassistant.core import (
    HomeAssistant,
    ServiceCall,
    ServiceResponse,
    SupportsResponse,
    callback,
)
from homeassistant.exceptions import ServiceValidationError
from homeassistant.helpers import config_validation as cv
from homeassistant.helpers.service import async_get_device_and_config_entry
import voluptuous as vol

from .client import DEFAULT_RETRIES, DEFAULT_TIMEOUT, Delivery, RelayAction, RelayCommand
from .const import DOMAIN
from .coordinator import HomeSyncConfigEntry
from .errors import raise_unless_confirmed
from .outcomes import outcome_of

SERVICE_SEND_COMMAND = "send_command"
ATTR_COMMAND = "command"
ATTR_ACTION = "action"
ATTR_TIMEOUT = "timeout"
ATTR_RETRIES = "retries"


def _relay_action(value: Any) -> RelayAction:
    """Accept on, off and toggle; YAML reads a bare on or off as a boolean."""
    if isinstance(value, bool):
        return RelayAction.ON if value else RelayAction.OFF
    try:
        return RelayAction(value)
    except ValueError:
        raise vol.Invalid("expected on, off or toggle") from None


SEND_COMMAND_SCHEMA = vol.Schema(
    {
        vol.Required(ATTR_DEVICE_ID): vol.All(cv.ensure_list, [cv.string]),
        vol.Optional(ATTR_COMMAND, default="relay"): vol.In(["relay"]),
        vol.Required(ATTR_ACTION): _relay_action,
        vol.Optional(ATTR_TIMEOUT, default=DEFAULT_TIMEOUT): vol.All(
            vol.Coerce(float), vol.Range(min=0.5, max=60)
        ),
        vol.Optional(ATTR_RETRIES, default=DEFAULT_RETRIES): vol.All(
            vol.Coerce(int), vol.Range(min=0, max=10)
        ),
    }
)


@callback
def async_setup_services(hass: HomeAssistant) -> None:
    """Register the actions, once."""
    hass.services.async_register(
        DOMAIN,
        SERVICE_SEND_COMMAND,
        _send_command,
        schema=SEND_COMMAND_SCHEMA,
        supports_response=SupportsResponse.OPTIONAL,
    )


async def _send_command(call: ServiceCall) -> ServiceResponse:
    """Send a command to one node and return its outcome.

    A caller that takes no response would not see a failure: it is raised for it.
    """
    entry, node_id = _get_node(call.hass, call.data[ATTR_DEVICE_ID])
    result = await entry.runtime_data.household.commands.execute(
        node_id,
        RelayCommand(call.data[ATTR_ACTION]),
        Delivery(timeout=call.data[ATTR_TIMEOUT], retries=call.data[ATTR_RETRIES]),
    )
    if call.return_response:
        return dict(outcome_of(result))
    raise_unless_confirmed(result, entry.title)
    return None


def _get_node(hass: HomeAssistant, device_ids: list[str]) -> tuple[HomeSyncConfigEntry, str]:
    """Return the household and the id of the one node that was chosen, or raise."""
    if len(device_ids) != 1:
        raise ServiceValidationError(
            translation_domain=DOMAIN,
            translation_key="one_node",
            translation_placeholders={"count": str(len(device_ids))},
        )
    entry: HomeSyncConfigEntry
    device, entry = async_get_device_and_config_entry(hass, DOMAIN, device_ids[0])
    node_id = entry.runtime_data.node_id_of(device)
    if node_id is None:
        raise ServiceValidationError(
            translation_domain=DOMAIN,
            translation_key="not_a_node",
            translation_placeholders={"device": device.name_by_user or device.name or ""},
        )
    return entry, node_id
