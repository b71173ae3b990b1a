"""The HomeSync dialect: filters, decoding and encoding, as `docs/protocol.md` writes it."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from ..errors import ProtocolError
from ..records import (
    Publication,
    Reading,
    RelayCommand,
    Response,
    StatusKey,
    StatusReport,
    StatusValue,
)
from .metrics import METRICS, UNIT_ALIASES
from .payloads import Json, dump, load, read_bool, read_number, read_switch, read_text, read_time
from .topics import ECHO_NODE, HouseholdTopics, NodeTopic

type Complain = Callable[[ProtocolError], None]

_TELEMETRY, _STATUS, _RESPONSE, _COMMAND = "telemetry", "status", "response", "command"
_MAX_UNIT = 32
_MAX_VERSION = 64
_MAX_REQUEST_ID = 64
_UNKNOWN_RANGE = (-1e15, 1e15)


@dataclass(frozen=True, slots=True)
class Subscription:
    """A topic filter and the QoS to ask for."""

    topic_filter: str
    qos: int


@dataclass(frozen=True, slots=True)
class _Field:
    key: StatusKey
    read: Callable[[Any, str], StatusValue]


_ONLINE = _Field(StatusKey.ONLINE, read_bool)
_RELAY = _Field(StatusKey.RELAY, read_switch)
_FIRMWARE = _Field(StatusKey.FIRMWARE, lambda value, name: read_text(value, name, _MAX_VERSION))
_RSSI = _Field(StatusKey.RSSI, lambda value, name: round(read_number(value, name, -150, 0)))
_UPTIME = _Field(StatusKey.UPTIME, lambda value, name: round(read_number(value, name, 0, 1e10)))

# Per status topic: its required field with the names it goes by, and the optional ones.
_STATUS_FIELDS: dict[str, tuple[_Field, tuple[str, ...], dict[str, _Field]]] = {
    "online": (
        _ONLINE,
        ("online",),
        {"uptime": _UPTIME, "firmware": _FIRMWARE, "relay": _RELAY, "rssi": _RSSI},
    ),
    "relay": (_RELAY, ("state", "relay"), {"uptime": _UPTIME}),
    "firmware": (_FIRMWARE, ("version", "firmware"), {"uptime": _UPTIME}),
    "rssi": (_RSSI, ("value", "rssi"), {"uptime": _UPTIME}),
}
_RESPONSES = frozenset(("command", "ota"))


class HomeSyncDialect:
    """How one household's HomeSync nodes use topics and payloads."""

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

    def resolve(self, topic: bytes) -> NodeTopic:
        """Tell what a received topic is, or raise ProtocolError."""
        target = self._topics.split(topic)
        match target.branch:
            case "telemetry":
                known = True
            case "status":
                known = target.leaf in _STATUS_FIELDS
            case "response":
                known = target.leaf in _RESPONSES
            case _:
                known = False
        if not known:
            raise ProtocolError("unknown_topic", "nothing is known by this topic")
        return target

    def decode_reading(
        self, target: NodeTopic, payload: bytes, arrival: float, complain: Complain
    ) -> Reading:
        """Decode telemetry; `complain` is told of fields that were refused."""
        content = load(payload)
        at, stamped = read_time(content, arrival)
        unit, low, high = _read_unit(target.leaf, content.get("unit"))
        quality = _read_optional(content, "quality", _read_quality, complain)
        return Reading(
            node_id=target.node_id,
            metric=target.leaf,
            value=read_number(content.get("value"), "value", low, high),
            unit=unit,
            quality=quality,
            at=at,
            stamped=stamped,
        )

    def decode_status(
        self, target: NodeTopic, payload: bytes, arrival: float, complain: Complain
    ) -> StatusReport:
        """Decode a status message. An empty payload takes the topic's value back."""
        main, names, optional = _STATUS_FIELDS[target.leaf]
        if not payload:
            gone = False if main.key is StatusKey.ONLINE else None
            return StatusReport(
                node_id=target.node_id, fields=((main.key, gone),), at=arrival, stamped=False
            )
        content = load(payload)
        at, stamped = read_time(content, arrival)
        fields: list[tuple[StatusKey, StatusValue]] = []
        name = next((name for name in names if name in content), names[0])
        wanted = {name: main, **{n: f for n, f in optional.items() if n in content}}
        for field_name, field in wanted.items():
            try:
                fields.append((field.key, field.read(content.get(field_name), field_name)))
            except ProtocolError as err:
                complain(err)
        return StatusReport(node_id=target.node_id, fields=tuple(fields), at=at, stamped=stamped)

    def decode_response(
        self, target: NodeTopic, payload: bytes, arrival: float, complain: Complain
    ) -> Response:
        """Decode an answer; `complain` is told of fields that were refused."""
        content = load(payload)
        at, stamped = read_time(content, arrival)
        request_id = read_text(content.get("request_id"), "request_id", _MAX_REQUEST_ID)
        status = content.get("status")
        if status not in ("success", "error"):
            raise ProtocolError("invalid_field", "status is neither success nor error")
        return Response(
            node_id=target.node_id,
            request_id=request_id,
            success=status == "success",
            result=_read_optional(content, "result", read_text, complain),
            error=_read_optional(content, "error", read_text, complain),
            at=at,
            stamped=stamped,
        )

    def encode_command(
        self, node_id: str, command: RelayCommand, request_id: str, at: float
    ) -> Publication:
        """Encode a command: QoS 1, never retained."""
        return Publication(
            self._topics.build(node_id, _COMMAND, "relay"),
            dump(
                {
                    "action": command.action.value,
                    "request_id": request_id,
                    "timestamp": datetime.fromtimestamp(at, UTC).isoformat(timespec="milliseconds"),
                }
            ),
        )

    def forget_node(self, node_id: str) -> list[Publication]:
        """Empty retained messages that take a node's status off the broker."""
        return [
            Publication(self._topics.build(node_id, _STATUS, leaf), b"", retain=True)
            for leaf in _STATUS_FIELDS
        ]


def relay_result(response: Response) -> bool | None:
    """The relay's state that a successful answer tells."""
    return {"on": True, "off": False}.get(response.result or "")


def _read_optional[T](
    content: Json, name: str, read: Callable[[Any, str], T], complain: Complain
) -> T | None:
    value = content.get(name)
    if value is None:
        return None
    try:
        return read(value, name)
    except ProtocolError as err:
        complain(err)
        return None


def _read_quality(value: Any, name: str) -> int:
    return round(read_number(value, name, 0, 100))


def _read_unit(metric: str, given: Any) -> tuple[str | None, float, float]:
    """Return a reading's unit and the range of its value in that unit."""
    if type(given) is str and (common := _RANGES.get((metric, given))) is not None:
        return common
    known = METRICS.get(metric)
    if given is None or given == "":
        return _RANGES[metric, ""] if known is not None else (None, *_UNKNOWN_RANGE)
    unit = read_text(given, "unit", _MAX_UNIT)
    if known is not None:
        raise ProtocolError("unknown_unit", f"unit {unit!r} is none of {metric}")
    return unit, *_UNKNOWN_RANGE


def _ranges() -> dict[tuple[str, str], tuple[str | None, float, float]]:
    """Return (metric, unit as sent) → (unit, lowest, highest value), aliases included."""
    ranges: dict[tuple[str, str], tuple[str | None, float, float]] = {}
    for name, metric in METRICS.items():
        for unit, (scale, offset) in metric.units.items():
            # Rounded, or the lowest temperature would be out of range in °F.
            low, high = (round((end - offset) / scale, 9) for end in (metric.low, metric.high))
            bounds = (unit, low, high)
            sent = [alias for alias, meant in UNIT_ALIASES.items() if meant == unit]
            ranges |= dict.fromkeys(((name, text) for text in (unit or "", *sent)), bounds)
            if unit == metric.unit:
                ranges[name, ""] = bounds
    return ranges


_RANGES = _ranges()
