"""What is told of a household: one frozen record, made when somebody asks.

Bytes are those of MQTT packets. What counts goes on over restarts, unless it says
otherwise; `recent` is within 15 minutes. Times are seconds since the epoch, spans seconds.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from math import ceil
from typing import Self

from .statistics_month import BudgetStatistics
from .transport.settings import Transport
from .transport.state import ConnectionState


@dataclass(frozen=True, slots=True, kw_only=True)
class ConnectionStatistics:
    """Attempts and connections; `failures` by cause, `disconnects` by reason.

    `since` and `seconds` are of the present connection, `connected_seconds` of all;
    `away_seconds` have passed without one, `uptime` since this start. `failure_rate` is of
    the recent attempts, 0 to 1, None without any. `round_trip` is what the last echo took.
    """

    state: ConnectionState
    url: str
    transport: Transport | None
    since: float | None
    seconds: float
    connected_seconds: float
    away_seconds: float
    uptime: float
    connects: int
    failed: int
    failures: Mapping[str, int]
    disconnects: Mapping[str, int]
    recent_connects: int
    recent_failed: int
    failure_rate: float | None
    last_disconnect: str | None
    last_disconnect_at: float | None
    next_attempt: float | None
    subscriptions: int
    round_trip: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class MessageCounts:
    """PUBLISH packets of one direction, by QoS and by kind; each adds up to `total`.

    `other` are probes, our own status, what is not of the protocol or was too large to read.
    """

    total: int
    qos0: int
    qos1: int
    telemetry: int
    status: int
    response: int
    command: int
    other: int


@dataclass(frozen=True, slots=True, kw_only=True)
class TrafficStatistics:
    """What went through the connection."""

    received: MessageCounts
    sent: MessageCounts
    bytes_received: int
    bytes_sent: int


@dataclass(frozen=True, slots=True, kw_only=True)
class PublishingStatistics:
    """How publishing ended: QoS 0 with the sending, QoS 1 with the broker's answer.

    `failures` by cause: refused, congested, not_connected, too_large, and unanswered, when
    the connection ended first. `failure_rate` is of the recent ones, 0 to 1, None without any.
    """

    succeeded: int
    failed: int
    failures: Mapping[str, int]
    recent_succeeded: int
    recent_failed: int
    failure_rate: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Percentiles:
    """Of the last `count` values, in seconds: nearest rank, None without any."""

    count: int
    p50: float | None
    p95: float | None
    p99: float | None

    @classmethod
    def of(cls, values: Sequence[float]) -> Self:
        """Sort and look; about 0.1 ms for a thousand."""
        ordered = sorted(values)

        def rank(share: float) -> float | None:
            return ordered[max(0, ceil(share * len(ordered)) - 1)] if ordered else None

        return cls(count=len(ordered), p50=rank(0.5), p95=rank(0.95), p99=rank(0.99))


@dataclass(frozen=True, slots=True, kw_only=True)
class CommandStatistics:
    """Commands by outcome; those `waiting` to be sent and `in_flight` without an answer.

    `oldest` is for how long the oldest has waited, None without one. `latency` is from the
    first send to the node's last word.
    """

    outcomes: Mapping[str, int]
    waiting: int
    oldest: float | None
    in_flight: int
    latency: Percentiles


@dataclass(frozen=True, slots=True, kw_only=True)
class IntakeStatistics:
    """Messages that led to nothing, and those that wait.

    `refused` had no room, `not_accepted` are of nodes that wait for the user's word or are
    ignored, `conflated` gave way unread to a newer one of their topic; `causes` tells
    everything apart, what merely came late included. `waiting` messages of `waiting_bytes`
    are not applied yet; some have waited for `behind` seconds.
    """

    malformed: int
    refused: int
    not_accepted: int
    conflated: int
    recent_malformed: int
    recent_refused: int
    recent_not_accepted: int
    causes: Mapping[str, int]
    waiting: int
    waiting_bytes: int
    behind: float


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeStatistics:
    """Nodes known, of these online; `refused` had no room since the start, at most 256."""

    total: int
    online: int
    refused: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Rates:
    """A minute, by the last one."""

    messages_received: float
    messages_sent: float
    bytes_received: float
    bytes_sent: float


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceStatistics:
    """What somebody else counts for the household; by the names that he chose."""

    counters: Mapping[str, float]
    gauges: Mapping[str, float | None]
    recent: Mapping[str, float]
    per_minute: Mapping[str, float] | None


@dataclass(frozen=True, slots=True, kw_only=True)
class HouseholdStatistics:
    """All of a household at one moment; counted since `since`.

    `rates` is None in the first ten seconds after a start.
    """

    name: str
    home_id: str
    at: float
    since: float
    connection: ConnectionStatistics
    traffic: TrafficStatistics
    publishing: PublishingStatistics
    commands: CommandStatistics
    intake: IntakeStatistics
    nodes: NodeStatistics
    rates: Rates | None
    budget: BudgetStatistics
    others: Mapping[str, SourceStatistics]


@dataclass(frozen=True, slots=True, kw_only=True)
class OverallStatistics:
    """Many households together.

    `connections` are those that households want, `active_connections` those that stand; a
    household is active while its does. `connected_since` is the oldest of them.
    """

    households: int
    active_households: int
    connections: int
    active_connections: int
    messages_received: int
    messages_published: int
    bytes_received: int
    bytes_sent: int
    subscriptions: int
    connected_since: float | None
    nodes: int
    nodes_online: int
    commands_waiting: int


def overall(households: Iterable[HouseholdStatistics]) -> OverallStatistics:
    """Add households up."""
    all_of_them = tuple(households)
    connections = [each.connection for each in all_of_them]
    wanted = [each for each in connections if each.state is not ConnectionState.STOPPED]
    active = [each for each in wanted if each.state is ConnectionState.CONNECTED]
    return OverallStatistics(
        households=len(all_of_them),
        active_households=len(active),
        connections=len(wanted),
        active_connections=len(active),
        messages_received=sum(each.traffic.received.total for each in all_of_them),
        messages_published=sum(each.traffic.sent.total for each in all_of_them),
        bytes_received=sum(each.traffic.bytes_received for each in all_of_them),
        bytes_sent=sum(each.traffic.bytes_sent for each in all_of_them),
        subscriptions=sum(each.subscriptions for each in connections),
        connected_since=min(
            (each.since for each in active if each.since is not None), default=None
        ),
        nodes=sum(each.nodes.total for each in all_of_them),
        nodes_online=sum(each.nodes.online for each in all_of_them),
        commands_waiting=sum(each.commands.waiting for each in all_of_them),
    )
