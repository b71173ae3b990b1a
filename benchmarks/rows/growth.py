"""How the cost of a message grows with nodes and with households: aim 6."""

from contextlib import ExitStack

from ..bench import Bench
from ..figures import Row, at_most, ratios
from ..plant import Plant
from ..site import Site

_RATE = 2000
_NODES = 100


def nodes(bench: Bench) -> list[Row]:
    """One household with few and with many nodes."""
    plants = [Plant(("home",), count) for count in bench.sizes.growth_nodes]
    costs = _measure(bench, plants)
    return [
        Row(
            name=f"growth-nodes-{plant.nodes}",
            what=f"steady {_RATE:,} msg/s, {plant.nodes:,} nodes: CPU a message",
            unit="µs",
            homesync=cost,
            core=costs[0],
            other=f"with {plants[0].nodes} nodes",
            aim="≤ 1.2 ×",
            verdict=at_most(ratios(cost, costs[0]), 1.2),
        )
        for plant, cost in list(zip(plants, costs, strict=True))[1:]
    ]


def households(bench: Bench) -> list[Row]:
    """One household and many, the same nodes and load in all."""
    plants = [
        Plant(tuple(f"home{number:02}" for number in range(count)), max(1, _NODES // count))
        for count in bench.sizes.growth_homes
    ]
    costs = _measure(bench, plants)
    return [
        Row(
            name=f"growth-homes-{len(plant.homes)}",
            what=f"steady {_RATE:,} msg/s, {len(plant.homes)} households: CPU a message",
            unit="µs",
            homesync=cost,
            core=costs[0],
            other="with one",
            aim="≤ 1.5 ×",
            verdict=at_most(ratios(cost, costs[0]), 1.5),
        )
        for plant, cost in list(zip(plants, costs, strict=True))[1:]
    ]


def _measure(bench: Bench, plants: list[Plant]) -> list[list[float]]:
    """CPU a message of each plant, in turn; each has a site of its own."""
    costs: list[list[float]] = [[] for _ in plants]
    with ExitStack() as stack:
        # All of them start side by side, which takes half the time.
        houses = [stack.enter_context(Site()).house("homesync", plant) for plant in plants]
        for house in houses:
            house.make()
        for house in houses:
            house.steady(_RATE, bench.sizes.seconds / 4)
        for _ in range(bench.sizes.runs):
            for house, cost in zip(houses, costs, strict=True):
                cost.append(house.steady(_RATE, bench.sizes.seconds).cost)
        bench.note_versions(houses[0])
    return costs
