"""One household: composes session, intake, model and dispatch.

socket → session → intake → model → listeners of exactly the keys that changed;
command → dispatch → dialect → session … answer → intake → dispatch → model → caller.
"""

import asyncio
from collections.abc import Awaitable, Callable
from functools import partial
import logging
import random
import time

from .commands import CommandResult, Reason
from .complaints import Complaints
from .dispatch import Dispatch, ResultListener, Surroundings
from .errors import HomeSyncError, InvalidSettingError
from .household_settings import HouseholdSettings
from .intake import Destinations, Intake
from .left_overs import LeftOvers
from .link import Link
from .listeners import Listeners
from .model import HouseholdModel, NodeState
from .order import Order
from .protocol.homesync import HomeSyncDialect
from .protocol.metrics import METRICS
from .protocol.topics import check_topic, is_command_topic
from .records import Installation, Publication, StatusValue
from .retained import RetainedScan
from .statistics_keeper import Statistics
from .statistics_month import BudgetStatistics, MonthOf, utc_month_of
from .statistics_observed import Observed
from .thinning import Thinning
from .transport.policy import NOTHING_LEARNED, Learned
from .transport.session import MqttSession
from .transport.settings import BrokerSettings, Timing
from .transport.state import ConnectionState
from .transport.terms import Receiver, Subscriptions

type ChangeListener = Callable[[NodeState, tuple[str, ...]], None]


def subscriptions_of(dialect: HomeSyncDialect) -> Subscriptions:
    """Return what a connection of a household subscribes to."""
    return Subscriptions(
        tuple((wanted.topic_filter, wanted.qos) for wanted in dialect.subscriptions),
        dialect.echo_topics,
    )


class Household:
    """The nodes of one home over one connection.

    `commands` is the way of every command, `link` what is to be seen of the connection,
    `left_overs` what the broker keeps for nobody, `statistics` the figures.

    `accepts(node_id)` decides on nodes heard for the first time;
    `on_node_refused(node_id)` is told of those that have no room, `on_stored()` that the
    commands which outlive a restart changed. `plan` is what its broker allows; `thins`
    tells whether telemetry may be thinned out to keep to it.
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
        self.plan = plan = settings.plan
        self.thins = settings.thin_at_limit and plan.stops and plan.bytes_a_month is not None
        self._wall_clock = wall_clock
        self._debug = partial(logger.debug, "Household %s: %r", settings.name)
        self._dialect = HomeSyncDialect(settings.prefix, settings.home_id)
        self._model = HouseholdModel(settings.max_nodes, METRICS)
        self._complaints = Complaints(logger, settings.name, loop.time)
        self._changes: Listeners[NodeState, tuple[str, ...]] = Listeners(logger, settings.name)
        self._results: Listeners[CommandResult] = Listeners(logger, settings.name)
        self._overhearing: Listeners[bytes, bytes, bool] = Listeners(logger, settings.name)
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
                on_messages=self._intake.receive,
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
        self.link = Link(
            self._session,
            logger,
            settings.name,
            secured=broker.tls is not None,
            grace_time=settings.grace_time,
            on_turn=self._on_turn,
        )
        self._scan = RetainedScan(self._session, sleep)
        self.left_overs = LeftOvers(
            self._dialect, self._model, self._session, self._scan, self.link.tell
        )
        self._thinning = Thinning(self._session, (self._dialect.telemetry,))

    @property
    def nodes(self) -> dict[str, NodeState]:
        """The known nodes by id; read only."""
        return self._model.nodes

    @property
    def thinned(self) -> bool:
        """Whether telemetry comes in short windows only."""
        return self._thinning.on

    @property
    def counts(self) -> dict[str, int]:
        """What was refused, skipped or superseded, and how commands ended, by cause."""
        counts = self._complaints.counts + self._model.counts + self.commands.counts
        return {**counts, "superseded": self._intake.superseded}

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
        self.link.stop()
        self._thinning.stop()
        self.left_overs.stop()
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
            patience=lambda: self.link.patience,
            tell=self._on_result,
            installing=self._on_installation,
            changed=self._on_stored,
            wall_clock=self._wall_clock,
        )

    def _destinations(self) -> Destinations:
        return Destinations(
            changed=self._changes.tell,
            accepts=self._accepts,
            refused=self._on_node_refused,
            take_echo=self._take_echo,
            retained=self._on_retained,
            set_full=self._set_full,
            rest_reading=self._rest_reading,
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

    def _rest_reading(self, seconds: float) -> None:
        self._session.rest_reading(seconds)

    def _on_turn(self, before: ConnectionState, state: ConnectionState) -> None:
        connected = state is ConnectionState.CONNECTED
        if connected:
            self.commands.connection_is_back()
        elif before is ConnectionState.CONNECTED:
            self.commands.connection_lost()
        self.left_overs.link_changed(connected=connected)

    def _away(self, node_id: str) -> Reason | None:
        """Why nothing can be sent to a node now."""
        if self.link.state is not ConnectionState.CONNECTED:
            return Reason.NOT_CONNECTED
        node = self._model.nodes.get(node_id)
        return Reason.NODE_OFFLINE if node is not None and node.offline else None

    def _on_result(self, result: CommandResult) -> None:
        self._debug(result)
        self._results.tell(result)

    def _on_installation(self, node_id: str, installation: Installation | None) -> None:
        node = self._model.nodes.get(node_id)
        if node is not None and (keys := self._model.set_installation(node_id, installation)):
            self._changes.tell(node, keys)

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
