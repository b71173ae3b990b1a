"""How much is measured: in full, or in a fifth of the time."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Sizes:
    """Runs, messages and seconds; the aims are stated for the full ones."""

    runs: int
    steady_runs: int
    small_nodes: int
    new_nodes: int
    large_nodes: int
    burst: int
    long_burst: int
    seconds: float
    set_ups: int
    growth_nodes: tuple[int, ...]
    growth_homes: tuple[int, ...]
    commands: int
    restart_homes: int
    kept_nodes: int


FULL = Sizes(
    runs=3,
    steady_runs=7,
    small_nodes=100,
    new_nodes=875,
    large_nodes=1000,
    burst=100_000,
    long_burst=200_000,
    seconds=2.0,
    set_ups=3,
    growth_nodes=(10, 100, 1000),
    growth_homes=(1, 10, 50),
    commands=1400,
    restart_homes=50,
    kept_nodes=1000,
)
QUICK = Sizes(
    runs=1,
    steady_runs=1,
    small_nodes=100,
    new_nodes=60,
    large_nodes=75,
    burst=10_000,
    long_burst=10_000,
    seconds=1.0,
    set_ups=1,
    growth_nodes=(10, 100),
    growth_homes=(1, 5),
    commands=140,
    restart_homes=5,
    kept_nodes=50,
)
TINY = Sizes(
    runs=1,
    steady_runs=1,
    small_nodes=10,
    new_nodes=15,
    large_nodes=20,
    burst=3_000,
    long_burst=6_000,
    seconds=1.0,
    set_ups=1,
    growth_nodes=(10, 20),
    growth_homes=(1, 3),
    commands=14,
    restart_homes=3,
    kept_nodes=20,
)
