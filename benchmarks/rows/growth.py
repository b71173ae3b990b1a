"""How the cost of a message grows with nodes and with households: aim 6."""

from collections.abc import Iterable
from contextlib import ExitStack

from ..bench import Bench
from ..figures import Row, at_most, ratios
from ..plant import Plant
from ..site import Site

_RATE = 2000
_NODES = 100

type _Costs = dict[Plant, list[float]]


def growth(bench: Bench) -> list[Row]:
    """One household with few and with many nodes; the same nodes in one household and in many."""
    few, *more = (_plant(1, nodes) for nodes in bench.sizes.growth_nodes)
    one, *many = (_plant(homes, _NODES // homes) for homes in bench.sizes.growth_homes)
    costs = _measure(bench, dict.fromkeys((few, *more, one, *many)))
    return [
        *(_by_nodes(plant, few, costs) for plant in more),
        *(_by_homes(plant, one, costs) for plant in many),
    ]


def _plant(homes: int, nodes: int) -> Plant:
    return Plant(tuple(f"home{number:02}" for number in range(homes)), nodes)


def _by_nodes(plant: Plant, few: Plant, costs: _Costs) -> Row:
    return Row(
        name=f"growth-nodes-{plant.nodes}",
        what=f"steady {_RATE:,} msg/s, {plant.nodes:,} nodes: CPU a message",
        unit="µs",
        homesync=costs[plant],
        core=costs[few],
        other=f"with {few.nodes} nodes",
        aim="≤ 1.2 ×",
        verdict=at_most(ratios(costs[plant], costs[few]), 1.2),
    )


def _by_homes(plant: Plant, one: Plant, costs: _Costs) -> Row:
    return Row(
        name=f"growth-homes-{len(plant.homes)}",
        what=f"steady {_RATE:,} msg/s, {len(plant.homes)} households: CPU a message",
        unit="µs",
        homesync=costs[plant],
        core=costs[one],
        other="with one",
        aim="≤ 1.5 ×",
        verdict=at_most(ratios(costs[plant], costs[one]), 1.5),
    )


def _measure(bench: Bench, plants: Iterable[Plant]) -> _Costs:
    """CPU a message of each plant, in turn; each has a site of its own."""
    costs: _Costs = {plant: [] for plant in plants}
    with ExitStack() as stack:
        # All of them start side by side, which takes half the time.
        houses = [stack.enter_context(Site()).house("homesync", plant) for plant in costs]
        for house in houses:
            house.make()
        for house in houses:
            house.steady(_RATE, bench.sizes.seconds / 4)
        for _ in range(bench.sizes.runs):
            for house in houses:
                costs[house.plant].append(house.steady(_RATE, bench.sizes.seconds).cost)
        bench.note_versions(houses[0])
    return costs
