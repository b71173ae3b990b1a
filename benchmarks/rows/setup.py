"""Adding 7,000 entities: aim 5."""

from dataclasses import dataclass

from ..bench import Bench
from ..figures import Row, at_most, collections, listed, never_above, ratios
from ..plant import Plant
from ..site import House, Site

_WORST = 100.0


@dataclass(frozen=True, slots=True, kw_only=True)
class _Found:
    seconds: float
    memory: float
    worst: float
    besides: float
    collection: float
    entities: int


def set_up(bench: Bench) -> list[Row]:
    """Time, memory and the longest block, each run in fresh processes."""
    found: dict[str, list[_Found]] = {"homesync": [], "core": []}
    for _ in range(bench.sizes.set_ups):
        bench.close()
        site = Site()
        try:
            site.open()
            nodes = bench.sizes.new_nodes
            houses = [
                site.house(side, Plant((home,), nodes))
                for side, home in (("homesync", "home"), ("core", "core"))
            ]
            for house in houses:
                house.ready()
            # In turn: each has the machine for itself.
            for house in houses:
                found[house.side].append(_measure(house))
        except BaseException:
            site.close()
            raise
        bench.keep("large", site)
    ours, theirs = found["homesync"], found["core"]
    what = f"{ours[0].entities:,} new entities"
    return [_time(what, ours, theirs), _memory(what, ours, theirs), _block(what, ours, theirs)]


def _measure(house: House) -> _Found:
    before = house.program.ask("memory")
    house.program.ask("watch_lag")
    seconds, entities = house.populate()
    late = house.program.ask("lag")
    house.fill()
    memory = house.program.ask("memory") - before
    return _Found(
        seconds=seconds,
        memory=memory,
        worst=late["worst"],
        besides=late["worst_besides"],
        collection=late["collection"],
        entities=entities,
    )


def _time(what: str, ours: list[_Found], theirs: list[_Found]) -> Row:
    figures, other = [each.seconds for each in ours], [each.seconds for each in theirs]
    return Row(
        name="setup-time",
        what=f"{what}: time",
        unit="s",
        homesync=figures,
        core=other,
        aim="≤ 0.5 ×",
        verdict=at_most(ratios(figures, other), 0.5),
        note="HomeSync: status and first telemetry → all shown; core: status and discovery → all"
        f" there, sensors still without values. Entities added: {ours[0].entities:,} (core:"
        f" {theirs[0].entities:,}); of each node seven sensors and whether it is online",
    )


def _memory(what: str, ours: list[_Found], theirs: list[_Found]) -> Row:
    figures, other = [each.memory for each in ours], [each.memory for each in theirs]
    return Row(
        name="setup-memory",
        what=f"{what}: memory",
        unit="MB",
        homesync=figures,
        core=other,
        aim="≤ 0.5 ×",
        verdict=at_most(ratios(figures, other), 0.5),
    )


def _block(what: str, ours: list[_Found], theirs: list[_Found]) -> Row:
    figures = [each.besides for each in ours]
    return Row(
        name="setup-block",
        what=f"{what}: longest block of the loop besides garbage collection",
        unit="ms",
        homesync=figures,
        core=[each.besides for each in theirs],
        aim="≤ 100 ms",
        verdict=never_above(figures, _WORST),
        note=f"with it {listed([each.worst for each in ours])} ms"
        f" (core: {listed([each.worst for each in theirs])} ms);"
        f" {collections([each.collection for each in ours])}",
    )
