"""The client: MQTT households without Home Assistant.

These names are all that the integration may import.
"""

from ssl import SSLContext

from .alerts import Alert, Alerts, Thresholds
from .commands import (
    DEFAULT_RETRIES,
    DEFAULT_TIMEOUT,
    DEFAULT_TTL,
    LONGEST_TTL,
    Command,
    CommandResult,
    ConfigCommand,
    Delivery,
    LedAction,
    LedCommand,
    OtaCommand,
    Outcome,
    OwnCommand,
    Reason,
    RelayAction,
    RelayCommand,
    RestartCommand,
    StoredCommand,
    json_object,
)
from .errors import (
    Cause,
    CongestedError,
    ConnectError,
    HomeSyncError,
    InvalidSettingError,
    NotConnectedError,
    Step,
    TooLargeError,
)
from .household import Household, subscriptions_of
from .household_settings import HouseholdSettings
from .link import Link
from .model import NodeState
from .model.household import (
    AVAILABLE,
    CAPABILITIES,
    EFFECTS,
    FIRMWARE,
    HARDWARE,
    IDENTIFY,
    INSTALLATION,
    LAST_BOOT,
    LAST_SEEN,
    LED,
    MANUFACTURER,
    MODEL,
    ONLINE,
    RELAY,
    RESTART,
    RSSI,
    telemetry_key,
)
from .order import abandoned
from .protocol.homesync import HomeSyncDialect
from .protocol.metrics import METRICS
from .protocol.topics import check_home_id, check_prefix, is_id
from .records import Firmware, Installation, LedState, LeftOver, Publication
from .statistics import (
    CommandStatistics,
    ConnectionStatistics,
    HouseholdStatistics,
    IntakeStatistics,
    MessageCounts,
    NodeStatistics,
    OverallStatistics,
    Percentiles,
    PublishingStatistics,
    Rates,
    SourceStatistics,
    TrafficStatistics,
    overall,
)
from .statistics_keeper import Statistics
from .statistics_month import BudgetStatistics, Month, MonthMark, MonthOf, utc_month_of
from .statistics_sources import Figures
from .statistics_state import StatisticsState, read_state
from .transport.packets import MqttVersion
from .transport.policy import Learned
from .transport.preflight import PreflightReport, preflight
from .transport.presets import PRESETS, Plan, Preset
from .transport.reasons import ASKS_FOR_CREDENTIALS
from .transport.settings import BrokerSettings, Timing, Transport, WebSocketSettings
from .transport.state import ConnectionState
from .transport.statistics import DISCONNECT_REASONS
from .transport.tls import TlsSettings, build_context
from .turns import Limits

__all__ = [
    "ASKS_FOR_CREDENTIALS",
    "AVAILABLE",
    "CAPABILITIES",
    "DEFAULT_RETRIES",
    "DEFAULT_TIMEOUT",
    "DEFAULT_TTL",
    "DISCONNECT_REASONS",
    "EFFECTS",
    "FIRMWARE",
    "HARDWARE",
    "IDENTIFY",
    "INSTALLATION",
    "LAST_BOOT",
    "LAST_SEEN",
    "LED",
    "LONGEST_TTL",
    "MANUFACTURER",
    "METRICS",
    "MODEL",
    "ONLINE",
    "PRESETS",
    "RELAY",
    "RESTART",
    "RSSI",
    "Alert",
    "Alerts",
    "BrokerSettings",
    "BudgetStatistics",
    "Cause",
    "Command",
    "CommandResult",
    "CommandStatistics",
    "ConfigCommand",
    "CongestedError",
    "ConnectError",
    "ConnectionState",
    "ConnectionStatistics",
    "Delivery",
    "Figures",
    "Firmware",
    "HomeSyncDialect",
    "HomeSyncError",
    "Household",
    "HouseholdSettings",
    "HouseholdStatistics",
    "Installation",
    "IntakeStatistics",
    "InvalidSettingError",
    "Learned",
    "LedAction",
    "LedCommand",
    "LedState",
    "LeftOver",
    "Limits",
    "Link",
    "MessageCounts",
    "Month",
    "MonthMark",
    "MonthOf",
    "MqttVersion",
    "NodeState",
    "NodeStatistics",
    "NotConnectedError",
    "OtaCommand",
    "Outcome",
    "OverallStatistics",
    "OwnCommand",
    "Percentiles",
    "Plan",
    "PreflightReport",
    "Preset",
    "Publication",
    "PublishingStatistics",
    "Rates",
    "Reason",
    "RelayAction",
    "RelayCommand",
    "RestartCommand",
    "SSLContext",
    "SourceStatistics",
    "Statistics",
    "StatisticsState",
    "Step",
    "StoredCommand",
    "Thresholds",
    "Timing",
    "TlsSettings",
    "TooLargeError",
    "TrafficStatistics",
    "Transport",
    "WebSocketSettings",
    "abandoned",
    "build_context",
    "check_home_id",
    "check_prefix",
    "is_id",
    "json_object",
    "overall",
    "preflight",
    "read_state",
    "subscriptions_of",
    "telemetry_key",
    "utc_month_of",
]
