"""The way of a received message: topic → target → inbox → dialect → model → changed keys."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
import logging

from .complaints import Complaints, shorten
from .dispatch import Dispatch
from .errors import ProtocolError
from .inbox import Inbox, Item
from .model import HouseholdModel, NodeState
from .protocol.homesync import HomeSyncDialect
from .protocol.topics import NodeTopic
from .records import Reading, StatusKey
from .transport.reader import Message

# Topics remembered with what they mean: enough for a thousand nodes, bounded for strangers.
_MAX_ROUTES = 65_536

type Received = Item[NodeTopic, Reading]

_FAILED = "Household %s: unexpected failure with a message on %s"


@dataclass(frozen=True, slots=True, kw_only=True)
class Destinations:
    """Where news goes.

    `changed(node, keys)` is told of new values, `refused(node_id)` of nodes that have
    no room; `accepts(node_id)` decides on new ones; `take_echo(topic, payload)` takes our
    own probes out; `retained(topic, payload)` sees all that the broker had kept.
    `set_full` and `rest_reading(seconds)` ask for no more bytes, `rest_reading` for a moment.
    """

    changed: Callable[[NodeState, tuple[str, ...]], None]
    accepts: Callable[[str], bool]
    refused: Callable[[str], None]
    take_echo: Callable[[bytes, bytes], bool]
    retained: Callable[[bytes, bytes], None]
    set_full: Callable[[bool], None]
    rest_reading: Callable[[float], None]
    wall_clock: Callable[[], float]


class Intake:
    """Takes what arrives for one household; nothing that arrives makes it raise."""

    def __init__(
        self,
        dialect: HomeSyncDialect,
        model: HouseholdModel,
        dispatch: Dispatch,
        complaints: Complaints,
        *,
        to: Destinations,
        logger: logging.Logger,
    ) -> None:
        self._dialect = dialect
        self._model = model
        self._dispatch = dispatch
        self._complaints = complaints
        self._to = to
        self._changed = to.changed
        self._wall_clock = to.wall_clock
        self._logger = logger
        self.on_message: Callable[[bytes, bytes, bool], None] | None = None
        """Is told topic, payload and retain flag of all that arrives; must not raise."""
        # Telemetry is what remains: the many need no counting.
        self.kinds = dict.fromkeys(("status", "response", "command", "other"), 0)
        self._routes: dict[bytes, NodeTopic] = {}
        self._applied: Received
        self._loop = asyncio.get_running_loop()
        self._inbox: Inbox[NodeTopic, Reading] = Inbox(
            self._loop, self._apply, self._prefer, to.set_full
        )
        self.close = self._inbox.close

    @property
    def superseded(self) -> int:
        """How many payloads gave way to newer ones unread."""
        return self._inbox.superseded

    @property
    def waiting(self) -> int:
        """How many messages have not been applied yet."""
        return len(self._inbox)

    @property
    def waiting_bytes(self) -> int:
        """Bytes of topics and payloads of those."""
        return self._inbox.size

    @property
    def behind(self) -> float:
        """For how many seconds there have always been some that wait."""
        since = self._inbox.behind_since
        return 0.0 if since is None else self._loop.time() - since

    def receive(self, messages: list[Message]) -> None:
        """Take what one read brought, and apply it unless more has come than can be applied now."""
        inbox = self._inbox
        # Usual at a slow pace: there is nothing to sort, and no slice to measure.
        alone = len(messages) == 1 and inbox.behind_since is None
        for topic, payload, retained in messages:
            if retained or self.on_message is not None:
                self._show(topic, payload, retained)
            target = self._routes.get(topic) or self._target(topic, payload)
            if target is None:
                continue
            item = target, topic, payload, retained, None
            urgent = target.branch != "telemetry"
            if urgent:
                self.kinds[target.branch] += 1
            if alone:
                self._apply(item)
            elif urgent:
                inbox.put_urgent(item, target.node_id)
            else:
                inbox.put(item)
        if not alone:
            inbox.flush()
            if inbox.flooded:
                self._to.rest_reading(inbox.rest())

    def _show(self, topic: bytes, payload: bytes, retained: bool) -> None:
        """Let those see a message who want to know what comes."""
        if self.on_message is not None:
            self.on_message(topic, payload, retained)
        if retained:
            self._to.retained(topic, payload)

    def refuse_oversize(self, topic: bytes) -> None:
        """Take note of a message that was too large to be read."""
        self.kinds["other"] += 1
        self._complaints.add("payload_too_large", "message is too large, skipped", topic)

    def forget(self, node_id: str) -> None:
        """Forget what a node's topics mean."""
        self._routes = {
            topic: route for topic, route in self._routes.items() if route.node_id != node_id
        }

    def _target(self, topic: bytes, payload: bytes) -> NodeTopic | None:
        """Return what a topic means that is not remembered, None if its message is of no use."""
        try:
            return self._resolve(topic, payload)
        except Exception:
            # Whoever was asked failed; the connection has nothing to do with it.
            self._logger.exception(_FAILED, self._complaints.household, shorten(topic))
            return None

    def _resolve(self, topic: bytes, payload: bytes) -> NodeTopic | None:
        if self._to.take_echo(topic, payload):
            self.kinds["other"] += 1
            return None
        try:
            target = self._dialect.resolve(topic)
        except ProtocolError as err:
            self.kinds["other"] += 1
            self._complaints.add(err.kind, str(err), topic)
            return None
        if target.node_id in self._model.nodes and target.branch != "command":
            if len(self._routes) < _MAX_ROUTES:
                self._routes[topic] = target
            return target
        if self._is_of_new_node(target, payload):
            return target
        if target.branch != "telemetry":
            self.kinds[target.branch] += 1
        return None

    def _is_of_new_node(self, target: NodeTopic, payload: bytes) -> bool:
        """Whether a message makes its node known."""
        if target.branch == "response":
            self._complaints.count("unmatched_answer")
            return False
        # A command is overheard while looking for what the broker keeps, and an empty
        # message takes something off the broker: neither is a sign of the node.
        return target.branch != "command" and bool(payload) and self._may_add(target.node_id)

    def _may_add(self, node_id: str) -> bool:
        """Whether a node that is heard for the first time is wanted and has room."""
        if not self._to.accepts(node_id):
            self._complaints.count("node_not_accepted")
            return False
        return self._has_room(node_id)

    def _has_room(self, node_id: str) -> bool:
        if self._model.has_room(node_id):
            return True
        self._complaints.count("node_refused")
        self._to.refused(node_id)
        return False

    def _prefer(self, older: Received, newer: Received) -> Received | None:
        """Return which of two payloads of one topic is to be applied; None if the newer is refused.

        What is left out must not be missed: nobody reads it any more.
        """
        target, topic, payload, retained, _ = newer
        if not payload:
            return newer
        reading = self._read(newer)
        if reading is None:
            return None
        before = older[4]
        if before is None and older[2]:
            before = self._read(older)
        if before is not None and self._model.outlasts(before, reading):
            return *older[:4], before
        return target, topic, payload, retained, reading

    def _read(self, item: Received) -> Reading | None:
        """Decode telemetry that waits; None, and a complaint, if it is refused."""
        self._applied = item
        try:
            return self._dialect.decode_reading(
                item[0], item[2], self._wall_clock(), self._complain
            )
        except ProtocolError as err:
            self._complain(err)
        except Exception:
            self._logger.exception(_FAILED, self._complaints.household, shorten(item[1]))
        return None

    def _apply(self, item: Received) -> None:
        self._applied = item
        target, topic, payload, retained, reading = item
        try:
            if target.branch != "telemetry":
                self._apply_other(target, payload, retained)
            elif not payload:
                self._forget_reading(target)
            else:
                # The usual case is dealt with here: calls are dear.
                if reading is None:
                    reading = self._dialect.decode_reading(
                        target, payload, self._wall_clock(), self._complain
                    )
                node = self._model.nodes.get(target.node_id) or self._heard(target.node_id)
                if node is not None and (
                    keys := self._model.apply_reading(reading, live=not retained)
                ):
                    self._changed(node, keys)
        except ProtocolError as err:
            self._complain(err)
        except Exception:
            self._logger.exception(_FAILED, self._complaints.household, shorten(topic))

    def _apply_other(self, target: NodeTopic, payload: bytes, retained: bool) -> None:
        if target.branch == "status":
            self._apply_status(target, payload, retained)
        else:
            self._apply_response(target, payload, retained)

    def _complain(self, err: ProtocolError) -> None:
        """Tell what is wrong with the message that is being applied."""
        _, topic, payload, *_ = self._applied
        self._complaints.add(err.kind, str(err), topic, payload)

    def _forget_reading(self, target: NodeTopic) -> None:
        node = self._model.nodes.get(target.node_id)
        if node is not None:
            self._tell(node, self._model.forget_reading(target.node_id, target.leaf))

    def _apply_status(self, target: NodeTopic, payload: bytes, retained: bool) -> None:
        node_id = target.node_id
        report = self._dialect.decode_status(target, payload, self._wall_clock(), self._complain)
        if not report.fields or not (payload or node_id in self._model.nodes):
            return
        node = self._heard(node_id)
        if node is None:
            return
        self._tell(node, self._model.apply_status(report, live=not retained))
        for key, value in report.fields:
            if key in (StatusKey.RELAY, StatusKey.LED):
                self._dispatch.state_told(node_id)
            elif key is StatusKey.FIRMWARE and isinstance(value, str):
                self._dispatch.firmware_told(node_id, value)
            elif key is StatusKey.ONLINE:
                self._dispatch.pump()

    def _apply_response(self, target: NodeTopic, payload: bytes, retained: bool) -> None:
        if retained:
            self._complaints.count("retained_answer")
            return
        response = self._dialect.decode_response(
            target, payload, self._wall_clock(), self._complain
        )
        answered = self._dispatch.take(response)
        if answered is None:
            return
        if not answered.outdated:
            report = self._dialect.report_of(answered.command, response)
            node = self._model.nodes.get(response.node_id)
            if report is not None and node is not None:
                self._tell(node, self._model.apply_status(report, live=True))
        # The outcome and the state are told. Later the node's next message would come first.
        answered.caller.hurry()

    def _heard(self, node_id: str) -> NodeState | None:
        """Return a node, added if it is heard for the first time and there still is room."""
        node = self._model.nodes.get(node_id)
        if node is None and self._may_add(node_id):
            node = self._model.add(node_id)
        return node

    def _tell(self, node: NodeState, keys: tuple[str, ...]) -> None:
        if keys:
            self._changed(node, keys)
