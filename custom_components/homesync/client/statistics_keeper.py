"""Keeps a household's statistics: asks whoever counts, only when somebody wants to know."""

import asyncio
from collections.abc import Callable

from .commands import Outcome
from .statistics import (
    CommandStatistics,
    ConnectionStatistics,
    HouseholdStatistics,
    IntakeStatistics,
    MessageCounts,
    NodeStatistics,
    Percentiles,
    PublishingStatistics,
    Rates,
    SourceStatistics,
    TrafficStatistics,
)
from .statistics_month import BudgetStatistics, MonthLedger, MonthOf, budget
from .statistics_observed import KINDS, Observed, sources_of
from .statistics_sources import SAMPLE_EVERY, Counters, Figures, Sources, total
from .statistics_state import StatisticsState
from .transport.state import ConnectionState

_MOST_REFUSED = 256
_PUBLISH_FAILURES = ("refused", "congested", "not_connected", "too_large", "unanswered")


class Statistics:
    """The statistics of one household; whatever else counts for it is registered here.

    `month_of` tells in which month a time is, for the bytes of a month.
    """

    def __init__(self, observed: Observed, month_of: MonthOf) -> None:
        self._of = observed
        self._loop = asyncio.get_running_loop()
        self._sources = Sources(self._loop.time, observed.logger, observed.name)
        self._ledger = MonthLedger(month_of)
        self._since = observed.wall_clock()
        self._started = self._loop.time()
        self._refused: set[str] = set()
        self._timer: asyncio.TimerHandle | None = None
        own = sources_of(observed)
        for name, figures in own.items():
            self._sources.register(name, figures)
        self._own = frozenset(own)

    def register(self, name: str, figures: Callable[[], Figures]) -> Callable[[], None]:
        """Add a source of figures (see `Figures`); returns what takes it away again.

        Its totals, rates and gauges are told under `others`, and its counters outlive
        restarts. Raises ValueError if the name is taken.
        """
        return self._sources.register(name, figures)

    def start(self) -> None:
        """Begin to take samples, every ten seconds."""
        self._started = self._loop.time()
        self._tick()

    def stop(self) -> None:
        """Take no more samples; what was counted can still be asked for."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def state(self) -> StatisticsState:
        """What has to outlive a restart."""
        self._update_month()
        return StatisticsState(
            counters=self._sources.state(),
            since=self._since,
            month=self._ledger.current,
            last_month=self._ledger.last,
        )

    def restore(self, state: StatisticsState) -> None:
        """Go on where an earlier run stopped; once, before the start."""
        self._sources.restore(state.counters)
        self._since = min(self._since, state.since)
        self._ledger.current = state.month
        self._ledger.last = state.last_month

    def node_refused(self, node_id: str) -> None:
        """A node had no room."""
        if len(self._refused) < _MOST_REFUSED:
            self._refused.add(node_id)

    def snapshot(self) -> HouseholdStatistics:
        """All figures of this moment; takes about 0.2 ms."""
        return HouseholdStatistics(
            name=self._of.name,
            home_id=self._of.home_id,
            at=self._of.wall_clock(),
            since=self._since,
            connection=self._connection(),
            traffic=self._traffic(),
            publishing=self._publishing(),
            commands=self._commands(),
            intake=self._intake(),
            nodes=self._nodes(),
            rates=self._rates(),
            budget=self._budget(),
            others={
                name: self._other(name) for name in self._sources.names if name not in self._own
            },
        )

    def _tick(self) -> None:
        self._timer = self._loop.call_later(SAMPLE_EVERY, self._tick)
        self._sources.sample()
        self._update_month()

    def _update_month(self) -> None:
        self._ledger.update(self._of.wall_clock(), self._bytes())

    def _bytes(self) -> int:
        return total(self._sources.totals("traffic"), ("bytes_in", "bytes_out"))

    def _connection(self) -> ConnectionStatistics:
        session, history = self._of.session, self._of.session.history
        counted = self._sources.totals("connection")
        recent = self._sources.recent("connection")
        recent_connects, recent_failed = total(recent, ("connects",)), total(recent, ("failed",))
        return ConnectionStatistics(
            state=session.state,
            url=session.url,
            transport=None if session.terms is None else session.terms.transport,
            since=history.since,
            seconds=history.seconds,
            connected_seconds=counted.get("connected_seconds", 0.0),
            away_seconds=history.seconds_away,
            uptime=self._loop.time() - self._started,
            connects=total(counted, ("connects",)),
            failed=total(counted, ("failed",)),
            failures=_whole(self._sources.totals("connect_failures")),
            disconnects=_whole(self._sources.totals("disconnects")),
            recent_connects=recent_connects,
            recent_failed=recent_failed,
            failure_rate=_part(recent_failed, recent_connects),
            last_disconnect=history.last_reason,
            last_disconnect_at=history.ended,
            next_attempt=history.next_attempt,
            subscriptions=session.subscriptions,
            round_trip=None if session.echo is None else session.echo.round_trip,
        )

    def _traffic(self) -> TrafficStatistics:
        counted = self._sources.totals("traffic")
        received = {kind: total(counted, (f"received_{kind}",)) for kind in KINDS}
        telemetry = total(counted, ("received",)) - sum(received.values())
        commands = total(counted, ("sent_command",))
        return TrafficStatistics(
            received=_messages(counted, "received", telemetry=telemetry, **received),
            sent=_messages(
                counted, "sent", command=commands, other=total(counted, ("sent",)) - commands
            ),
            bytes_received=total(counted, ("bytes_in",)),
            bytes_sent=total(counted, ("bytes_out",)),
        )

    def _publishing(self) -> PublishingStatistics:
        counted, recent = self._sources.totals("traffic"), self._sources.recent("traffic")
        recent_succeeded, recent_failed = _succeeded(recent), total(recent, _PUBLISH_FAILURES)
        return PublishingStatistics(
            succeeded=_succeeded(counted),
            failed=total(counted, _PUBLISH_FAILURES),
            failures={cause: total(counted, (cause,)) for cause in _PUBLISH_FAILURES},
            recent_succeeded=recent_succeeded,
            recent_failed=recent_failed,
            failure_rate=_part(recent_failed, recent_succeeded),
        )

    def _commands(self) -> CommandStatistics:
        commands = self._of.commands
        outcomes = _whole(self._sources.totals("commands"))
        known = (outcome.value for outcome in Outcome if outcome is not Outcome.QUEUED)
        return CommandStatistics(
            outcomes={outcome: outcomes.get(outcome, 0) for outcome in known},
            waiting=commands.waiting,
            oldest=commands.oldest,
            in_flight=commands.sent,
            latency=Percentiles.of(commands.latencies),
        )

    def _intake(self) -> IntakeStatistics:
        intake = self._of.intake
        counted, recent = self._sources.totals("intake"), self._sources.recent("intake")
        return IntakeStatistics(
            malformed=total(counted, ("malformed",)),
            refused=total(counted, ("refused",)),
            not_accepted=total(counted, ("not_accepted",)),
            conflated=total(counted, ("conflated",)),
            recent_malformed=total(recent, ("malformed",)),
            recent_refused=total(recent, ("refused",)),
            recent_not_accepted=total(recent, ("not_accepted",)),
            causes={
                key.removeprefix("cause."): int(times)
                for key, times in counted.items()
                if key.startswith("cause.")
            },
            waiting=intake.waiting,
            waiting_bytes=intake.waiting_bytes,
            behind=intake.behind,
        )

    def _nodes(self) -> NodeStatistics:
        nodes = self._of.model.nodes
        return NodeStatistics(
            total=len(nodes),
            online=sum(node.online for node in nodes.values()),
            refused=len(self._refused.difference(nodes)),
        )

    def _rates(self) -> Rates | None:
        rates = self._sources.per_minute("traffic")
        if rates is None:
            return None
        return Rates(
            messages_received=rates["received"],
            messages_sent=rates["sent"],
            bytes_received=rates["bytes_in"],
            bytes_sent=rates["bytes_out"],
        )

    def _budget(self) -> BudgetStatistics:
        connected = self._of.session.state is ConnectionState.CONNECTED
        connections = connected + self._nodes().online
        now = self._of.wall_clock()
        return budget(self._ledger, now, self._bytes(), connections, self._of.plan)

    def _other(self, name: str) -> SourceStatistics:
        return SourceStatistics(
            counters=self._sources.totals(name),
            gauges=self._sources.gauges(name),
            recent=self._sources.recent(name),
            per_minute=self._sources.per_minute(name),
        )


def _messages(
    counted: Counters,
    way: str,
    *,
    telemetry: int = 0,
    status: int = 0,
    response: int = 0,
    command: int = 0,
    other: int = 0,
) -> MessageCounts:
    everything, qos1 = total(counted, (way,)), total(counted, (f"{way}_qos1",))
    return MessageCounts(
        total=everything,
        qos0=everything - qos1,
        qos1=qos1,
        telemetry=telemetry,
        status=status,
        response=response,
        command=command,
        other=other,
    )


def _succeeded(counted: Counters) -> int:
    """QoS 0 counts as sent, QoS 1 as acknowledged."""
    sent = total(counted, ("sent", "acknowledged"))
    return sent - total(counted, ("sent_qos1",))


def _whole(counted: Counters) -> dict[str, int]:
    return {key: int(value) for key, value in counted.items()}


def _part(failed: int, succeeded: int) -> float | None:
    return failed / (failed + succeeded) if failed or succeeded else None
