"""The nodes under load: their entities, and what each sensor sends in each round."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
import json
from typing import Any, Final

PREFIX: Final = "homesync"
# Metric → unit, first value, step, decimals. A value comes again after _CYCLE rounds, but a
# counter's, which only rises.
_METRICS: Final = {
    "power": ("W", 100.0, 0.1, 1),
    "voltage": ("V", 180.0, 0.1, 1),
    "current": ("A", 1.0, 0.01, 2),
    "energy": ("kWh", 1000.0, 0.01, 2),
    "power_factor": (None, 0.001, 0.001, 3),
    "frequency": ("Hz", 45.0, 0.01, 2),
    "temperature": ("°C", 10.0, 0.1, 1),
}
_CYCLE: Final = 997
METRIC_NAMES: Final = tuple(_METRICS)
PER_NODE: Final = len(_METRICS)
ONLINE: Final = "status/online"


@dataclass(frozen=True, slots=True)
class Plant:
    """`nodes` nodes in each of some households, each with seven metrics and its connectivity."""

    homes: tuple[str, ...]
    nodes: int

    @property
    def size(self) -> int:
        """How many sensors there are."""
        return len(self.homes) * self.nodes * PER_NODE

    def node_ids(self) -> Iterator[tuple[str, str]]:
        """Give (household, node), the households in turn."""
        for number in range(self.nodes):
            for home in self.homes:
                yield home, f"node{number:04}"

    def sensors(self) -> Iterator[tuple[str, str, str]]:
        """Give (household, node, metric) in the order in which they send."""
        for home, node in self.node_ids():
            for metric in _METRICS:
                yield home, node, metric

    def entities(self) -> Iterator[tuple[str, str, str, str]]:
        """Give (kind, household, node, end of the topic): the sensors in order, then the others."""
        for home, node, metric in self.sensors():
            yield "sensor", home, node, f"telemetry/{metric}"
        for home, node in self.node_ids():
            yield "binary_sensor", home, node, ONLINE

    def topics(self) -> list[str]:
        """Give the sensors' topics in that order."""
        return [topic(home, node, f"telemetry/{metric}") for home, node, metric in self.sensors()]

    def to_dict(self) -> dict[str, Any]:
        """Give it as JSON takes it."""
        return {"homes": list(self.homes), "nodes": self.nodes}

    @classmethod
    def of(cls, data: dict[str, Any]) -> Plant:
        """Make it from JSON."""
        return cls(tuple(data["homes"]), data["nodes"])


def topic(home: str, node: str, end: str) -> str:
    """Build a node's topic."""
    return f"{PREFIX}/{home}/nodes/{node}/{end}"


def value(metric: str, round_number: int) -> float:
    """What a sensor shows after that round; two rounds in a row never show the same."""
    _, first, step, decimals = _METRICS[metric]
    steps = round_number if metric == "energy" else round_number % _CYCLE
    return round(first + steps * step, decimals)


def payloads(round_number: int, at: datetime) -> list[bytes]:
    """What the seven metrics of a node send in a round, of about 85 bytes each."""
    stamp = at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3] + "Z"
    return [
        json.dumps(
            {
                "value": value(metric, round_number),
                "unit": unit,
                "timestamp": stamp,
                "quality": 99,
            },
            ensure_ascii=False,
        ).encode()
        for metric, (unit, *_) in _METRICS.items()
    ]


def discovery(plant: Plant) -> Iterator[tuple[str, bytes]]:
    """Give the messages by which core's `mqtt` learns of the same entities and devices."""
    for home, node, metric in plant.sensors():
        unit = _METRICS[metric][0]
        config = {
            "name": metric,
            "unique_id": f"{home}_{node}_{metric}",
            "state_topic": topic(home, node, f"telemetry/{metric}"),
            "value_template": "{{ value_json.value }}",
            "device_class": metric,
            "state_class": "total_increasing" if metric == "energy" else "measurement",
            "device": _device(home, node),
        }
        if unit is not None:
            config["unit_of_measurement"] = unit
        yield f"homeassistant/sensor/{home}_{node}/{metric}/config", json.dumps(config).encode()
    for home, node in plant.node_ids():
        config = {
            "name": "online",
            "unique_id": f"{home}_{node}_online",
            "state_topic": topic(home, node, ONLINE),
            "value_template": "{{ value_json.online }}",
            "payload_on": "True",
            "payload_off": "False",
            "device_class": "connectivity",
            "entity_category": "diagnostic",
            "device": _device(home, node),
        }
        where = f"homeassistant/binary_sensor/{home}_{node}/online/config"
        yield where, json.dumps(config).encode()


def switch_discovery(home: str, node: str) -> tuple[str, bytes]:
    """Give the message by which core's `mqtt` learns of a node's relay."""
    config = {
        "name": "relay",
        "unique_id": f"{home}_{node}_relay",
        "state_topic": topic(home, node, "status/relay"),
        "value_template": "{{ value_json.state }}",
        "state_on": "on",
        "state_off": "off",
        "command_topic": topic(home, node, "command/relay"),
        "payload_on": json.dumps({"action": "on", "request_id": "1"}),
        "payload_off": json.dumps({"action": "off", "request_id": "1"}),
        "qos": 1,
        "device": _device(home, node),
    }
    return f"homeassistant/switch/{home}_{node}/relay/config", json.dumps(config).encode()


def _device(home: str, node: str) -> dict[str, Any]:
    return {
        "identifiers": [f"{home}_{node}"],
        "name": f"{home} {node}",
        "manufacturer": "HomeSync",
        "model": "Node",
    }
