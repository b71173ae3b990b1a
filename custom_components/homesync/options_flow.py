"""How a household behaves, under Configure."""

from typing import Any

from homeassistant.config_entries import ConfigFlowResult, OptionsFlow
import voluptuous as vol

from .broker_form import choice, number
from .const import (
    CONF_CONNECT_TIMEOUT,
    CONF_ECHO_INTERVAL,
    CONF_GRACE_TIME,
    CONF_KEEPALIVE,
    CONF_LONGEST_GAP,
    CONF_MAX_NODES,
    CONF_NEW_NODES,
    CONF_STATUS_TOPIC,
    DEFAULT_OPTIONS,
    NEW_NODES_ADD,
    NEW_NODES_ASK,
    STATUS_TOPIC_HOMEASSISTANT,
    STATUS_TOPIC_HOMESYNC,
)


class HomeSyncOptionsFlow(OptionsFlow):
    """How a household behaves."""

    async def async_step_init(self, user_input: dict[str, Any] | None = None) -> ConfigFlowResult:
        """Ask for all options; the entry's listener reloads it."""
        if user_input is not None:
            data = {
                key: int(value) if isinstance(value, float) else value
                for key, value in user_input.items()
            }
            return self.async_create_entry(data=data)
        return self.async_show_form(
            step_id="init",
            data_schema=self.add_suggested_values_to_schema(_OPTIONS, self.config_entry.options),
        )


_OPTION_FIELDS = {
    CONF_GRACE_TIME: number(0, 3600, "s"),
    CONF_MAX_NODES: number(1, 1000),
    CONF_NEW_NODES: choice(CONF_NEW_NODES, [NEW_NODES_ADD, NEW_NODES_ASK]),
    CONF_KEEPALIVE: number(10, 1200, "s"),
    CONF_CONNECT_TIMEOUT: number(3, 60, "s"),
    CONF_LONGEST_GAP: number(5, 600, "s"),
    CONF_ECHO_INTERVAL: number(0, 60, "min"),
    CONF_STATUS_TOPIC: choice(
        CONF_STATUS_TOPIC, [STATUS_TOPIC_HOMESYNC, STATUS_TOPIC_HOMEASSISTANT]
    ),
}
_OPTIONS = vol.Schema(
    {
        vol.Required(key, default=DEFAULT_OPTIONS[key]): field
        for key, field in _OPTION_FIELDS.items()
    }
)
