"""The settings of a household as a bug report may hold them."""

from collections.abc import Mapping
from ipaddress import ip_address
from typing import Any, Final

from homeassistant.config_entries import ConfigEntry
from homeassistant.const import CONF_HOST, CONF_PASSWORD, CONF_PORT, CONF_USERNAME

from ..broker import option
from ..client import PRESETS, Transport
from ..const import (
    CONF_ACCEPTED_NODES,
    CONF_ALPN,
    CONF_CA,
    CONF_CLIENT_CERTIFICATE,
    CONF_CLIENT_ID,
    CONF_CLIENT_ID_BASE,
    CONF_CLIENT_KEY,
    CONF_CLIENT_KEY_PASSPHRASE,
    CONF_FIRMWARE_CATALOGUE,
    CONF_FIRMWARE_HOSTS,
    CONF_HOME_ID,
    CONF_LEARNED_TRANSPORT,
    CONF_LEARNED_VERSION,
    CONF_NEW_NODES,
    CONF_PREFIX,
    CONF_PRESET,
    CONF_SESSION_EXPIRY,
    CONF_STATUS_TOPIC,
    CONF_TLS,
    CONF_TRANSPORT,
    CONF_VERIFY,
    CONF_VERSION,
    CONF_WEBSOCKET_HEADERS,
    CONF_WEBSOCKET_PATH,
    CONF_WEBSOCKET_PORT,
    DEFAULT_CLIENT_ID_BASE,
    DEFAULT_OPTIONS,
    DEFAULT_PREFIX,
    NEW_NODES_ADD,
    NEW_NODES_ASK,
    STATUS_TOPIC_HOMEASSISTANT,
    STATUS_TOPIC_HOMESYNC,
    VERSION_5,
    VERSION_311,
    VERSION_AUTO,
)
from ..plan import usual_plan
from .plain import plain

# Settings whose values are numbers and switches, or one of the words beside them.
_TOLD: Final[Mapping[str, tuple[str, ...]]] = {
    CONF_LEARNED_TRANSPORT: tuple(Transport),
    CONF_LEARNED_VERSION: (VERSION_5, VERSION_311),
    CONF_PORT: (),
    CONF_PRESET: tuple(PRESETS),
    CONF_SESSION_EXPIRY: (),
    CONF_TLS: (),
    CONF_TRANSPORT: tuple(Transport),
    CONF_VERIFY: (),
    CONF_VERSION: (VERSION_AUTO, VERSION_5, VERSION_311),
    CONF_WEBSOCKET_PORT: (),
}
_TOLD_OPTIONS: Final[Mapping[str, tuple[str, ...]]] = {
    **{key: () for key, usual in DEFAULT_OPTIONS.items() if isinstance(usual, int)},
    CONF_NEW_NODES: (NEW_NODES_ADD, NEW_NODES_ASK),
    CONF_STATUS_TOPIC: (STATUS_TOPIC_HOMESYNC, STATUS_TOPIC_HOMEASSISTANT),
}
# Settings of which only their presence is told.
_HIDDEN: Final = (
    CONF_ALPN,
    CONF_CA,
    CONF_CLIENT_CERTIFICATE,
    CONF_CLIENT_ID,
    CONF_CLIENT_KEY,
    CONF_CLIENT_KEY_PASSPHRASE,
    CONF_HOME_ID,
    CONF_PASSWORD,
    CONF_USERNAME,
    CONF_WEBSOCKET_HEADERS,
)
# Settings of which it is told whether they are the usual ones.
_USUAL: Final[Mapping[str, str]] = {
    CONF_CLIENT_ID_BASE: DEFAULT_CLIENT_ID_BASE,
    CONF_PREFIX: DEFAULT_PREFIX,
    CONF_WEBSOCKET_PATH: "/mqtt",
}


def settings_of(entry: ConfigEntry) -> dict[str, Any]:
    """Return what is set, and the values that tell nobody who or where."""
    data = entry.data
    return {
        **{key: plain(data.get(key), words) for key, words in _TOLD.items()},
        **{f"{key}_set": bool(data.get(key)) for key in _HIDDEN},
        **{f"{key}_usual": data.get(key, usual) == usual for key, usual in _USUAL.items()},
        "address": _kind_of_address(data[CONF_HOST]),
        "accepted_nodes": len(data.get(CONF_ACCEPTED_NODES, ())),
    }


def options_of(entry: ConfigEntry) -> dict[str, Any]:
    """Return how the household is to behave."""
    return {
        **{key: plain(option(entry, key), words) for key, words in _TOLD_OPTIONS.items()},
        **{key: plain(entry.options.get(key, usual)) for key, usual in usual_plan(entry).items()},
        f"{CONF_FIRMWARE_CATALOGUE}_set": bool(option(entry, CONF_FIRMWARE_CATALOGUE)),
        CONF_FIRMWARE_HOSTS: len(option(entry, CONF_FIRMWARE_HOSTS)),
    }


def _kind_of_address(host: str) -> str:
    try:
        return f"IPv{ip_address(host).version}"
    except ValueError:
        return "name"
