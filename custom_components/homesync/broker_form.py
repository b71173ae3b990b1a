"""The form that asks for a broker: its fields, what a preset fills in, what comes back.

Fields are flat in a config entry and grouped in sections in the form. What is secret is
never sent to the browser: an empty secret means the one that is known.
"""

from collections.abc import Mapping
from typing import Any

from homeassistant.const import CONF_HOST, CONF_NAME, CONF_PASSWORD, CONF_PORT, CONF_USERNAME
from homeassistant.data_entry_flow import section
from homeassistant.helpers import config_validation as cv
from homeassistant.helpers.selector import (
    NumberSelector,
    NumberSelectorConfig,
    NumberSelectorMode,
    SelectSelector,
    SelectSelectorConfig,
    SelectSelectorMode,
    TextSelector,
    TextSelectorConfig,
    TextSelectorType,
)
from homeassistant.helpers.typing import VolDictType
import voluptuous as vol

from .client import PRESETS, Cause, Transport
from .const import (
    CONF_ALPN,
    CONF_CA,
    CONF_CLIENT_CERTIFICATE,
    CONF_CLIENT_ID_BASE,
    CONF_CLIENT_KEY,
    CONF_CLIENT_KEY_PASSPHRASE,
    CONF_HOME_ID,
    CONF_PREFIX,
    CONF_SESSION_EXPIRY,
    CONF_TLS,
    CONF_TRANSPORT,
    CONF_VERIFY,
    CONF_VERSION,
    CONF_WEBSOCKET_HEADERS,
    CONF_WEBSOCKET_PATH,
    CONF_WEBSOCKET_PORT,
    DEFAULT_CLIENT_ID_BASE,
    DEFAULT_PREFIX,
    VERSION_5,
    VERSION_311,
    VERSION_AUTO,
)

SECURITY = "security"
WEBSOCKET = "websocket"
PROTOCOL = "protocol"
SECTIONS = (SECURITY, WEBSOCKET, PROTOCOL)
SECRETS = frozenset(
    (CONF_PASSWORD, CONF_CLIENT_KEY, CONF_CLIENT_KEY_PASSPHRASE, CONF_WEBSOCKET_HEADERS)
)

_SECTIONS_OF_ERRORS = {
    Cause.TLS_UNKNOWN_ISSUER: SECURITY,
    Cause.TLS_SELF_SIGNED: SECURITY,
    Cause.TLS_CLIENT_CERTIFICATE: SECURITY,
    "client_certificate_missing": SECURITY,
    "invalid_ca": SECURITY,
    "invalid_client_certificate": SECURITY,
    "invalid_client_key": SECURITY,
    "invalid_client_key_passphrase": SECURITY,
    Cause.WEBSOCKET: WEBSOCKET,
    "invalid_websocket_headers": WEBSOCKET,
    Cause.PROTOCOL_VERSION: PROTOCOL,
    "invalid_prefix": PROTOCOL,
}
"""Where to look after an error that is shown above the form."""

_TEXT = TextSelector()
_LINES = TextSelector(TextSelectorConfig(multiline=True))
_SECRET = TextSelector(
    TextSelectorConfig(type=TextSelectorType.PASSWORD, autocomplete="new-password")
)


def number(low: int, high: int, unit: str | None = None, step: float = 1) -> NumberSelector:
    """A number to type, by default a whole one."""
    config = NumberSelectorConfig(min=low, max=high, step=step, mode=NumberSelectorMode.BOX)
    if unit is not None:
        config["unit_of_measurement"] = unit
    return NumberSelector(config)


def choice(key: str, options: list[str]) -> SelectSelector:
    """One of several translated options."""
    return SelectSelector(
        SelectSelectorConfig(options=options, translation_key=key, mode=SelectSelectorMode.DROPDOWN)
    )


CREDENTIALS: VolDictType = {
    vol.Optional(CONF_USERNAME): _TEXT,
    vol.Optional(CONF_PASSWORD): _SECRET,
}
REAUTH_SCHEMA = vol.Schema(CREDENTIALS)


def broker_schema(
    preset_name: str, *, new: bool, typed: Mapping[str, Any] | None = None, error: str = ""
) -> vol.Schema:
    """Return the form for a new or a known household, filled in by a preset.

    A section is open if something is `typed` in it or the `error` is about it.
    """
    preset = PRESETS[preset_name]
    household: VolDictType = (
        {vol.Required(CONF_NAME): _TEXT, vol.Optional(CONF_HOME_ID): _TEXT} if new else {}
    )
    usual = preset_values(preset_name)
    sections: VolDictType = {}
    for name, schema in _sections(preset_name).items():
        touched = any(
            (typed or {}).get(marker, default) != default
            for marker in schema.schema
            for default in [usual.get(marker, _default(marker))]
        )
        wanted = name == SECURITY and preset.needs_client_certificate
        opened = touched or wanted or _SECTIONS_OF_ERRORS.get(error) == name
        sections[vol.Optional(name)] = section(schema, {"collapsed": not opened})
    return vol.Schema(
        {
            **household,
            vol.Required(CONF_HOST): _TEXT,
            vol.Required(CONF_PORT, default=preset.port): cv.port,
            vol.Required(CONF_TLS, default=preset.tls): bool,
            **CREDENTIALS,
            **sections,
        }
    )


def _sections(preset_name: str) -> dict[str, vol.Schema]:
    transports = [transport.value for transport in Transport]
    path = PRESETS[preset_name].websocket_path
    security: VolDictType = {
        vol.Optional(CONF_CA): _LINES,
        vol.Optional(CONF_CLIENT_CERTIFICATE): _LINES,
        vol.Optional(CONF_CLIENT_KEY): _LINES,
        vol.Optional(CONF_CLIENT_KEY_PASSPHRASE): _SECRET,
        vol.Optional(CONF_ALPN): _TEXT,
        vol.Optional(CONF_VERIFY, default=True): bool,
    }
    websocket: VolDictType = {
        vol.Optional(CONF_TRANSPORT, default=Transport.TCP.value): choice(
            CONF_TRANSPORT, transports
        ),
        vol.Optional(CONF_WEBSOCKET_PORT): cv.port,
        vol.Optional(CONF_WEBSOCKET_PATH, default=path): _TEXT,
        vol.Optional(CONF_WEBSOCKET_HEADERS): _LINES,
    }
    protocol: VolDictType = {
        vol.Optional(CONF_PREFIX, default=DEFAULT_PREFIX): _TEXT,
        vol.Optional(CONF_VERSION, default=VERSION_AUTO): choice(
            CONF_VERSION, [VERSION_AUTO, VERSION_5, VERSION_311]
        ),
        vol.Optional(CONF_SESSION_EXPIRY, default=0): number(0, 60, "min"),
        vol.Optional(CONF_CLIENT_ID_BASE, default=DEFAULT_CLIENT_ID_BASE): _TEXT,
    }
    fields = {SECURITY: security, WEBSOCKET: websocket, PROTOCOL: protocol}
    return {name: vol.Schema(each) for name, each in fields.items()}


def _default(marker: vol.Optional) -> Any:
    """Return what a field holds when nobody touches it."""
    return None if isinstance(marker.default, vol.Undefined) else marker.default()


def preset_values(preset_name: str) -> dict[str, Any]:
    """Return what a preset suggests besides the form's defaults."""
    preset = PRESETS[preset_name]
    found = {CONF_WEBSOCKET_PORT: preset.websocket_port, CONF_ALPN: preset.alpn}
    return {key: value for key, value in found.items() if value is not None}


def flatten(typed: Mapping[str, Any], known: Mapping[str, Any]) -> dict[str, Any]:
    """Return what was typed without sections and empty fields, secrets kept if left empty."""
    flat = {key: value for key, value in typed.items() if key not in SECTIONS}
    for name in SECTIONS:
        flat |= typed.get(name, {})
    values: dict[str, Any] = {}
    for key, value in flat.items():
        text = value.strip() if isinstance(value, str) and key != CONF_PASSWORD else value
        if text not in ("", None):
            values[key] = int(text) if isinstance(text, float) else text
    values |= {key: known[key] for key in SECRETS if key in known and key not in values}
    if not values.get(CONF_USERNAME):
        values.pop(CONF_PASSWORD, None)
    if not values.get(CONF_CLIENT_CERTIFICATE):
        values.pop(CONF_CLIENT_KEY, None)
        values.pop(CONF_CLIENT_KEY_PASSPHRASE, None)
    if not values.get(CONF_WEBSOCKET_PORT):
        values.pop(CONF_WEBSOCKET_HEADERS, None)
    return {CONF_PREFIX: DEFAULT_PREFIX, **values}


def nest(values: Mapping[str, Any], schema: vol.Schema) -> dict[str, Any]:
    """Return suggested values in the form's sections, without secrets."""
    shown = {key: value for key, value in values.items() if key not in SECRETS}
    nested: dict[str, Any] = dict(shown)
    for marker, field in schema.schema.items():
        if isinstance(field, section):
            fields = {str(inner) for inner in field.schema.schema}
            nested[str(marker)] = {key: shown[key] for key in fields if key in shown}
    return nested
