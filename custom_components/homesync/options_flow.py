"""How a household behaves, under Configure.

Options are flat in a config entry and grouped in sections in the form.
"""

from collections.abc import Mapping
from typing import Any

from homeassistant.config_entries import ConfigFlowResult, OptionsFlow
from homeassistant.data_entry_flow import section
from homeassistant.helpers.selector import (
    BooleanSelector,
    Selector,
    TextSelector,
    TextSelectorConfig,
    TextSelectorType,
)
from homeassistant.helpers.typing import VolDictType
import voluptuous as vol

from .broker_form import choice, nest, number
from .client import InvalidSettingError
from .const import (
    CONF_ALERT_BAD_MESSAGES,
    CONF_ALERT_CONNECT_FAILURES,
    CONF_ALERT_CONNECTIONS,
    CONF_ALERT_DATA,
    CONF_ALERT_DISCONNECTED,
    CONF_ALERT_PUBLISH_FAILURES,
    CONF_ALERT_QUEUE_AGE,
    CONF_COMMANDS_PER_HOUSEHOLD,
    CONF_COMMANDS_PER_NODE,
    CONF_CONNECT_TIMEOUT,
    CONF_ECHO_INTERVAL,
    CONF_FIRMWARE_CATALOGUE,
    CONF_FIRMWARE_HOSTS,
    CONF_GRACE_TIME,
    CONF_KEEPALIVE,
    CONF_LONGEST_GAP,
    CONF_MAX_NODES,
    CONF_NEW_NODES,
    CONF_PARALLEL_UPDATES,
    CONF_PLAN_BOTH_WAYS,
    CONF_PLAN_CONNECTIONS,
    CONF_PLAN_DATA,
    CONF_PLAN_STOPS,
    CONF_STATUS_TOPIC,
    CONF_THIN_AT_LIMIT,
    DEFAULT_OPTIONS,
    NEW_NODES_ADD,
    NEW_NODES_ASK,
    STATUS_TOPIC_HOMEASSISTANT,
    STATUS_TOPIC_HOMESYNC,
)
from .firmware import catalogue_host, normalise_host
from .plan import usual_plan

_BEHAVIOUR: dict[str, Selector[Any]] = {
    CONF_GRACE_TIME: number(0, 3600, "s"),
    CONF_MAX_NODES: number(1, 1000),
    CONF_NEW_NODES: choice(CONF_NEW_NODES, [NEW_NODES_ADD, NEW_NODES_ASK]),
}
_SECTIONS: dict[str, dict[str, Selector[Any]]] = {
    "connection": {
        CONF_KEEPALIVE: number(10, 1200, "s"),
        CONF_CONNECT_TIMEOUT: number(3, 60, "s"),
        CONF_LONGEST_GAP: number(5, 600, "s"),
        CONF_ECHO_INTERVAL: number(0, 60, "min"),
        CONF_STATUS_TOPIC: choice(
            CONF_STATUS_TOPIC, [STATUS_TOPIC_HOMESYNC, STATUS_TOPIC_HOMEASSISTANT]
        ),
    },
    "commands": {
        CONF_COMMANDS_PER_NODE: number(1, 8),
        CONF_COMMANDS_PER_HOUSEHOLD: number(1, 20),
    },
    "firmware": {
        CONF_FIRMWARE_CATALOGUE: TextSelector(TextSelectorConfig(type=TextSelectorType.URL)),
        CONF_FIRMWARE_HOSTS: TextSelector(TextSelectorConfig(multiple=True)),
        CONF_PARALLEL_UPDATES: number(1, 10),
    },
    "plan": {
        CONF_PLAN_DATA: number(0, 100_000, "GB", step=0.1),
        CONF_PLAN_CONNECTIONS: number(0, 1_000_000),
        CONF_PLAN_BOTH_WAYS: BooleanSelector(),
        CONF_PLAN_STOPS: BooleanSelector(),
        CONF_THIN_AT_LIMIT: BooleanSelector(),
    },
    "alerts": {
        CONF_ALERT_DISCONNECTED: number(0, 1440, "min"),
        # They are told above it, and no share of failures is above 100 %.
        CONF_ALERT_CONNECT_FAILURES: number(0, 99, "%"),
        CONF_ALERT_PUBLISH_FAILURES: number(0, 99, "%"),
        CONF_ALERT_QUEUE_AGE: number(0, 1440, "min"),
        CONF_ALERT_BAD_MESSAGES: number(0, 1000, "/min"),
        CONF_ALERT_DATA: number(0, 100, "%"),
        CONF_ALERT_CONNECTIONS: number(0, 100, "%"),
    },
}


def _fields(selectors: Mapping[str, Selector[Any]]) -> VolDictType:
    # What has no default of its own follows the preset.
    return {
        vol.Optional(key, default=DEFAULT_OPTIONS.get(key, vol.UNDEFINED)): selector
        for key, selector in selectors.items()
    }


OPTIONS = vol.Schema(
    {
        **_fields(_BEHAVIOUR),
        **{
            vol.Optional(name): section(vol.Schema(_fields(selectors)), {"collapsed": True})
            for name, selectors in _SECTIONS.items()
        },
    }
)


class HomeSyncOptionsFlow(OptionsFlow):
    """How a household behaves."""

    async def async_step_init(self, user_input: dict[str, Any] | None = None) -> ConfigFlowResult:
        """Ask for all options; the entry's listener reloads it."""
        plan = usual_plan(self.config_entry)
        shown: Mapping[str, Any] = {**plan, **self.config_entry.options}
        errors: dict[str, str] = {}
        detail = ""
        if user_input is not None:
            shown = _flat(user_input)
            try:
                return self.async_create_entry(data=_unlike(plan, _checked(shown)))
            except InvalidSettingError as err:
                errors["base"] = f"invalid_{err.field}"
                detail = str(err)
        return self.async_show_form(
            step_id="init",
            data_schema=self.add_suggested_values_to_schema(OPTIONS, nest(shown, OPTIONS)),
            errors=errors,
            description_placeholders={"detail": detail},
        )


def _flat(typed: Mapping[str, Any]) -> dict[str, Any]:
    """Return what was typed, without sections; what was not asked for has its default."""
    flat = dict(DEFAULT_OPTIONS)
    for key, value in typed.items():
        flat |= value if key in _SECTIONS else {key: value}
    return {
        key: int(value) if isinstance(value, float) and key != CONF_PLAN_DATA else value
        for key, value in flat.items()
    }


def _unlike(usual: Mapping[str, Any], options: Mapping[str, Any]) -> dict[str, Any]:
    """Leave out what is as usual, so that it follows when that changes."""
    return {key: value for key, value in options.items() if key not in usual or value != usual[key]}


def _checked(options: Mapping[str, Any]) -> dict[str, Any]:
    """Return options as they are stored, or raise InvalidSettingError."""
    catalogue = options[CONF_FIRMWARE_CATALOGUE].strip()
    if catalogue:
        catalogue_host(catalogue)
    hosts = [host for each in options[CONF_FIRMWARE_HOSTS] if (host := each.strip())]
    for host in hosts:
        try:
            normalise_host(host)
        except InvalidSettingError as err:
            raise InvalidSettingError(err.field, f"{host}: {err}") from None
    return {
        **options,
        CONF_FIRMWARE_CATALOGUE: catalogue,
        CONF_FIRMWARE_HOSTS: list(dict.fromkeys(hosts)),
    }
