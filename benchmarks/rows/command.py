"""A command there and back: aim 7."""

from ..bench import Bench
from ..figures import Row, at_most, median, ratios

_NODE = "node0000"
# Only a note: most of its time it waits for the broker's Nagle algorithm.
_CORE_TIMES = 2
# Both sides take turns so often within a run: what else the machine does meets both.
_TURNS = 7


def command(bench: Bench) -> list[Row]:
    """Action called → acknowledged → state, beside a bare echo and core."""
    site, sizes = bench.small, bench.sizes
    node = site.start("node", str(site.broker.port))
    echo = site.start("echo", str(site.broker.port))
    for home in ("home", "core"):
        node.ask("announce", home=home, node=_NODE)
    bare: list[float] = []
    found: dict[str, list[float]] = {side: [] for side in site.houses}
    # On and off: an even number leaves the relay as it was.
    times = 2 * max(1, sizes.commands // (2 * _TURNS))
    for run in range(sizes.runs + 1):
        trips: dict[str, list[float]] = {"": [], **{side: [] for side in site.houses}}
        for _ in range(_TURNS):
            trips[""] += echo.ask("measure", times=times)
            for side, house in site.houses.items():
                home = house.plant.homes[0]
                wanted = min(times, _CORE_TIMES) if side == "core" else times
                trips[side] += house.program.ask("command", home=home, node=_NODE, times=wanted)
        if run:
            bare.append(median(trips.pop("")) * 1e3)
            for side, seconds in trips.items():
                found[side].append(median(seconds) * 1e3)
    return [_row(found["homesync"], bare, found["core"])]


def _row(ours: list[float], bare: list[float], core: list[float]) -> Row:
    return Row(
        name="command-p50",
        what="command: action → acknowledged → state, p50",
        unit="ms",
        homesync=ours,
        core=bare,
        other="bare paho client",
        aim="≤ 1.5 ×",
        verdict=at_most(ratios(ours, bare), 1.5),
        note=f"core's `mqtt` switch: {median(core):.2f} ms from the action to the node's new"
        " state; it knows no acknowledgement",
    )
