"""The HomeSync dialect: filters, decoding and encoding, as `docs/protocol.md` writes it."""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from orjson import loads

from ..commands import Command, fields_of
from ..errors import ProtocolError
from ..records import Publication, Reading
from .answers import RESPONSE_LEAVES, decode_response, report_of
from .metrics import METRICS, UNIT_ALIASES
from .payloads import (
    EARLIEST,
    LATEST_AHEAD,
    MAX_BYTES,
    Complain,
    dump,
    load,
    read_number,
    read_optional,
    read_text,
    read_time,
    seconds,
)
from .status import STATUS_LEAVES, decode_status
from .topics import ECHO_NODE, HouseholdTopics, NodeTopic, is_id

_TELEMETRY, _STATUS, _RESPONSE, _COMMAND = "telemetry", "status", "response", "command"
_MAX_UNIT = 32
_BEST_QUALITY = 100
_UNKNOWN_RANGE = (-1e15, 1e15)
# A named tuple's own is a call more.
_new = tuple.__new__


@dataclass(frozen=True, slots=True)
class Subscription:
    """A topic filter and the QoS to ask for."""

    topic_filter: str
    qos: int


class HomeSyncDialect:
    """How one household's HomeSync nodes use topics and payloads."""

    decode_status = staticmethod(decode_status)
    decode_response = staticmethod(decode_response)
    report_of = staticmethod(report_of)

    def __init__(self, prefix: str, home_id: str) -> None:
        self._topics = HouseholdTopics(prefix, home_id)
        self.subscriptions = (
            Subscription(self._topics.filter(_TELEMETRY), 0),
            Subscription(self._topics.filter(_STATUS), 1),
            Subscription(self._topics.filter(_RESPONSE), 1),
        )

        self.echo_topics = tuple(
            (self._topics.filter(branch), f"{self._topics.root}/{ECHO_NODE}/{branch}/{leaf}")
            for branch, leaf in ((_TELEMETRY, "echo"), (_STATUS, "online"), (_RESPONSE, "command"))
        )

    @property
    def telemetry(self) -> str:
        """The filter of all readings; the first to do without."""
        return self._topics.filter(_TELEMETRY)

    @property
    def commands(self) -> str:
        """The filter of every command; never subscribed for long."""
        return self._topics.filter(_COMMAND)

    @property
    def everything(self) -> str:
        """The filter of all topics of the household's nodes; never subscribed for long."""
        return f"{self._topics.root}/#"

    def everything_of(self, node_id: str) -> str:
        """The filter of all topics of one node; never subscribed for long."""
        if not is_id(node_id):
            raise ValueError("not an id")
        return f"{self._topics.root}/{node_id}/#"

    def owns(self, topic: str) -> bool:
        """Whether a topic is one of the household's nodes."""
        return topic.startswith(f"{self._topics.root}/")

    def resolve(self, topic: bytes) -> NodeTopic:
        """Tell what a received topic is, or raise ProtocolError."""
        target = self._topics.split(topic)
        match target.branch:
            case "telemetry":
                known = True
            case "status":
                known = target.leaf in STATUS_LEAVES
            case "response":
                known = target.leaf in RESPONSE_LEAVES
            case _:
                known = target.branch == _COMMAND
        if not known:
            raise ProtocolError("unknown_topic", "nothing is known by this topic")
        return target

    def decode_reading(
        self, target: NodeTopic, payload: bytes, arrival: float, complain: Complain
    ) -> Reading:
        """Decode telemetry; `complain` is told of fields that were refused."""
        # Nearly all are as they should be, and read in one go: calls are for what is not.
        try:
            content = loads(payload)
            unit, low, high = _RANGES[target.leaf, content["unit"]]
            at, value, quality = seconds(content["timestamp"]), content["value"], content["quality"]
        except KeyError, TypeError, ValueError:
            return self._decode_carefully(target, payload, arrival, complain)
        if (
            (type(value) is float or type(value) is int)
            and low <= value <= high
            and type(quality) is int
            and 0 <= quality <= _BEST_QUALITY
            and at is not None
            and EARLIEST <= at <= arrival + LATEST_AHEAD
            and len(payload) <= MAX_BYTES
        ):
            return _new(Reading, (target.node_id, target.leaf, value, unit, quality, at, True))
        return self._decode_carefully(target, payload, arrival, complain)

    @staticmethod
    def _decode_carefully(
        target: NodeTopic, payload: bytes, arrival: float, complain: Complain
    ) -> Reading:
        """Decode telemetry field by field, and tell what is wrong with it."""
        content = load(payload)
        at, stamped = read_time(content, arrival)
        unit, low, high = _read_unit(target.leaf, content.get("unit"))
        quality = read_optional(content, "quality", _read_quality, complain)
        value = read_number(content.get("value"), "value", low, high)
        return Reading(target.node_id, target.leaf, value, unit, quality, at, stamped)

    def encode_command(
        self, node_id: str, command: Command, request_id: str, at: float
    ) -> Publication:
        """Encode a command: QoS 1, never retained."""
        content = fields_of(command)
        content["request_id"] = request_id
        content["timestamp"] = datetime.fromtimestamp(at, UTC).isoformat(timespec="milliseconds")
        return Publication(self._topics.build(node_id, _COMMAND, command.kind), dump(content))

    def forget_node(self, node_id: str) -> list[Publication]:
        """Empty retained messages that take a node's status off the broker."""
        return [
            Publication(self._topics.build(node_id, _STATUS, leaf), b"", retain=True)
            for leaf in sorted(STATUS_LEAVES)
        ]


def _read_quality(value: Any, name: str) -> int:
    return round(read_number(value, name, 0, _BEST_QUALITY))


def _read_unit(metric: str, given: Any) -> tuple[str | None, float, float]:
    """Return a reading's unit and the range of its value."""
    if (type(given) is str or given is None) and (common := _RANGES.get((metric, given))):
        return common
    if given is None or given == "":
        return None, *_UNKNOWN_RANGE
    unit = read_text(given, "unit", _MAX_UNIT)
    if metric in METRICS:
        raise ProtocolError("unknown_unit", f"unit {unit!r} is none of {metric}")
    return unit, *_UNKNOWN_RANGE


def _ranges() -> dict[tuple[str, str | None], tuple[str | None, float, float]]:
    """Return (metric, unit as sent) → (unit, lowest, highest value), aliases included."""
    ranges: dict[tuple[str, str | None], tuple[str | None, float, float]] = {}
    for name, metric in METRICS.items():
        for unit, (scale, offset) in metric.units.items():
            # Rounded, or the lowest temperature would be out of range in °F.
            low, high = (round((end - offset) / scale, 9) for end in (metric.low, metric.high))
            bounds = (unit, low, high)
            sent = [alias for alias, meant in UNIT_ALIASES.items() if meant == unit]
            ranges |= dict.fromkeys(((name, text) for text in (unit or "", *sent)), bounds)
            if unit == metric.unit:
                ranges[name, ""] = ranges[name, None] = bounds
    return ranges


_RANGES = _ranges()
