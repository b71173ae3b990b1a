"""The broker of Home Assistant's own MQTT integration, as a household's settings."""

from typing import Any

from homeassistant.const import CONF_HOST, CONF_PASSWORD, CONF_PORT, CONF_USERNAME
from homeassistant.core import HomeAssistant

from .client import Transport
from .const import (
    CONF_CA,
    CONF_CLIENT_CERTIFICATE,
    CONF_CLIENT_KEY,
    CONF_TLS,
    CONF_TRANSPORT,
    CONF_VERIFY,
    CONF_WEBSOCKET_HEADERS,
    CONF_WEBSOCKET_PATH,
    CONF_WEBSOCKET_PORT,
)


def broker_of_home_assistant(hass: HomeAssistant) -> dict[str, Any] | None:
    """Return how Home Assistant itself reaches its broker, None if it has none."""
    entries = hass.config_entries.async_entries("mqtt", include_ignore=False)
    if not entries:
        return None
    data = entries[0].data
    certificate = data.get("certificate")
    port = data.get("port", 1883)
    values: dict[str, Any] = {
        CONF_HOST: data.get("broker"),
        CONF_PORT: port,
        CONF_TLS: certificate is not None,
        CONF_VERIFY: not data.get("tls_insecure", False),
        CONF_USERNAME: data.get("username"),
        CONF_PASSWORD: data.get("password"),
        CONF_CA: None if certificate == "auto" else certificate,
        CONF_CLIENT_CERTIFICATE: data.get("client_cert"),
        CONF_CLIENT_KEY: data.get("client_key"),
    }
    if data.get("transport") == "websockets":
        values[CONF_TRANSPORT] = Transport.WEBSOCKET.value
        values[CONF_WEBSOCKET_PORT] = port
        values[CONF_WEBSOCKET_PATH] = data.get("ws_path", "/")
        headers = data.get("ws_headers") or {}
        values[CONF_WEBSOCKET_HEADERS] = "\n".join(f"{key}: {headers[key]}" for key in headers)
    return {key: value for key, value in values.items() if value not in (None, "")}
