"""What crosses the client's layers: frozen records, no dicts.

Times are seconds since the epoch (UTC). `stamped` tells that the node itself gave the
time; otherwise it is the time of arrival.
"""

from dataclasses import dataclass
from enum import StrEnum


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """One telemetry value. `unit` is None only where the metric has none."""

    node_id: str
    metric: str
    value: float
    unit: str | None
    quality: int | None
    at: float
    stamped: bool


class StatusKey(StrEnum):
    """What a node says of itself."""

    ONLINE = "online"
    RELAY = "relay"
    FIRMWARE = "firmware"
    RSSI = "rssi"
    UPTIME = "uptime"


type StatusValue = bool | int | str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class StatusReport:
    """Fields of one status message; a value of None takes the field back.

    `rssi` is in dBm, `uptime` in seconds, `relay` and `online` are booleans.
    """

    node_id: str
    fields: tuple[tuple[StatusKey, StatusValue], ...]
    at: float
    stamped: bool


class RelayAction(StrEnum):
    """What a relay can be told."""

    ON = "on"
    OFF = "off"
    TOGGLE = "toggle"


@dataclass(frozen=True, slots=True)
class RelayCommand:
    """Switch the node's relay."""

    action: RelayAction


@dataclass(frozen=True, slots=True)
class Publication:
    """One message to send, never retained unless it says so."""

    topic: str
    payload: bytes
    qos: int = 1
    retain: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Response:
    """A node's answer to one request: `result` if it succeeded, `error` if it did not."""

    node_id: str
    request_id: str
    success: bool
    result: str | None
    error: str | None
    at: float
    stamped: bool


class Outcome(StrEnum):
    """How a command ended; every command has exactly one."""

    CONFIRMED = "confirmed"
    REJECTED = "rejected"
    TIMED_OUT = "timed_out"
    CANCELLED = "cancelled"
    DROPPED = "dropped"


class Reason(StrEnum):
    """Why a command was not confirmed."""

    REFUSED_BY_NODE = "refused_by_node"
    REFUSED_BY_BROKER = "refused_by_broker"
    TOO_LARGE = "too_large"
    NODE_OFFLINE = "node_offline"
    NOT_CONNECTED = "not_connected"
    NO_ANSWER = "no_answer"
    NOBODY_LISTENS = "nobody_listens"
    CONNECTION_LOST = "connection_lost"
    CONGESTED = "congested"
    STOPPED = "stopped"


@dataclass(frozen=True, slots=True, kw_only=True)
class CommandResult:
    """The one outcome of a command.

    `latency` is in seconds from the first send to the answer, None without an answer;
    `attempts` counts the sends; `detail` is the node's own text.
    """

    outcome: Outcome
    request_id: str
    attempts: int
    result: str | None = None
    reason: Reason | None = None
    detail: str | None = None
    latency: float | None = None
