"""The client: MQTT households without Home Assistant.

These names are all that the integration may import.
"""

from .errors import Cause, ConnectError, HomeSyncError, InvalidSettingError, Step
from .household import Household, HouseholdSettings
from .inflight import DEFAULT_RETRIES, DEFAULT_TIMEOUT
from .model import NodeState
from .model.household import FIRMWARE, LAST_BOOT, LAST_SEEN, ONLINE, RELAY, RSSI, telemetry_key
from .protocol.homesync import HomeSyncDialect
from .protocol.metrics import METRICS
from .protocol.topics import check_home_id, check_prefix
from .records import CommandResult, Outcome, Reason, RelayAction, RelayCommand
from .transport.preflight import preflight
from .transport.reasons import ASKS_FOR_CREDENTIALS
from .transport.settings import BrokerSettings, Timing
from .transport.state import ConnectionState

__all__ = [
    "ASKS_FOR_CREDENTIALS",
    "DEFAULT_RETRIES",
    "DEFAULT_TIMEOUT",
    "FIRMWARE",
    "LAST_BOOT",
    "LAST_SEEN",
    "METRICS",
    "ONLINE",
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
    "NodeState",
    "Outcome",
    "Reason",
    "RelayAction",
    "RelayCommand",
    "Step",
    "Timing",
    "check_home_id",
    "check_prefix",
    "preflight",
    "telemetry_key",
]
