"""Nodes and their values, and what a reading or a status report changes.

A value's key is the end of its topic, `telemetry/power` or `status/relay`, so a node's
own metric names never collide with what the protocol defines.
"""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from sys import intern
from typing import Protocol

from ..records import Installation, LedState, Reading, StatusKey, StatusReport, StatusValue
from .energy import CounterGuard

LAST_SEEN = "last_seen"
LAST_BOOT = "last_boot"
ONLINE = f"status/{StatusKey.ONLINE}"
RELAY = f"status/{StatusKey.RELAY}"
LED = f"status/{StatusKey.LED}"
FIRMWARE = f"status/{StatusKey.FIRMWARE}"
RSSI = f"status/{StatusKey.RSSI}"
MODEL = f"status/{StatusKey.MODEL}"
MANUFACTURER = f"status/{StatusKey.MANUFACTURER}"
HARDWARE = f"status/{StatusKey.HARDWARE}"
EFFECTS = f"status/{StatusKey.EFFECTS}"
AVAILABLE = f"status/{StatusKey.AVAILABLE}"
CAPABILITIES = f"status/{StatusKey.CAPABILITIES}"
IDENTIFY = "capability/identify"
RESTART = "capability/restart"
INSTALLATION = "ota/installation"

MAX_OTHER_METRICS = 32
"""Per node, of metrics whose names are the node's own: a stranger may invent any number."""

_LAST_SEEN_STEP = 60.0  # told at most once a minute: it changes with every message
_SILENT = 600.0  # a node that sends no status/online and nothing else for so long is gone
_BOOT_TOLERANCE = 10.0  # seconds by which uptime and clock of a small node disagree


_KEYS = {status: f"status/{status}" for status in StatusKey}

# What a node says it can do → the key under which that is told.
_CAPABILITIES = {"led": LED, "identify": IDENTIFY, "restart": RESTART}


# Made for every message otherwise.
@lru_cache(maxsize=1024)
def telemetry_key(metric: str) -> str:
    """The key of a metric's value."""
    return f"telemetry/{metric}"


def _own(metric: str) -> tuple[str, None]:
    """Return what is known of a metric that the protocol does not know."""
    return telemetry_key(metric), None


type Units = Mapping[str | None, tuple[float, float]]
"""Unit → (scale, offset), which make of a value one in the metric's usual unit."""


class KnownMetric(Protocol):
    """What the model wants to know of a metric of the protocol."""

    @property
    def counter(self) -> bool:
        """Whether it only counts up, from zero again after a reset."""
        ...

    @property
    def units(self) -> Units:
        """What the metric may be in."""
        ...


@dataclass(slots=True)
class Value:
    """The newest value of one key; numbers are in `unit`.

    Of a counter whose newest reading is held back, `at` and `stamped` tell of that reading.
    """

    value: float | StatusValue
    unit: str | None
    quality: int | None
    at: float
    stamped: bool
    guard: CounterGuard | None = None


@dataclass(slots=True)
class NodeState:
    """All that is known of one node."""

    node_id: str
    values: dict[str, Value] = field(default_factory=dict)
    last_seen: float | None = None
    last_boot: float | None = None
    told_last_seen: float = 0.0
    other_metrics: int = 0
    offline: bool = False
    """Whether the node, or its last will, said that it is offline."""

    @property
    def online(self) -> bool:
        """Whether the node is there: by its own word, else because it was heard."""
        told = self.get(ONLINE)
        return self.last_seen is not None if told is None else told is True

    def is_there(self, now: float) -> bool:
        """Whether the node would come back at once if it were forgotten."""
        if self.get(ONLINE) is None:
            return self.last_seen is not None and now - self.last_seen < _SILENT
        return self.online

    def get(self, key: str) -> float | StatusValue:
        """The value of a key, None while unknown."""
        value = self.values.get(key)
        return None if value is None else value.value


class HouseholdModel:
    """The nodes of one household, at most `max_nodes`; `known` metrics have no bound."""

    def __init__(self, max_nodes: int, known_metrics: Mapping[str, KnownMetric]) -> None:
        self.nodes: dict[str, NodeState] = {}
        self.counts: Counter[str] = Counter()
        self._max_nodes = max_nodes
        # Key, and what a counter's units are worth: each metric is looked up once a message.
        self._known = {
            name: (telemetry_key(name), metric.units if metric.counter else None)
            for name, metric in known_metrics.items()
        }

    def has_room(self, node_id: str) -> bool:
        """Whether a node is known or may still be added."""
        return node_id in self.nodes or len(self.nodes) < self._max_nodes

    def add(self, node_id: str) -> NodeState:
        """Add a node, known from before or just heard."""
        return self.nodes.setdefault(node_id, NodeState(node_id))

    def remove(self, node_id: str) -> None:
        """Forget a node."""
        self.nodes.pop(node_id, None)

    def restore(self, node_id: str, key: str, value: float | StatusValue, unit: str | None) -> None:
        """Set a value from before a restart, unless a fresh one is there."""
        node = self.add(node_id)
        if key == LAST_SEEN and isinstance(value, int | float):
            node.last_seen = node.last_seen or value
        elif key == LAST_BOOT and isinstance(value, int | float):
            node.last_boot = node.last_boot or value
        elif key not in node.values and self._accepts(node, key):
            node.values[key] = Value(value, unit, None, 0.0, False)
            if key == ONLINE:
                node.offline = value is False

    def apply_reading(self, reading: Reading, *, live: bool) -> tuple[str, ...]:
        """Take a reading; return the keys whose values changed.

        A message is live unless the broker had kept it (retained).
        """
        node_id, metric, value, unit, quality, at, stamped = reading
        node, (key, counter_units) = self.nodes[node_id], self._known.get(metric) or _own(metric)
        current = node.values.get(key)
        if current is None:
            if not self._accepts(node, key):
                return ()
            key = intern(key)
            node.values[key] = Value(value, unit, quality, at, stamped)
            return (key, *self._seen(node, at, live or stamped))
        if at < current.at and self._is_outdated(current, at, stamped):
            return ()
        changed = current.value != value or current.unit != unit
        if counter_units is not None and self._holds_back(current, reading, counter_units):
            changed = False
        else:
            current.value, current.unit, current.quality = value, unit, quality
        current.at, current.stamped = at, stamped
        if at - node.told_last_seen < _LAST_SEEN_STEP and node.last_seen is not None:
            # The usual case, for which a call is too dear.
            if at > node.last_seen and (live or stamped):
                node.last_seen = at
            return (key,) if changed else ()
        seen = self._seen(node, at, live or stamped)
        return (key, *seen) if changed else seen

    def outlasts(self, older: Reading, newer: Reading) -> bool:
        """Whether one of two readings of a metric stays the newest although another came.

        If its time is later, or the counter fell: whether that was a reset is not to be
        known from one reading, and what it had reached would be lost.
        """
        if older.stamped and newer.stamped and newer.at < older.at:
            return True
        _, units = self._known.get(newer.metric) or _own(newer.metric)
        if units is None:
            return False
        old, new = units.get(older.unit), units.get(newer.unit)
        if old is None or new is None:
            return False
        return newer.value * new[0] + new[1] < older.value * old[0] + old[1]

    def forget_reading(self, node_id: str, metric: str) -> tuple[str, ...]:
        """Take a metric's value back."""
        current = self.nodes[node_id].values.get(telemetry_key(metric))
        if current is None or current.value is None:
            return ()
        current.value = None
        return (telemetry_key(metric),)

    def apply_status(self, report: StatusReport, *, live: bool) -> tuple[str, ...]:
        """Take a status report; return the keys whose values changed."""
        node = self.nodes[report.node_id]
        timely = live or report.stamped
        changed: list[str] = []
        for status, value in report.fields:
            if status is StatusKey.UPTIME:
                if timely:
                    changed += self._boot(node, report.at, value)
            elif self._set(node, key := _KEYS[status], value, report):
                changed.append(key)
        if CAPABILITIES in changed:
            changed += self._gained(node)
        if (StatusKey.ONLINE, False) in report.fields:
            # The last will speaks for the node and is no sign of life.
            return (*changed, LAST_SEEN) if ONLINE in changed else tuple(changed)
        return (*changed, *self._seen(node, report.at, timely, at_once=ONLINE in changed))

    def set_installation(self, node_id: str, installation: Installation | None) -> tuple[str, ...]:
        """Take note of firmware on its way into a node; return the keys that changed."""
        values = self.nodes[node_id].values
        if INSTALLATION not in values:
            values[INSTALLATION] = Value(None, None, None, 0.0, False)
        current = values[INSTALLATION]
        if current.value == installation:
            return ()
        current.value = installation
        return (INSTALLATION,)

    def _set(self, node: NodeState, key: str, value: StatusValue, report: StatusReport) -> bool:
        """Set one value of a status report; return whether it is another one now."""
        current = node.values.get(key)
        if current is not None and self._is_outdated(current, report.at, report.stamped):
            return False
        if key == ONLINE:
            node.offline = value is False
        if current is None:
            node.values[key] = Value(value, None, None, report.at, report.stamped)
            return True
        if isinstance(value, LedState) and isinstance(current.value, LedState):
            value = value.after(current.value)
        changed = current.value != value
        current.value, current.at, current.stamped = value, report.at, report.stamped
        return changed

    @staticmethod
    def _gained(node: NodeState) -> tuple[str, ...]:
        """Return the keys of what a node can do; the LED shows nothing known yet."""
        capabilities = node.get(CAPABILITIES)
        known = capabilities if isinstance(capabilities, tuple) else ()
        keys = tuple(_CAPABILITIES[name] for name in known if name in _CAPABILITIES)
        if LED in keys and LED not in node.values:
            node.values[LED] = Value(None, None, None, 0.0, False)
        return keys

    def _accepts(self, node: NodeState, key: str) -> bool:
        branch, _, name = key.partition("/")
        if branch != "telemetry" or name in self._known:
            return True
        if node.other_metrics >= MAX_OTHER_METRICS:
            self.counts["metric_refused"] += 1
            return False
        node.other_metrics += 1
        return True

    def _holds_back(self, current: Value, reading: Reading, units: Units) -> bool:
        old, new = units.get(current.unit), units.get(reading.unit)
        if old is None or new is None or not isinstance(current.value, (int, float)):
            current.guard = None
            return False
        if current.guard is None:
            current.guard = CounterGuard(self.counts)
        shown, value = current.value * old[0] + old[1], reading.value * new[0] + new[1]
        gap = reading.at - current.at if reading.stamped == current.stamped else None
        return current.guard.holds_back(shown, value, gap)

    def _is_outdated(self, current: Value, at: float, stamped: bool) -> bool:
        """Only the node's own times are compared: its clock may differ from ours."""
        if stamped and current.stamped and at < current.at:
            self.counts["outdated"] += 1
            return True
        return False

    def _seen(
        self, node: NodeState, at: float, timely: bool, at_once: bool = False
    ) -> tuple[str, ...]:
        if not timely or (node.last_seen is not None and at < node.last_seen):
            return ()
        node.last_seen = at
        if not at_once and at - node.told_last_seen < _LAST_SEEN_STEP:
            return ()
        node.told_last_seen = at
        return (LAST_SEEN,)

    def _boot(self, node: NodeState, at: float, uptime: StatusValue) -> tuple[str, ...]:
        if not isinstance(uptime, int):
            return ()
        boot = at - uptime
        if node.last_boot is not None:
            # An older message, kept by the broker, may tell of an earlier boot.
            outdated = node.last_seen is not None and at < node.last_seen
            if outdated or abs(boot - node.last_boot) < _BOOT_TOLERANCE:
                return ()
        node.last_boot = boot
        return (LAST_BOOT,)
