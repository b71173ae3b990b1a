"""Code without the lines that count does everything else."""

import pytest

from benchmarks.inside.probes import COUNTERS
from benchmarks.inside.uncounted import cost, exchanged, uncounted
from benchmarks.load import build
from benchmarks.packets import with_properties
from benchmarks.plant import Plant
from custom_components.homesync.client.inbox import Inbox
from custom_components.homesync.client.intake import Intake
from custom_components.homesync.client.transport.packets import MqttVersion
from custom_components.homesync.client.transport.reader import PacketReader
from custom_components.homesync.client.transport.statistics import Traffic

PLANT = Plant(("home",), 2)


class _Shop:
    def __init__(self) -> None:
        self.sold = {"bread": 0}
        self.stock = 10
        self.visitors = 0

    def sell(self) -> int:
        self.visitors += 1
        if self.stock:
            self.sold["bread"] += 1
        self.stock -= 1
        return self.stock


COUNTED = frozenset({"sold", "visitors"})


def test_only_the_lines_that_count_are_left_out() -> None:
    shop = _Shop()
    held = shop.sell
    with exchanged(uncounted(COUNTED, _Shop)):
        assert (shop.sell(), held()) == (9, 8)
    assert (shop.sold, shop.visitors) == ({"bread": 0}, 0)
    held()
    assert (shop.sold, shop.visitors, shop.stock) == ({"bread": 1}, 1, 7)


def test_the_code_comes_back_after_a_failure() -> None:
    shop = _Shop()
    with pytest.raises(ValueError, match="closed"), exchanged(uncounted(COUNTED, _Shop)):
        raise ValueError("closed")
    shop.sell()
    assert shop.visitors == 1


def test_a_counter_that_nobody_counts_is_noticed() -> None:
    with pytest.raises(LookupError, match="thefts"):
        uncounted(COUNTED | {"thefts"}, _Shop)


def test_the_work_is_done_as_often_with_as_without() -> None:
    shop = _Shop()
    cost(uncounted(COUNTED, _Shop), shop.sell)
    assert 10 - shop.stock == 2 * shop.visitors > 0


def test_homesync_reads_the_same_without_counting() -> None:
    def read() -> tuple[list[bytes], int]:
        traffic, topics = Traffic(), list[bytes]()
        reader = PacketReader(
            lambda messages: topics.extend(topic for topic, _, _ in messages),
            lambda _: None,
            lambda _: None,
            MqttVersion.V5,
            traffic,
        )
        reader.feed(b"".join(map(with_properties, build(PLANT, 0, 30, 0.0))))
        return topics, traffic.received

    topics, received = read()
    assert received == len(topics) == 30
    with exchanged(uncounted(COUNTERS, PacketReader, Intake, Inbox)):
        assert read() == (topics, 0)
