"""Actions: find the target, call the client, return the outcome."""

from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import Any

from homeassistant.core import (
    HomeAssistant,
    ServiceCall,
    ServiceResponse,
    SupportsResponse,
    callback,
)
from homeassistant.helpers.service import async_register_admin_service
import voluptuous as vol

from ..const import DOMAIN
from .commands import (
    CANCEL_SCHEMA,
    INSTALL_SCHEMA,
    SEND_SCHEMA,
    async_cancel_commands,
    async_install_firmware,
    async_send_command,
)
from .households import (
    PUBLISH_SCHEMA,
    PURGE_SCHEMA,
    RECONNECT_SCHEMA,
    async_publish,
    async_purge_retained,
    async_reconnect,
)
from .statistics import STATISTICS_SCHEMA, async_get_statistics


@dataclass(frozen=True, slots=True, kw_only=True)
class Action:
    """One action; those that only administrators may call are checked by Home Assistant."""

    handler: Callable[[ServiceCall], Coroutine[Any, Any, ServiceResponse]]
    schema: vol.Schema
    response: SupportsResponse = SupportsResponse.OPTIONAL
    admin: bool = False


ACTIONS = {
    "send_command": Action(handler=async_send_command, schema=SEND_SCHEMA),
    "cancel_commands": Action(handler=async_cancel_commands, schema=CANCEL_SCHEMA),
    "install_firmware": Action(handler=async_install_firmware, schema=INSTALL_SCHEMA, admin=True),
    "get_statistics": Action(
        handler=async_get_statistics,
        schema=STATISTICS_SCHEMA,
        response=SupportsResponse.ONLY,
        admin=True,
    ),
    "purge_retained": Action(handler=async_purge_retained, schema=PURGE_SCHEMA, admin=True),
    "publish": Action(
        handler=async_publish, schema=PUBLISH_SCHEMA, response=SupportsResponse.NONE, admin=True
    ),
    "reconnect": Action(
        handler=async_reconnect,
        schema=RECONNECT_SCHEMA,
        response=SupportsResponse.NONE,
        admin=True,
    ),
}


@callback
def async_setup_services(hass: HomeAssistant) -> None:
    """Register the actions, once."""
    for name, action in ACTIONS.items():
        if action.admin:
            async_register_admin_service(
                hass, DOMAIN, name, action.handler, action.schema, action.response
            )
        else:
            hass.services.async_register(
                DOMAIN, name, action.handler, action.schema, action.response
            )
