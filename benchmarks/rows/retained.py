"""Many nodes that are heard for the first time, all of it retained: aim 5."""

from dataclasses import dataclass
import time

from ..bench import Bench
from ..figures import Row, collections, listed, never_above
from ..kept import PER_NODE
from ..plant import Plant
from ..site import House, Site

_WORST = 100.0
_HOMES = 2  # Home Assistant takes 10,000 entities a household


@dataclass(frozen=True, slots=True, kw_only=True)
class _Found:
    seconds: float
    worst: float
    besides: float
    collection: float
    entities: int


def retained(bench: Bench) -> list[Row]:
    """Subscribe where all nodes of two new households keep twenty messages each."""
    nodes = bench.sizes.kept_nodes // _HOMES
    with Site() as site:
        # A Home Assistant for each run: the nodes are new in each.
        houses = [
            site.house("homesync", Plant((f"east{run}", f"west{run}"), nodes))
            for run in range(bench.sizes.runs)
        ]
        for number, house in enumerate(houses):
            house.started()
            # The integration is loaded and at work before the nodes are heard.
            house.add(f"quiet{number}")
        found = [_measure(site, house) for house in houses]
        bench.note_versions(houses[0])
    what = f"{nodes * _HOMES * PER_NODE:,} retained messages of {nodes * _HOMES:,} new nodes"
    return [
        Row(
            name="retained-time",
            what=f"{what}: subscribe → all shown",
            unit="s",
            homesync=[each.seconds for each in found],
            note=f"{_HOMES} new households at once; {found[0].entities:,} entities",
        ),
        Row(
            name="retained-block",
            what=f"{what}: longest block of the loop besides garbage collection",
            unit="ms",
            homesync=[each.besides for each in found],
            aim="≤ 100 ms",
            verdict=never_above([each.besides for each in found], _WORST),
            note=f"with it {listed([each.worst for each in found])} ms;"
            f" {collections([each.collection for each in found])}",
        ),
    ]


def _measure(site: Site, house: House) -> _Found:
    site.load.ask("keep", plant=house.plant.to_dict())
    house.program.ask("watch_lag")
    begin = time.monotonic_ns()
    house.add(*house.plant.homes)
    answer = house.program.ask("kept", plant=house.plant.to_dict(), within=120, timeout=130)
    late = house.program.ask("lag")
    return _Found(
        seconds=(answer["done"] - begin) / 1e9,
        worst=late["worst"],
        besides=late["worst_besides"],
        collection=late["collection"],
        entities=answer["all"],
    )
