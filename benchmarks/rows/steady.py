"""A steady load, every message a new state: aims 2 and 3."""

from ..bench import Bench
from ..figures import Row, all_of, at_most, holds, percentile, ratios
from ..site import Steady, alternate

_RATES = (1000, 2000)
_LATENCIES = (("p50", 0.5, 0.7), ("p99", 0.99, 0.5))


def steady(bench: Bench) -> list[Row]:
    """CPU and latency at both rates."""
    slow, fast = _RATES
    # What a message costs swings more than how long it takes.
    return [*_at(bench, slow, bench.sizes.runs), *_at(bench, fast, bench.sizes.steady_runs)]


def _at(bench: Bench, rate: int, runs: int) -> list[Row]:
    sizes, site = bench.sizes, bench.small
    for house in site.houses.values():
        house.steady(rate, sizes.seconds / 4)
    found = alternate(runs, lambda house: house.steady(rate, sizes.seconds), site)
    ours, theirs = found["homesync"], found["core"]
    rows = [_cpu(rate, ours, theirs)] if rate == max(_RATES) else []
    for name, part, bound in _LATENCIES:
        figures, other = (
            [percentile(each.latencies, part) * 1e3 for each in side] for side in (ours, theirs)
        )
        rows.append(
            Row(
                name=f"latency-{rate}-{name}",
                what=f"latency publish → state at {rate:,} msg/s, {name}",
                unit="ms",
                homesync=figures,
                core=other,
                aim=f"≤ {bound} ×",
                verdict=at_most(ratios(figures, other), bound),
            )
        )
    return rows


def _cpu(rate: int, ours: list[Steady], theirs: list[Steady]) -> Row:
    costs, other = [each.cost for each in ours], [each.cost for each in theirs]
    missing = sum(each.missing for each in ours)
    return Row(
        name=f"steady-{rate}-cpu",
        what=f"steady {rate:,} msg/s, every message a new state: CPU a message",
        unit="µs",
        homesync=costs,
        core=other,
        aim="≤ 0.4 ×, none conflated",
        verdict=all_of(at_most(ratios(costs, other), 0.4), holds(not missing)),
        note=f"messages without a state of their own: {missing}"
        f" (core: {sum(each.missing for each in theirs)})",
    )
