"""What the statistics cost on the way of a message."""

from ..bench import Bench
from ..figures import Row, at_most, ratios

_MESSAGES = 14_000
_SHARE = 0.05


def counting(bench: Bench) -> list[Row]:
    """Their part of what a message costs in a burst, where it costs least."""
    house = bench.small.houses["homesync"]
    house.burst(bench.sizes.burst // 20)
    counted, whole = [], []
    for _ in range(bench.sizes.runs):
        counted.append(house.counting_cost(_MESSAGES))
        whole.append(house.burst(bench.sizes.burst).cost)
    return [
        Row(
            name="statistics",
            what="statistics: their part of the CPU a message in a burst",
            unit="µs",
            homesync=counted,
            core=whole,
            other="the whole message",
            aim="≤ 0.05 ×",
            verdict=at_most(ratios(counted, whole), _SHARE),
            note="the same code with and without the lines that count, in turn",
        )
    ]
