"""Home Assistant starts with many households, and they lose their broker: aims 5 and 9."""

from collections import Counter
import time

from ..bench import Bench
from ..errors import BenchError
from ..figures import Row, Verdict, all_of, at_most, collections, listed, never_above
from ..plant import PER_NODE, Plant
from ..site import House, Site, homesync

_NODES = 2
_AWAY = 2.0
_BACK_WITHIN = 60.0
_WORST = 100.0
_MOMENT = 0.1
_CROWD = 0.25
_FEW = 10


def restart(bench: Bench) -> list[Row]:
    """In each run start Home Assistant anew, then take the broker away for two seconds."""
    homes = tuple(f"home{number:02}" for number in range(bench.sizes.restart_homes))
    started: list[tuple[float, dict[str, float]]] = []
    losses: list[tuple[list[float], float]] = []
    without: list[dict[str, float]] = []
    with Site() as site:
        house = homesync(site, Plant(homes, _NODES))
        bench.note_versions(house)
        # The same start with nothing of ours in it.
        bare = site.house("homesync", Plant((), 0))
        bare.started()
        for _ in range(bench.sizes.runs):
            without.append(_start_again(site, bare)[1])
            started.append(_start_again(site, house))
            losses.append(_lose_broker(site, house))
    return [_start(len(homes), started, without), _back(len(homes), losses)]


def _start(
    homes: int, started: list[tuple[float, dict[str, float]]], without: list[dict[str, float]]
) -> Row:
    besides = [late["worst_besides"] for _, late in started]
    return Row(
        name="start-block",
        what=f"start of Home Assistant with {homes} households: longest block of the loop"
        " besides garbage collection",
        unit="ms",
        homesync=besides,
        core=[late["worst_besides"] for late in without],
        other="without any",
        aim="≤ 100 ms",
        verdict=never_above(besides, _WORST),
        note=f"{_NODES * PER_NODE} known sensors in each; all connected"
        f" {started[0][0]:.1f} s after the program was started, as the first connects are"
        f" spread on purpose; with garbage collection"
        f" {listed([late['worst'] for _, late in started])} ms"
        f" (without any: {listed([late['worst'] for late in without])} ms);"
        f" {collections([late['collection'] for _, late in started])}",
    )


def _back(homes: int, losses: list[tuple[list[float], float]]) -> Row:
    back = [max(times) for times, _ in losses]
    spread = _spread([times for times, _ in losses])
    return Row(
        name="restart-back",
        what=f"broker restart with {homes} households: all back after",
        unit="s",
        homesync=back,
        aim="≤ 60 s, connects spread",
        verdict=all_of(never_above(back, _BACK_WITHIN), spread),
        note=f"away for {_AWAY:g} s; households back in each second of the first run:"
        f" {histogram(losses[0][0])}; loop lag at most {max(lag for _, lag in losses):.0f} ms",
    )


def _start_again(site: Site, house: House) -> tuple[float, dict[str, float]]:
    """Return the seconds until all households were connected, and how late the loop was."""
    # The broker may be a new one, which has kept nothing.
    site.load.ask("connect", port=site.broker.port)
    site.load.ask("online", plant=house.plant.to_dict())
    begin = time.monotonic()
    house.again()
    seconds = time.monotonic() - begin
    time.sleep(1)
    return seconds, house.program.ask("lag")


def _lose_broker(site: Site, house: House) -> tuple[list[float], float]:
    """Return the seconds after which each household was back, and the worst lag."""
    site.broker.stop()
    time.sleep(_AWAY)
    house.program.ask("watch_connections")
    house.program.ask("watch_lag")
    site.broker.start()
    begin = time.monotonic_ns()
    arrived = house.program.ask("connections", within=90, timeout=100)
    late = house.program.ask("lag")
    homes = len(house.plant.homes)
    if len(arrived) != homes:
        raise BenchError(f"only {len(arrived)} of {homes} households came back")
    return sorted((at - begin) / 1e9 for at in arrived), late["worst"]


def _spread(runs: list[list[float]]) -> Verdict:
    """Spread: in no tenth of a second more than a quarter of them, unless they are few anyway."""
    if len(runs[0]) < _FEW:
        return Verdict.MET
    moments = [Counter(int(at / _MOMENT) for at in times) for times in runs]
    crowds = [max(each.values()) / each.total() for each in moments]
    return at_most(crowds, _CROWD)


def histogram(times: list[float]) -> str:
    """How many came in each second."""
    counts = Counter(max(0, int(at)) for at in times)
    return " ".join(str(counts[second]) for second in range(max(counts) + 1))
