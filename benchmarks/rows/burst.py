"""A burst at full speed: aim 1."""

import time

from ..bench import Bench
from ..figures import Row, all_of, any_of, at_least, at_most, holds, median, ratios
from ..site import Burst, House, Site, alternate
from ..sizes import Sizes

_OF_THE_LIMIT = 0.9


def small(bench: Bench) -> list[Row]:
    """700 sensors."""
    return _measure(bench, bench.small, "burst-700")


def large(bench: Bench) -> list[Row]:
    """7,000 sensors."""
    site = bench.large
    for house in site.houses.values():
        house.grow(bench.sizes.large_nodes)
    return _measure(bench, site, "burst-7000")


def _measure(bench: Bench, site: Site, name: str) -> list[Row]:
    sizes = bench.sizes
    for house in site.houses.values():
        house.burst(sizes.burst // 20)
    found = alternate(sizes.runs, lambda house: house.burst(_messages(house, sizes)), site)
    limits = [_limit(site, sizes.burst) for _ in range(sizes.runs)]
    ours, theirs = found["homesync"], found["core"]
    sensors = site.houses["homesync"].plant.size
    what = f"burst of {ours[0].messages:,} over {sensors:,} sensors"
    return [_throughput(name, what, ours, theirs, limits), _cpu(name, what, ours, theirs)]


def _messages(house: House, sizes: Sizes) -> int:
    """As many as the aim says; core, which takes them at an even pace, needs 20 s for so many."""
    return sizes.burst // 4 if house.side == "core" else sizes.burst


def _throughput(
    name: str, what: str, ours: list[Burst], theirs: list[Burst], limits: list[float]
) -> Row:
    rates, other = [burst.rate for burst in ours], [burst.rate for burst in theirs]
    wrong = sum(burst.wrong for burst in ours)
    fast = any_of(
        at_least(ratios(rates, other), 10), at_least(ratios(rates, limits), _OF_THE_LIMIT)
    )
    return Row(
        name=f"{name}-throughput",
        what=f"{what}: throughput",
        unit="msg/s",
        homesync=rates,
        core=other,
        aim="≥ 10 ×, or 90 % of the broker's limit; newest values right",
        verdict=all_of(fast, holds(not wrong)),
        note=f"core's bursts have {theirs[0].messages:,} messages; the broker's own limit is"
        f" {median(limits):,.0f} msg/s; wrong values at the end: {wrong}"
        f" (core: {sum(burst.wrong for burst in theirs)})",
    )


def _cpu(name: str, what: str, ours: list[Burst], theirs: list[Burst]) -> Row:
    costs, other = [burst.cost for burst in ours], [burst.cost for burst in theirs]
    return Row(
        name=f"{name}-cpu",
        what=f"{what}: CPU a message",
        unit="µs",
        homesync=costs,
        core=other,
        aim="≤ 1/12 (0.083 ×)",
        verdict=at_most(ratios(costs, other), 1 / 12),
    )


def _limit(site: Site, messages: int) -> float:
    """Messages a second that a reader gets which only counts bytes."""
    sink = next((each for each in site.programs if each.name == "sink"), None) or site.start("sink")
    sink.ask("connect", port=site.broker.port, topic_filter="homesync/sink/#")
    plant = {"homes": ["sink"], "nodes": 100}
    size = site.load.ask("prepare", plant=plant, first_round=0, count=messages)["bytes"]
    sink.tell("swallow", size=size)
    time.sleep(0.05)
    begin = site.load.ask("burst")["begin"]
    return float(messages / ((sink.answer()["done"] - begin) / 1e9))
