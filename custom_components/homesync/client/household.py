"""One household: composes session, intake, model and dispatch.

socket → session → intake → model → listeners of exactly the keys that changed;
command → dispatch → dialect → session … answer → intake → dispatch → model → caller.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
import logging
import random
import time

from .commands import CommandResult, Reason
from .complaints import Complaints
from .dispatch import Dispatch, Limits, ResultListener, Surroundings
from .errors import ConnectError, HomeSyncError, InvalidSettingError, ProtocolError
from .grace import Grace
from .intake import Destinations, Intake
from .listeners import Listeners
from .model import HouseholdModel, NodeState
from .order import Order
from .protocol.homesync import HomeSyncDialect
from .protocol.metrics import METRICS
from .protocol.topics import check_topic, is_command_topic, is_topic
from .records import Installation, LeftOver, Publication, StatusValue
from .retained import RetainedScan
from .statistics_keeper import Observed, Statistics
from .statistics_month import BudgetStatistics, MonthOf, utc_month_of
from .thinning import Thinning
from .transport.echo import EchoResult
from .transport.packets import BrokerLimits
from .transport.policy import NOTHING_LEARNED, Learned
from .transport.presets import Plan
from .transport.session import MqttSession, StateListener
from .transport.settings import BrokerSettings, Timing
from .transport.state import ConnectionState
from .transport.terms import Receiver, Subscriptions, Terms

# Searches for retained commands that ended with the connection, one after the other.
_MOST_CUT_SEARCHES = 2

_LOST = frozenset((ConnectionState.DISCONNECTED, ConnectionState.ERROR))

type ChangeListener = Callable[[NodeState, tuple[str, ...]], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class HouseholdSettings:
    """What makes a household; `name` is for people and logs.

    For `grace_time` seconds after a loss its nodes still count as reachable. With
    `thin_at_limit` telemetry is thinned out once the data of a plan that stops is used up.
    """

    name: str
    home_id: str
    prefix: str = "homesync"
    max_nodes: int = 100
    grace_time: float = 30.0
    limits: Limits = field(default_factory=Limits)
    plan: Plan = field(default_factory=Plan)
    thin_at_limit: bool = False


def subscriptions_of(dialect: HomeSyncDialect) -> Subscriptions:
    """Return what a connection of a household subscribes to."""
    return Subscriptions(
        tuple((wanted.topic_filter, wanted.qos) for wanted in dialect.subscriptions),
        dialect.echo_topics,
    )


class Household:
    """The nodes of one home over one connection.

    `commands` is the way of every command. `accepts(node_id)` decides on nodes heard for
    the first time; `on_node_refused(node_id)` is told of those that have no room,
    `on_stored()` that the commands which outlive a restart changed. `plan` is what its
    broker allows; `thins` tells whether telemetry may be thinned out to keep to it.
    """

    def __init__(
        self,
        settings: HouseholdSettings,
        broker: BrokerSettings,
        logger: logging.Logger,
        *,
        learned: Learned = NOTHING_LEARNED,
        timing: Timing | None = None,
        spread: float = 0.0,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
        random_number: Callable[[], float] = random.random,
        wall_clock: Callable[[], float] = time.time,
        month_of: MonthOf = utc_month_of,
    ) -> None:
        loop = asyncio.get_running_loop()
        self.accepts: Callable[[str], bool] = lambda _: True
        self.on_node_refused: Callable[[str], None] = _nobody_cares
        self.on_stored: Callable[[], None] = _nobody_cares
        self.retained_commands: tuple[str, ...] = ()
        self.plan = plan = settings.plan
        self.thins = settings.thin_at_limit and plan.stops and plan.bytes_a_month is not None
        self._secured = broker.tls is not None
        self._wall_clock = wall_clock
        self._debug = partial(logger.debug, "Household %s: %r", settings.name)
        self._dialect = HomeSyncDialect(settings.prefix, settings.home_id)
        self._model = HouseholdModel(settings.max_nodes, METRICS)
        self._complaints = Complaints(logger, settings.name, loop.time)
        self._changes: Listeners[NodeState, tuple[str, ...]] = Listeners(logger, settings.name)
        self._results: Listeners[CommandResult] = Listeners(logger, settings.name)
        self._states: Listeners[ConnectionState] = Listeners(logger, settings.name)
        self._overhearing: Listeners[bytes, bytes, bool] = Listeners(logger, settings.name)
        self._grace = Grace(settings.grace_time, self._tell_state)
        self.commands = Dispatch(settings.limits, self._surroundings())
        self._intake = Intake(
            self._dialect,
            self._model,
            self.commands,
            self._complaints,
            to=self._destinations(),
            logger=logger,
        )
        self._session = MqttSession(
            settings.name,
            broker,
            subscriptions_of(self._dialect),
            Receiver(
                on_publish=self._intake.receive,
                on_batch=self._intake.flush,
                on_oversize=self._intake.refuse_oversize,
            ),
            logger,
            learned=learned,
            timing=timing,
            spread=spread,
            sleep=sleep,
            random_number=random_number,
            wall_clock=wall_clock,
        )
        self.statistics = self._statistics(settings, logger, month_of)
        self._scan = RetainedScan(self._session, sleep)
        self._thinning = Thinning(self._session, (self._dialect.telemetry,))
        self._search: asyncio.Task[None] | None = None
        self._cut_searches = 0
        self._last_state = self._session.state
        self._session.add_listener(self._on_state)

    @property
    def nodes(self) -> dict[str, NodeState]:
        """The known nodes by id; read only."""
        return self._model.nodes

    @property
    def state(self) -> ConnectionState:
        """Where the connection stands."""
        return self._session.state

    @property
    def reachable(self) -> bool:
        """Whether the nodes' values count: the link is there, or was a moment ago."""
        return self._grace.reachable

    @property
    def error(self) -> ConnectError | None:
        """Why there is no connection, None while there is one or before the first try."""
        return self._session.error

    @property
    def learned(self) -> Learned:
        """What is worth remembering for the next start."""
        return self._session.learned

    @property
    def rival(self) -> bool:
        """Whether another client seems to use our client id."""
        return self._session.rival

    @property
    def terms(self) -> Terms | None:
        """How the present connection was made."""
        return self._session.terms

    @property
    def secured(self) -> bool:
        """Whether the connection is encrypted."""
        return self._secured

    @property
    def limits(self) -> BrokerLimits | None:
        """What the broker announced for the present connection."""
        return self._session.limits

    @property
    def echo(self) -> EchoResult | None:
        """What the last probe found."""
        return self._session.echo

    @property
    def certificate_expires(self) -> float | None:
        """When the broker's certificate ends, in seconds since the epoch."""
        return self._session.certificate_expires

    @property
    def thinned(self) -> bool:
        """Whether telemetry comes in short windows only."""
        return self._thinning.on

    @property
    def counts(self) -> dict[str, int]:
        """What was refused, skipped or superseded, and how commands ended, by cause."""
        counts = self._complaints.counts + self._model.counts + self.commands.counts
        return {**counts, "superseded": self._intake.superseded}

    def add_state_listener(self, listener: StateListener) -> Callable[[], None]:
        """Call `listener(state)` at each change; returns what ends that.

        It is also called, with the state unchanged, when a probe or the grace time ended.
        """
        return self._states.add(listener)

    def add_change_listener(self, listener: ChangeListener) -> Callable[[], None]:
        """Call `listener(node, keys)` when values of a node changed; returns what ends that."""
        return self._changes.add(listener)

    def add_result_listener(self, listener: ResultListener) -> Callable[[], None]:
        """Call `listener(result)` with the one outcome of each command; returns what ends that."""
        return self._results.add(listener)

    def overhear(self, listener: Callable[[bytes, bytes, bool], None]) -> Callable[[], None]:
        """Call `listener(topic, payload, retained)` with all that arrives; returns what ends that.

        Every message costs a call as long as somebody listens.
        """
        leave = self._overhearing.add(listener)
        self._intake.on_message = self._overhearing.tell

        def end() -> None:
            leave()
            if not self._overhearing:
                self._intake.on_message = None

        return end

    def start(self) -> None:
        """Begin to connect; returns at once."""
        self.statistics.start()
        self._session.start()

    def reconnect(self) -> None:
        """End the connection and connect again, or try at once if there is none."""
        self._session.reconnect()

    def keep_to_plan(self, used: BudgetStatistics) -> None:
        """Thin telemetry out while the plan's data is used up, if the settings say so."""
        self._thinning.switch(on=self.thins and used.share is not None and used.share >= 1)

    async def stop(self) -> None:
        """End everything; open commands end as cancelled, queued ones rest as stored."""
        self._grace.stop()
        self._thinning.stop()
        self._end_search()
        self.commands.stop()
        await self._session.stop()
        self._intake.close()
        self.statistics.stop()

    def restore_node(self, node_id: str) -> NodeState:
        """Add a node known from before a restart, whatever `max_nodes` is now."""
        return self._model.add(node_id)

    def restore_value(
        self, node_id: str, key: str, value: float | StatusValue, unit: str | None = None
    ) -> None:
        """Set a value from before a restart, unless a fresh one is there."""
        self._model.restore(node_id, key, value, unit)

    async def clear_node(self, node_id: str) -> None:
        """Have the broker forget what it keeps of a node, while connected and allowed to look.

        The node has to be known still: what is overheard would make it known again.
        """
        with suppress(HomeSyncError):
            found = await self._scan.find(self._dialect.everything_of(node_id))
            self.clear_retained(found or ())

    def remove_node(self, node_id: str) -> None:
        """Forget a node and, while connected, take its retained status off the broker."""
        self.commands.cancel(node_id)
        self._model.remove(node_id)
        self._intake.forget(node_id)
        for message in self._dialect.forget_node(node_id):
            try:
                self._session.publish(message)
            except HomeSyncError:
                return

    def publish(self, message: Publication) -> None:
        """Send a message that is no command.

        Raises NotConnectedError, CongestedError or TooLargeError if it was not sent, and
        InvalidSettingError for a topic that cannot be or that belongs to commands.
        """
        if is_command_topic(check_topic(message.topic)):
            raise InvalidSettingError("topic", "commands are not sent as plain messages")
        self._session.publish(message)

    async def find_retained(self) -> dict[str, int] | None:
        """Return topic → bytes of what the broker keeps for nodes that are not known.

        None if the broker does not let us look; raises NotConnectedError.
        """
        found = await self._scan.find(self._dialect.everything)
        if found is None:
            return None
        return {topic: size for topic, size in found.items() if self.why_left_over(topic)}

    def why_left_over(self, topic: str) -> LeftOver | None:
        """Why a retained message serves nobody; None if it does, or is none of the nodes'."""
        if not self._dialect.owns(topic):
            return None
        if is_command_topic(topic):
            return LeftOver.COMMAND
        try:
            target = self._dialect.resolve(topic.encode())
        except ProtocolError:
            return LeftOver.UNKNOWN_TOPIC
        if target.branch == "response":
            return LeftOver.ANSWER
        return None if target.node_id in self._model.nodes else LeftOver.UNKNOWN_NODE

    def clear_retained(self, topics: Iterable[str]) -> int:
        """Have the broker forget what it keeps on topics of this household; return how many.

        Raises NotConnectedError, CongestedError or TooLargeError when it has to give up.
        """
        own = (topic for topic in dict.fromkeys(topics) if self._dialect.owns(topic))
        # Strangers chose them: one that cannot be published on must not spare the others.
        wanted = [topic for topic in own if is_topic(topic)]
        for topic in wanted:
            self._session.publish(Publication(topic, b"", retain=True))
        self.retained_commands = tuple(
            topic for topic in self.retained_commands if topic not in wanted
        )
        self._tell_state()
        return len(wanted)

    def _statistics(
        self, settings: HouseholdSettings, logger: logging.Logger, month_of: MonthOf
    ) -> Statistics:
        observed = Observed(
            name=settings.name,
            home_id=settings.home_id,
            plan=settings.plan,
            session=self._session,
            intake=self._intake,
            commands=self.commands,
            model=self._model,
            complaints=self._complaints,
            logger=logger,
            wall_clock=self._wall_clock,
        )
        return Statistics(observed, month_of)

    def _surroundings(self) -> Surroundings:
        return Surroundings(
            send=self._send_command,
            away=self._away,
            patience=lambda: self._grace.left,
            tell=self._on_result,
            installing=self._on_installation,
            changed=self._on_stored,
            wall_clock=self._wall_clock,
        )

    def _destinations(self) -> Destinations:
        return Destinations(
            changed=self._changed,
            accepts=self._accepts,
            refused=self._on_node_refused,
            take_echo=self._take_echo,
            retained=self._on_retained,
            set_full=self._set_full,
            wall_clock=self._wall_clock,
        )

    # Not bound before they are called: whom they ask is set or made later.

    def _on_stored(self) -> None:
        self.on_stored()

    def _accepts(self, node_id: str) -> bool:
        return self.accepts(node_id)

    def _on_node_refused(self, node_id: str) -> None:
        self.statistics.node_refused(node_id)
        self.on_node_refused(node_id)

    def _take_echo(self, topic: bytes, payload: bytes) -> bool:
        return self._session.take_echo(topic, payload)

    def _on_retained(self, topic: bytes, payload: bytes) -> None:
        self._scan.received(topic, payload)

    def _set_full(self, full: bool) -> None:
        if full:
            self._session.pause_reading()
        else:
            self._session.resume_reading()

    def _on_state(self, state: ConnectionState) -> None:
        before, self._last_state = self._last_state, state
        if state is not before:
            if self._end_search():
                # Some brokers close the connection of who asks for what he may not see.
                self._cut_searches += 1
            if state is ConnectionState.CONNECTED:
                self._grace.connected()
                self.commands.connection_is_back()
                self._begin_search()
            else:
                if state in _LOST:
                    self._grace.lost()
                if before is ConnectionState.CONNECTED:
                    self.commands.connection_lost()
        self._tell_state()

    def _tell_state(self) -> None:
        self._states.tell(self.state)

    async def _search_retained_commands(self) -> None:
        """Look for commands that the broker keeps: nodes would get them at each reconnect."""
        try:
            found = await self._scan.find(self._dialect.commands, wanted=is_command_topic)
        except HomeSyncError:
            return
        self._cut_searches = 0
        self.retained_commands = tuple(found or ())
        self._tell_state()

    def _begin_search(self) -> None:
        if self._cut_searches < _MOST_CUT_SEARCHES:
            search = self._search_retained_commands()
            self._search = asyncio.get_running_loop().create_task(search)

    def _end_search(self) -> bool:
        """End a search; return whether there was one that had not ended by itself."""
        search, self._search = self._search, None
        return search is not None and search.cancel()

    def _away(self, node_id: str) -> Reason | None:
        """Why nothing can be sent to a node now."""
        if self.state is not ConnectionState.CONNECTED:
            return Reason.NOT_CONNECTED
        node = self._model.nodes.get(node_id)
        return Reason.NODE_OFFLINE if node is not None and node.offline else None

    def _on_result(self, result: CommandResult) -> None:
        self._debug(result)
        self._results.tell(result)

    def _on_installation(self, node_id: str, installation: Installation | None) -> None:
        if node_id in self._model.nodes:
            self._changed(node_id, self._model.set_installation(node_id, installation))

    def _changed(self, node_id: str, keys: tuple[str, ...]) -> None:
        if keys:
            self._changes.tell(self._model.nodes[node_id], keys)

    def _send_command(self, order: Order) -> None:
        self._session.publish(
            self._dialect.encode_command(
                order.node_id, order.command, order.request_id, self._wall_clock()
            ),
            partial(self.commands.broker_answered, order.request_id),
            wait=False,
        )


def _nobody_cares(*_: object) -> None:
    """Stands in until somebody wants to know."""
