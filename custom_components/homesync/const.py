"""Names and bounds that several modules share."""

from typing import Final

from homeassistant.const import Platform

DOMAIN: Final = "homesync"
PLATFORMS: Final = (Platform.BINARY_SENSOR, Platform.SENSOR, Platform.SWITCH)

CONF_CLIENT_ID: Final = "client_id"
CONF_HOME_ID: Final = "home_id"
CONF_PREFIX: Final = "prefix"
CONF_TLS: Final = "tls"
CONF_GRACE_TIME: Final = "grace_time"
CONF_MAX_NODES: Final = "max_nodes"

DEFAULT_PREFIX: Final = "homesync"
DEFAULT_PORT: Final = 8883
DEFAULT_GRACE_TIME: Final = 30
"""Seconds; bridges the restart of a broker."""
DEFAULT_MAX_NODES: Final = 100
