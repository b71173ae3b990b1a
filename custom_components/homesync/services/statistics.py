"""The action that tells statistics."""

from homeassistant.const import ATTR_CONFIG_ENTRY_ID
from homeassistant.core import ServiceCall, ServiceResponse
from homeassistant.helpers import config_validation as cv
import voluptuous as vol

from .. import api
from .targets import household

STATISTICS_SCHEMA = vol.Schema({vol.Optional(ATTR_CONFIG_ENTRY_ID): cv.string})


async def async_get_statistics(call: ServiceCall) -> ServiceResponse:
    """Tell all that the HTTP API tells under `stats`, of one household or of all."""
    one = ATTR_CONFIG_ENTRY_ID in call.data
    return api.stats([household(call)] if one else api.entries(call.hass))
