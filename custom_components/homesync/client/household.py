"""One household: the only place that sees both bytes and records.

socket → session → inbox → dialect → model → listeners of exactly the keys that changed;
command → inflight → dialect → session … answer → inflight → model → caller.
"""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import partial
import logging
import random
import time

from .complaints import Complaints
from .errors import ConnectError, HomeSyncError, ProtocolError
from .inbox import Inbox
from .inflight import DEFAULT_RETRIES, DEFAULT_TIMEOUT, Inflight
from .model import HouseholdModel, NodeState
from .protocol.homesync import HomeSyncDialect, relay_result
from .protocol.metrics import METRICS
from .protocol.topics import NodeTopic
from .records import CommandResult, Reason, RelayCommand, StatusKey, StatusReport, StatusValue
from .transport.connection import Receiver, Subscriptions, Terms
from .transport.echo import EchoResult
from .transport.packets import BrokerLimits
from .transport.policy import NOTHING_LEARNED, Learned
from .transport.session import MqttSession, StateListener
from .transport.settings import BrokerSettings, Timing
from .transport.state import ConnectionState

# Topics remembered with what they mean: enough for a thousand nodes, bounded for strangers.
_MAX_ROUTES = 65_536

type ChangeListener = Callable[[NodeState, tuple[str, ...]], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class HouseholdSettings:
    """What makes a household; `name` is for people and logs."""

    name: str
    home_id: str
    prefix: str = "homesync"
    max_nodes: int = 100


def subscriptions_of(dialect: HomeSyncDialect) -> Subscriptions:
    """Return what a connection of a household subscribes to."""
    return Subscriptions(
        tuple((wanted.topic_filter, wanted.qos) for wanted in dialect.subscriptions),
        dialect.echo_topics,
    )


class Household:
    """The nodes of one home over one connection.

    `accepts(node_id)` decides on nodes heard for the first time, all of them if it is
    None; `on_node_refused(node_id)` is told of those that have no room.
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
    ) -> None:
        loop = asyncio.get_running_loop()
        self.accepts: Callable[[str], bool] | None = None
        self.on_node_refused: Callable[[str], None] | None = None
        self._name = settings.name
        self._secured = broker.tls is not None
        self._logger = logger
        self._wall_clock = wall_clock
        self._dialect = HomeSyncDialect(settings.prefix, settings.home_id)
        self._model = HouseholdModel(settings.max_nodes, METRICS)
        self._complaints = Complaints(logger, settings.name, loop.time)
        self._routes: dict[bytes, NodeTopic] = {}
        self._change_listeners: list[ChangeListener] = []
        self._inbox: Inbox[NodeTopic] = Inbox(loop, self._apply, self._set_full)
        self._inflight = Inflight(self._send_command, loop.time)
        self._session = MqttSession(
            settings.name,
            broker,
            subscriptions_of(self._dialect),
            Receiver(
                on_publish=self._receive,
                on_batch=self._inbox.flush,
                on_oversize=self._refuse_oversize,
            ),
            logger,
            learned=learned,
            timing=timing,
            spread=spread,
            sleep=sleep,
            random_number=random_number,
        )
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
    def counts(self) -> dict[str, int]:
        """What was refused, skipped or superseded, and how commands ended, by cause."""
        counts = self._complaints.counts + self._model.counts + self._inflight.counts
        return {**counts, "superseded": self._inbox.superseded}

    def add_state_listener(self, listener: StateListener) -> Callable[[], None]:
        """Call `listener(state)` when the connection's state changes; returns what ends that."""
        return self._session.add_listener(listener)

    def add_change_listener(self, listener: ChangeListener) -> Callable[[], None]:
        """Call `listener(node, keys)` when values of a node changed; returns what ends that."""
        self._change_listeners.append(listener)
        return partial(self._change_listeners.remove, listener)

    def start(self) -> None:
        """Begin to connect; returns at once."""
        self._session.start()

    async def stop(self) -> None:
        """End everything; open commands end as cancelled."""
        self._inflight.stop()
        await self._session.stop()
        self._inbox.close()

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
        self._model.remove(node_id)
        self._routes = {
            topic: route for topic, route in self._routes.items() if route.node_id != node_id
        }
        for message in self._dialect.forget_node(node_id):
            try:
                self._session.publish(message)
            except HomeSyncError:
                return

    async def execute(
        self,
        node_id: str,
        command: RelayCommand,
        *,
        timeout: float = DEFAULT_TIMEOUT,
        retries: int = DEFAULT_RETRIES,
    ) -> CommandResult:
        """Send a command to a node and wait for its one outcome.

        Each of at most 1 + `retries` sends waits `timeout` seconds and a growing gap.
        """
        node = self._model.nodes.get(node_id)
        if node is not None and node.offline and self.state is ConnectionState.CONNECTED:
            return self._inflight.reject(node_id, command, Reason.NODE_OFFLINE)
        return await self._inflight.execute(node_id, command, timeout, retries)

    def _on_state(self, state: ConnectionState) -> None:
        if state is self._last_state:
            return
        self._last_state = state
        if state is ConnectionState.CONNECTED:
            self._inflight.send_again()
        else:
            self._inflight.connection_lost()

    def _set_full(self, full: bool) -> None:
        if full:
            self._session.pause_reading()
        else:
            self._session.resume_reading()

    def _receive(self, topic: bytes, payload: bytes, retained: bool) -> None:
        """Take one message off the wire; nothing is parsed yet."""
        target = self._routes.get(topic)
        if target is None:
            target = self._resolve(topic, payload)
            if target is None:
                return
        self._inbox.put(target, topic, payload, retained, target.branch != "telemetry")

    def _resolve(self, topic: bytes, payload: bytes) -> NodeTopic | None:
        if self._session.take_echo(topic, payload):
            return None
        try:
            target = self._dialect.resolve(topic)
        except ProtocolError as err:
            self._complaints.add(err.kind, str(err), topic)
            return None
        if target.node_id in self._model.nodes:
            if len(self._routes) < _MAX_ROUTES:
                self._routes[topic] = target
            return target
        if target.branch == "response":
            self._complaints.count("unmatched_answer")
            return None
        if not payload:
            # Somebody takes retained messages off the broker; that is no sign of a node.
            return None
        return target if self._may_add(target.node_id) else None

    def _may_add(self, node_id: str) -> bool:
        """Whether a node that is heard for the first time is wanted and has room."""
        if self.accepts is not None and not self.accepts(node_id):
            self._complaints.count("node_not_accepted")
            return False
        return self._has_room(node_id)

    def _has_room(self, node_id: str) -> bool:
        if self._model.has_room(node_id):
            return True
        self._complaints.count("node_refused")
        if self.on_node_refused is not None:
            self._tell(self.on_node_refused, node_id)
        return False

    def _refuse_oversize(self, topic: bytes) -> None:
        self._complaints.add("payload_too_large", "message is too large, skipped", topic)

    def _apply(self, target: NodeTopic, topic: bytes, payload: bytes, retained: bool) -> None:
        def complain(err: ProtocolError) -> None:
            self._complaints.add(err.kind, str(err), topic, payload)

        try:
            match target.branch:
                case "telemetry":
                    self._apply_reading(target, payload, retained, complain)
                case "status":
                    self._apply_status(target, payload, retained, complain)
                case _:
                    self._apply_response(target, payload, retained, complain)
        except ProtocolError as err:
            complain(err)
        except Exception:
            self._logger.exception("Unexpected failure with a message on %r", topic)

    def _apply_reading(
        self,
        target: NodeTopic,
        payload: bytes,
        retained: bool,
        complain: Callable[[ProtocolError], None],
    ) -> None:
        if not payload:
            if target.node_id in self._model.nodes:
                self._changed(
                    target.node_id, self._model.forget_reading(target.node_id, target.leaf)
                )
            return
        reading = self._dialect.decode_reading(target, payload, self._wall_clock(), complain)
        if self._heard(target.node_id):
            self._changed(target.node_id, self._model.apply_reading(reading, live=not retained))

    def _apply_status(
        self,
        target: NodeTopic,
        payload: bytes,
        retained: bool,
        complain: Callable[[ProtocolError], None],
    ) -> None:
        report = self._dialect.decode_status(target, payload, self._wall_clock(), complain)
        if not report.fields or not (payload or target.node_id in self._model.nodes):
            return
        if any(key is StatusKey.RELAY for key, _ in report.fields):
            self._inflight.state_told(target.node_id)
        if self._heard(target.node_id):
            self._changed(target.node_id, self._model.apply_status(report, live=not retained))

    def _apply_response(
        self,
        target: NodeTopic,
        payload: bytes,
        retained: bool,
        complain: Callable[[ProtocolError], None],
    ) -> None:
        if retained:
            self._complaints.count("retained_answer")
            return
        if target.leaf != "command":
            self._complaints.count("unmatched_answer")
            return
        response = self._dialect.decode_response(target, payload, self._wall_clock(), complain)
        answered = self._inflight.take(response)
        relay = relay_result(response)
        if answered is None or answered.outdated or relay is None:
            return
        if response.node_id in self._model.nodes:
            report = StatusReport(
                node_id=response.node_id,
                fields=((StatusKey.RELAY, relay),),
                at=response.at,
                stamped=response.stamped,
            )
            self._changed(response.node_id, self._model.apply_status(report, live=True))

    def _heard(self, node_id: str) -> bool:
        """Add a node that is heard for the first time, if there still is room."""
        if node_id in self._model.nodes:
            return True
        if not self._has_room(node_id):
            return False
        self._model.add(node_id)
        return True

    def _changed(self, node_id: str, keys: tuple[str, ...]) -> None:
        if not keys:
            return
        node = self._model.nodes[node_id]
        for listener in tuple(self._change_listeners):
            self._tell(listener, node, keys)

    def _tell[*Ts](self, listener: Callable[[*Ts], None], *news: *Ts) -> None:
        """Call a listener; one that fails costs neither the others nor the connection."""
        try:
            listener(*news)
        except Exception:
            self._logger.exception("Household %s: a listener failed", self._name)

    def _send_command(self, node_id: str, command: RelayCommand, request_id: str) -> None:
        self._session.publish(
            self._dialect.encode_command(node_id, command, request_id, self._wall_clock()),
            partial(self._inflight.broker_answered, request_id),
        )
