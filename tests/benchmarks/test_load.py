"""What the generators send is what they say."""

from itertools import pairwise
import json

import pytest

from benchmarks.load import build
from benchmarks.packets import Packets, publish, read_publish, with_properties
from benchmarks.plant import PER_NODE, Plant, discovery, value

PLANT = Plant(("home", "villa"), 3)


def test_a_plant_has_seven_sensors_a_node() -> None:
    assert PLANT.size == len(PLANT.topics()) == len(set(PLANT.topics())) == 2 * 3 * PER_NODE
    assert PLANT.topics()[0] == "homesync/home/nodes/node0000/telemetry/power"
    assert Plant.of(PLANT.to_dict()) == PLANT


def test_the_packets_carry_each_sensors_value_of_the_round() -> None:
    count = 2 * PLANT.size + 5
    found = Packets().feed(b"".join(build(PLANT, 40, count, 1.0)))
    assert len(found) == count
    metrics = [metric for _, _, metric in PLANT.sensors()]
    for index, (header, body) in enumerate(found):
        where, payload, packet_id = read_publish(header, body)
        sensor, rounds = index % PLANT.size, index // PLANT.size
        assert (where, packet_id) == (PLANT.topics()[sensor], b"")
        content = json.loads(payload)
        assert content["value"] == value(metrics[sensor], 40 + rounds)
        assert set(content) == {"value", "unit", "timestamp", "quality"}
        assert 70 <= len(payload) <= 95


@pytest.mark.parametrize("metric", ["power", "energy", "power_factor", "temperature"])
def test_every_round_is_a_new_state(metric: str) -> None:
    rounds = [value(metric, number) for number in range(3000)]
    assert all(one != other for one, other in pairwise(rounds))


def test_a_counter_only_rises_and_a_power_factor_stays_one() -> None:
    energy = [value("energy", number) for number in range(3000)]
    assert energy == sorted(energy)
    assert all(0 <= value("power_factor", number) <= 1 for number in range(3000))


def test_core_is_told_of_the_same_entities() -> None:
    kinds = [where.split("/")[1] for where, _ in discovery(PLANT)]
    configs = [json.loads(config) for _, config in discovery(PLANT)]
    entities = list(PLANT.entities())
    assert kinds == [kind for kind, *_ in entities]
    assert [config["state_topic"] for config in configs] == [
        f"homesync/{home}/nodes/{node}/{end}" for _, home, node, end in entities
    ]
    assert [config["state_topic"] for config in configs[: PLANT.size]] == PLANT.topics()
    assert len({config["unique_id"] for config in configs}) == len(entities) == 2 * 3 * 8


def test_a_packet_of_mqtt_5_has_an_empty_list_of_properties_before_the_payload() -> None:
    payload = b"x" * 130
    ((_, body),) = Packets().feed(with_properties(publish("a/b", payload)))
    assert body == b"\0\3a/b\0" + payload


def test_packets_are_found_however_the_bytes_come() -> None:
    packets = Packets()
    data = publish("a/b", b"x" * 300, packet_id=7) + publish("c", b"", retain=True)
    found = [whole for byte in data for whole in packets.feed(bytes((byte,)))]
    assert [read_publish(*each) for each in found] == [
        ("a/b", b"x" * 300, b"\0\x07"),
        ("c", b"", b""),
    ]
