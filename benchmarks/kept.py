"""What many nodes keep with the broker: twenty retained messages each, and what shows them."""

from collections.abc import Iterator
from datetime import UTC, datetime
import json
from typing import Final

from .packets import publish
from .plant import METRIC_NAMES, Plant, payloads, topic, value

# Leaf → payload, and the kind and state of the entity that shows it.
_STATUS: Final = {
    "online": ({"online": True}, "binary_sensor", "on"),
    "relay": ({"state": "on"}, "switch", "on"),
    "led": ({"state": "on", "brightness": 200, "color": [255, 120, 0]}, "light", "on"),
    "firmware": ({"version": "1.2.3"}, "update", "off"),
    "rssi": ({"value": -61}, "sensor", "-61"),
    "info": ({"model": "Plug S", "capabilities": ["relay", "led", "ota"]}, "", ""),
}
# Metrics of a node's own; their sensors are off until somebody wants them.
_OWN: Final = ("humidity", "pressure", "flow", "level", "brightness", "noise", "speed")
PER_NODE: Final = len(_STATUS) + len(METRIC_NAMES) + len(_OWN)


def messages(plant: Plant) -> Iterator[bytes]:
    """Build the retained messages of all nodes."""
    status = [(f"status/{leaf}", json.dumps(told).encode()) for leaf, (told, *_) in _STATUS.items()]
    readings = [
        (f"telemetry/{metric}", payload)
        for metric, payload in zip(METRIC_NAMES, payloads(0, datetime.now(UTC)), strict=True)
    ]
    own = [(f"telemetry/{metric}", b'{"value": 1.5, "unit": "u"}') for metric in _OWN]
    for home, node in plant.node_ids():
        for end, payload in (*status, *readings, *own):
            yield publish(topic(home, node, end), payload, retain=True)


def entities(plant: Plant) -> Iterator[tuple[str, str, str, str, str]]:
    """Give (kind, household, node, key, state) of each entity that shows one of them."""
    for home, node in plant.node_ids():
        for metric in METRIC_NAMES:
            yield "sensor", home, node, f"telemetry/{metric}", str(value(metric, 0))
        for leaf, (_, kind, state) in _STATUS.items():
            if kind:
                yield kind, home, node, f"status/{leaf}", state
