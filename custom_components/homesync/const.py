"""Names and bounds that several modules share."""

from typing import Final

from homeassistant.const import Platform

DOMAIN: Final = "homesync"
PLATFORMS: Final = (
    Platform.BINARY_SENSOR,
    Platform.BUTTON,
    Platform.LIGHT,
    Platform.SENSOR,
    Platform.SWITCH,
    Platform.UPDATE,
)

CONF_ACCEPTED_NODES: Final = "accepted_nodes"
CONF_ALPN: Final = "alpn"
CONF_CA: Final = "ca"
CONF_CLIENT_CERTIFICATE: Final = "client_certificate"
CONF_CLIENT_ID: Final = "client_id"
CONF_CLIENT_ID_BASE: Final = "client_id_base"
CONF_CLIENT_KEY: Final = "client_key"
CONF_CLIENT_KEY_PASSPHRASE: Final = "client_key_passphrase"  # noqa: S105 - a field's name
CONF_HOME_ID: Final = "home_id"
CONF_LEARNED_TRANSPORT: Final = "learned_transport"
CONF_LEARNED_VERSION: Final = "learned_version"
CONF_PREFIX: Final = "prefix"
CONF_PRESET: Final = "preset"
CONF_SESSION_EXPIRY: Final = "session_expiry"
CONF_TLS: Final = "tls"
CONF_TRANSPORT: Final = "transport"
CONF_VERIFY: Final = "verify"
CONF_VERSION: Final = "version"
CONF_WEBSOCKET_HEADERS: Final = "websocket_headers"
CONF_WEBSOCKET_PATH: Final = "websocket_path"
CONF_WEBSOCKET_PORT: Final = "websocket_port"

CONF_ALERT_BAD_MESSAGES: Final = "alert_bad_messages"
CONF_ALERT_CONNECT_FAILURES: Final = "alert_connect_failures"
CONF_ALERT_CONNECTIONS: Final = "alert_connections"
CONF_ALERT_DATA: Final = "alert_data"
CONF_ALERT_DISCONNECTED: Final = "alert_disconnected"
CONF_ALERT_PUBLISH_FAILURES: Final = "alert_publish_failures"
CONF_ALERT_QUEUE_AGE: Final = "alert_queue_age"
CONF_COMMANDS_PER_HOUSEHOLD: Final = "commands_per_household"
CONF_COMMANDS_PER_NODE: Final = "commands_per_node"
CONF_CONNECT_TIMEOUT: Final = "connect_timeout"
CONF_ECHO_INTERVAL: Final = "echo_interval"
CONF_FIRMWARE_CATALOGUE: Final = "firmware_catalogue"
CONF_FIRMWARE_HOSTS: Final = "firmware_hosts"
CONF_GRACE_TIME: Final = "grace_time"
CONF_KEEPALIVE: Final = "keepalive"
CONF_LONGEST_GAP: Final = "longest_gap"
CONF_MAX_NODES: Final = "max_nodes"
CONF_NEW_NODES: Final = "new_nodes"
CONF_PARALLEL_UPDATES: Final = "parallel_updates"
CONF_PLAN_BOTH_WAYS: Final = "plan_both_ways"
CONF_PLAN_CONNECTIONS: Final = "plan_connections"
CONF_PLAN_DATA: Final = "plan_data"
CONF_PLAN_STOPS: Final = "plan_stops"
CONF_STATUS_TOPIC: Final = "status_topic"
CONF_THIN_AT_LIMIT: Final = "thin_at_limit"

DEFAULT_CLIENT_ID_BASE: Final = "homesync"
DEFAULT_PREFIX: Final = "homesync"
DEFAULT_PRESET: Final = "other"

VERSION_AUTO: Final = "auto"
VERSION_5: Final = "5"
VERSION_311: Final = "3.1.1"

NEW_NODES_ADD: Final = "add"
NEW_NODES_ASK: Final = "ask"

STATUS_TOPIC_HOMESYNC: Final = "homesync"
STATUS_TOPIC_HOMEASSISTANT: Final = "homeassistant"

EVENT_COMMAND: Final = "homesync_command"
EVENT_CONNECTION: Final = "homesync_connection"

DEFAULT_OPTIONS: Final[dict[str, int | str | list[str]]] = {
    CONF_GRACE_TIME: 30,  # seconds; bridges the restart of a broker
    CONF_MAX_NODES: 100,
    CONF_NEW_NODES: NEW_NODES_ADD,
    CONF_KEEPALIVE: 60,  # seconds
    CONF_CONNECT_TIMEOUT: 10,  # seconds
    CONF_LONGEST_GAP: 60,  # seconds
    CONF_ECHO_INTERVAL: 5,  # minutes; 0 is never
    CONF_STATUS_TOPIC: STATUS_TOPIC_HOMESYNC,
    CONF_COMMANDS_PER_NODE: 1,
    CONF_COMMANDS_PER_HOUSEHOLD: 20,
    CONF_PARALLEL_UPDATES: 2,
    CONF_FIRMWARE_CATALOGUE: "",
    CONF_FIRMWARE_HOSTS: [],
    CONF_ALERT_DISCONNECTED: 5,  # minutes; of all alerts, 0 is never
    CONF_ALERT_CONNECT_FAILURES: 10,  # percent
    CONF_ALERT_PUBLISH_FAILURES: 5,  # percent
    CONF_ALERT_QUEUE_AGE: 15,  # minutes
    CONF_ALERT_BAD_MESSAGES: 10,  # a minute
    CONF_ALERT_DATA: 80,  # percent of the plan
    CONF_ALERT_CONNECTIONS: 80,  # percent of the plan
    CONF_THIN_AT_LIMIT: False,
}
