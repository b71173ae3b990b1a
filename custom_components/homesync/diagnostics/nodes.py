"""Nodes as a bug report may hold them: numbered, without what they measure."""

import time
from typing import Any, Final

from ..client import (
    CAPABILITIES,
    FIRMWARE,
    HARDWARE,
    MANUFACTURER,
    METRICS,
    MODEL,
    ONLINE,
    RSSI,
    Household,
    NodeState,
    telemetry_key,
)
from .plain import plain, text

_CAPABILITIES: Final = ("relay", "led", "identify", "restart", "ota", "config")
_MAKE: Final = {
    "model": MODEL,
    "manufacturer": MANUFACTURER,
    "hardware": HARDWARE,
    "firmware": FIRMWARE,
}
_METRIC_KEYS: Final = {telemetry_key(metric): metric for metric in METRICS}


def node_of(household: Household, node_id: str) -> dict[str, Any]:
    """Return what may be told of a node; equal numbers are equal nodes in one household."""
    node, now = household.nodes[node_id], time.time()
    known = [key for key in node.values if key in _METRIC_KEYS or not key.startswith("telemetry/")]
    return {
        "node": 1 + sorted(household.nodes).index(node_id),
        "online": node.online,
        "told_online": plain(node.get(ONLINE)),
        "last_seen_seconds": None if node.last_seen is None else round(now - node.last_seen),
        "up_seconds": None if node.last_boot is None else round(now - node.last_boot),
        "rssi": plain(node.get(RSSI)),
        **{name: text(node.get(key)) for name, key in _MAKE.items()},
        "capabilities": _capabilities(node),
        "other_metrics": len(node.values) - len(known),
        "values": {key: _value(node, key, now) for key in sorted(known)},
    }


def _capabilities(node: NodeState) -> list[str] | None:
    told = node.get(CAPABILITIES)
    return [each for each in _CAPABILITIES if each in told] if isinstance(told, tuple) else None


def _value(node: NodeState, key: str, now: float) -> dict[str, Any]:
    """Tell how old a value is, not what it is."""
    value = node.values[key]
    metric = _METRIC_KEYS.get(key)
    return {
        "known": value.value is not None,
        "unit": plain(value.unit, tuple(filter(None, METRICS[metric].units))) if metric else None,
        "quality": value.quality,
        "seconds": round(now - value.at) if value.at else None,
        "stamped": value.stamped,
        "held_back": value.guard is not None,
    }
