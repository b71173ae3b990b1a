"""A command there and back: aim 7."""

from ..bench import Bench
from ..figures import Row, at_most, median, ratios
from ..site import House

_NODE = "node0000"
# Only a note: most of its time it waits for the broker's Nagle algorithm.
_CORE_TIMES = 20
# Both sides take turns so often within a run: what else the machine does meets both.
_TURNS = 7


def command(bench: Bench) -> list[Row]:
    """Action called → acknowledged → state, beside a bare echo and core."""
    site, sizes = bench.small, bench.sizes
    node = site.start("node", str(site.broker.port))
    echo = site.start("echo", str(site.broker.port))
    for home in ("home", "core"):
        node.ask("announce", home=home, node=_NODE)
    # On and off: an even number leaves the relay as it was.
    times = 2 * max(1, sizes.commands // (2 * _TURNS))
    bare: list[float] = []
    ours: list[float] = []
    for run in range(sizes.runs + 1):
        trips: tuple[list[float], list[float]] = [], []
        for _ in range(_TURNS):
            trips[0].extend(echo.ask("measure", times=times))
            trips[1].extend(_switch(site.houses["homesync"], times))
        if run:
            bare.append(median(trips[0]) * 1e3)
            ours.append(median(trips[1]) * 1e3)
    core = [each * 1e3 for each in _switch(site.houses["core"], _CORE_TIMES)]
    return [_row(ours, bare, core)]


def _switch(house: House, times: int) -> list[float]:
    """Switch a relay on and off; return the seconds that each took."""
    trips: list[float] = house.program.ask(
        "command", home=house.plant.homes[0], node=_NODE, times=times
    )
    return trips


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
