"""The client: MQTT households without Home Assistant.

These names are all that the integration may import.
"""

from ssl import SSLContext

from .errors import Cause, ConnectError, HomeSyncError, InvalidSettingError, Step
from .household import Household, HouseholdSettings, subscriptions_of
from .inflight import DEFAULT_RETRIES, DEFAULT_TIMEOUT
from .model import NodeState
from .model.household import FIRMWARE, LAST_BOOT, LAST_SEEN, ONLINE, RELAY, RSSI, telemetry_key
from .protocol.homesync import HomeSyncDialect
from .protocol.metrics import METRICS
from .protocol.topics import check_home_id, check_prefix
from .records import CommandResult, Outcome, Publication, Reason, RelayAction, RelayCommand
from .transport.packets import MqttVersion
from .transport.policy import Learned
from .transport.preflight import PreflightReport, preflight
from .transport.presets import PRESETS, Preset
from .transport.reasons import ASKS_FOR_CREDENTIALS
from .transport.settings import BrokerSettings, Timing, Transport, WebSocketSettings
from .transport.state import ConnectionState
from .transport.tls import TlsSettings, build_context

__all__ = [
    "ASKS_FOR_CREDENTIALS",
    "DEFAULT_RETRIES",
    "DEFAULT_TIMEOUT",
    "FIRMWARE",
    "LAST_BOOT",
    "LAST_SEEN",
    "METRICS",
    "ONLINE",
    "PRESETS",
    "RELAY",
    "RSSI",
    "BrokerSettings",
    "Cause",
    "CommandResult",
    "ConnectError",
    "ConnectionState",
    "HomeSyncDialect",
    "HomeSyncError",
    "Household",
    "HouseholdSettings",
    "InvalidSettingError",
    "Learned",
    "MqttVersion",
    "NodeState",
    "Outcome",
    "PreflightReport",
    "Preset",
    "Publication",
    "Reason",
    "RelayAction",
    "RelayCommand",
    "SSLContext",
    "Step",
    "Timing",
    "TlsSettings",
    "Transport",
    "WebSocketSettings",
    "build_context",
    "check_home_id",
    "check_prefix",
    "preflight",
    "subscriptions_of",
    "telemetry_key",
]
