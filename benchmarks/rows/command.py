"""A command there and back: aim 7."""

from collections.abc import Callable

from ..bench import Bench
from ..figures import Row, at_most, median, ratios
from ..site import House

_NODE = "node0000"
# Only a note: most of its time it waits for the broker's Nagle algorithm.
_CORE_TIMES = 20
# Both sides take turns so often within a run: what else the machine does meets both.
_TURNS = 7


def command(bench: Bench) -> list[Row]:
    """Action called → acknowledged → state, beside a bare switch, a bare echo, and core."""
    site, sizes = bench.small, bench.sizes
    node = site.start("node", str(site.broker.port))
    echo = site.start("echo", str(site.broker.port))
    other = site.houses["core"].program
    other.ask("add_bare_switch", port=site.broker.port)
    for home in ("home", "core"):
        node.ask("announce", home=home, node=_NODE)
    # On and off: an even number leaves the relay as it was.
    times = 2 * max(1, sizes.commands // (2 * _TURNS))
    sides: dict[str, Callable[[], list[float]]] = {
        "echo": lambda: echo.ask("measure", times=times),
        "homesync": lambda: _switch(site.houses["homesync"], times),
        "switch": lambda: other.ask("bare_command", times=times),
    }
    found: dict[str, list[float]] = {side: [] for side in sides}
    for run in range(sizes.runs + 1):
        trips: dict[str, list[float]] = {side: [] for side in sides}
        for _ in range(_TURNS):
            for side, measure in sides.items():
                trips[side].extend(measure())
        if run:
            for side, seconds in trips.items():
                found[side].append(median(seconds) * 1e3)
    other.ask("remove_bare_switch")
    core = [each * 1e3 for each in _switch(site.houses["core"], _CORE_TIMES)]
    return _rows(**found, core=core)


def _switch(house: House, times: int) -> list[float]:
    """Switch a relay on and off; return the seconds that each took."""
    trips: list[float] = house.program.ask(
        "command", home=house.plant.homes[0], node=_NODE, times=times
    )
    return trips


def _rows(
    homesync: list[float], echo: list[float], switch: list[float], core: list[float]
) -> list[Row]:
    what = "command: action → acknowledged → state, p50"
    return [
        Row(
            name="command-p50",
            what=what,
            unit="ms",
            homesync=homesync,
            core=switch,
            other="bare paho client behind a switch",
            aim="≤ 1.5 ×",
            verdict=at_most(ratios(homesync, switch), 1.5),
            note=f"core's `mqtt` switch: {median(core):.2f} ms from the action to the node's new"
            " state; it knows no acknowledgement",
        ),
        Row(
            name="command-without-home-assistant",
            what=f"{what}, beside an echo without Home Assistant",
            unit="ms",
            homesync=homesync,
            core=echo,
            other="bare paho client alone",
            note="no aim, as the bare switch itself takes"
            f" {median(ratios(switch, echo)):.2f} × as long as the client alone",
        ),
    ]
