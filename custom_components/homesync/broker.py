"""A config entry's data and options → what the client wants to know."""

from collections.abc import Mapping
import hashlib
import re
import secrets
from typing import Any

from homeassistant.config_entries import ConfigEntry
from homeassistant.const import CONF_HOST, CONF_PASSWORD, CONF_PORT, CONF_USERNAME
from homeassistant.core import HomeAssistant
from homeassistant.helpers.aiohttp_client import async_get_clientsession
from homeassistant.helpers.json import json_bytes
from homeassistant.util.ssl import get_default_context

from .client import (
    PRESETS,
    BrokerSettings,
    InvalidSettingError,
    Learned,
    MqttVersion,
    Publication,
    SSLContext,
    Timing,
    TlsSettings,
    Transport,
    WebSocketSettings,
    build_context,
)
from .const import (
    CONF_ALPN,
    CONF_CA,
    CONF_CLIENT_CERTIFICATE,
    CONF_CLIENT_ID,
    CONF_CLIENT_ID_BASE,
    CONF_CLIENT_KEY,
    CONF_CLIENT_KEY_PASSPHRASE,
    CONF_CONNECT_TIMEOUT,
    CONF_ECHO_INTERVAL,
    CONF_HOME_ID,
    CONF_KEEPALIVE,
    CONF_LEARNED_TRANSPORT,
    CONF_LEARNED_VERSION,
    CONF_LONGEST_GAP,
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
    DEFAULT_PRESET,
    STATUS_TOPIC_HOMESYNC,
    VERSION_5,
    VERSION_311,
)

_HEADER_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")  # RFC 9110, section 5.1
_NO_HOST = re.compile(r"[\s/@?#\\]")
_LOOPBACK_NAMES = frozenset({"localhost", "ip6-localhost", "ip6-loopback", "::1"})
_LOOPBACK = "127.0.0.1"
_VERSIONS = {VERSION_5: MqttVersion.V5, VERSION_311: MqttVersion.V311}


def option(entry: ConfigEntry, key: str) -> Any:
    """Return an option of a household, or its default."""
    return entry.options.get(key, DEFAULT_OPTIONS[key])


def check_host(host: str) -> None:
    """Raise InvalidSettingError for an address with more than the host, which may be a password."""
    if not host or _NO_HOST.search(host):
        raise InvalidSettingError(CONF_HOST, "only the broker's name or address is wanted")


async def async_broker_settings(
    hass: HomeAssistant, data: Mapping[str, Any], options: Mapping[str, Any]
) -> BrokerSettings:
    """Return the client's way to the broker, or raise InvalidSettingError."""
    check_host(data[CONF_HOST])
    chosen = {**DEFAULT_OPTIONS, **options}
    topic = _status_topic(data, chosen[CONF_STATUS_TOPIC])
    port = data.get(CONF_WEBSOCKET_PORT)
    return BrokerSettings(
        host=data[CONF_HOST],
        port=data[CONF_PORT],
        client_id=data[CONF_CLIENT_ID],
        username=data.get(CONF_USERNAME) or None,
        password=data.get(CONF_PASSWORD) or None,
        tls=await _async_context(hass, data) if data[CONF_TLS] else None,
        transport=Transport(data.get(CONF_TRANSPORT, Transport.TCP)),
        websocket=None
        if port is None
        else WebSocketSettings(
            port=port,
            path=data.get(CONF_WEBSOCKET_PATH, "/mqtt"),
            headers=parse_headers(data.get(CONF_WEBSOCKET_HEADERS, "")),
        ),
        http=None if port is None else async_get_clientsession(hass),
        version=_VERSIONS.get(data.get(CONF_VERSION, "")),
        keepalive=chosen[CONF_KEEPALIVE],
        session_expiry=data.get(CONF_SESSION_EXPIRY, 0) * 60,
        maximum_packet=PRESETS[data.get(CONF_PRESET, DEFAULT_PRESET)].maximum_packet,
        will=_status(topic, "offline"),
        birth=_status(topic, "online"),
        farewell=_status(topic, "offline"),
    )


def timing(options: Mapping[str, Any]) -> Timing:
    """Return how long the client waits."""
    chosen = {**DEFAULT_OPTIONS, **options}
    return Timing(
        deadline=chosen[CONF_CONNECT_TIMEOUT],
        longest_gap=chosen[CONF_LONGEST_GAP],
        echo_every=chosen[CONF_ECHO_INTERVAL] * 60,
    )


def learned(data: Mapping[str, Any]) -> Learned:
    """Return what earlier connections taught."""
    transport = data.get(CONF_LEARNED_TRANSPORT)
    return Learned(
        _VERSIONS.get(data.get(CONF_LEARNED_VERSION, "")),
        None if transport is None else Transport(transport),
    )


def learned_data(known: Learned) -> dict[str, str]:
    """Return what is kept of what a connection taught."""
    names = {version: name for name, version in _VERSIONS.items()}
    kept: dict[str, str] = {}
    if known.version is not None:
        kept[CONF_LEARNED_VERSION] = names[known.version]
    if known.transport is not None:
        kept[CONF_LEARNED_TRANSPORT] = known.transport.value
    return kept


def new_client_id(data: Mapping[str, Any]) -> str:
    """Make a client id that no other client has, as short as the broker wants it."""
    base = data.get(CONF_CLIENT_ID_BASE, DEFAULT_CLIENT_ID_BASE)
    name = f"{base}_{data[CONF_HOME_ID]}_{secrets.token_hex(4)}"
    if PRESETS[data.get(CONF_PRESET, DEFAULT_PRESET)].long_client_ids:
        return name
    return f"hs{hashlib.sha256(name.encode()).hexdigest()[:21]}"


def entry_unique_id(data: Mapping[str, Any]) -> str:
    """Return what no two entries may share: the home id on one broker.

    The machine itself counts as one host under all its usual names; others are taken as
    they are written, since what they resolve to may change.
    """
    host = data[CONF_HOST].lower().rstrip(".")
    if host in _LOOPBACK_NAMES:
        host = _LOOPBACK
    return f"{data[CONF_HOME_ID]}@{host}:{data[CONF_PORT]}"


def parse_headers(text: str) -> dict[str, str]:
    """Return HTTP headers from lines of `Name: value`, or raise InvalidSettingError."""
    headers: dict[str, str] = {}
    for line in filter(None, map(str.strip, text.splitlines())):
        name, colon, value = line.partition(":")
        if not colon or not _HEADER_NAME.fullmatch(name.strip()):
            raise InvalidSettingError(CONF_WEBSOCKET_HEADERS, "lines are `Name: value`")
        headers[name.strip()] = value.strip()
    return headers


async def _async_context(hass: HomeAssistant, data: Mapping[str, Any]) -> SSLContext:
    settings = TlsSettings(
        ca=data.get(CONF_CA),
        certificate=data.get(CONF_CLIENT_CERTIFICATE),
        key=data.get(CONF_CLIENT_KEY),
        passphrase=data.get(CONF_CLIENT_KEY_PASSPHRASE),
        verify=data.get(CONF_VERIFY, True),
        alpn=data.get(CONF_ALPN),
    )
    if settings == TlsSettings():
        return get_default_context()
    return await hass.async_add_executor_job(build_context, settings)


def _status_topic(data: Mapping[str, Any], choice: str) -> str:
    if choice == STATUS_TOPIC_HOMESYNC:
        return f"{data[CONF_PREFIX]}/{data[CONF_HOME_ID]}/bridge/status"
    return f"homeassistant/{data[CONF_HOME_ID]}/device/status"


def _status(topic: str, status: str) -> Publication:
    return Publication(topic, json_bytes({"status": status}), retain=True)
