"""Command line of the benchmark; `scripts/bench --help` tells its use."""

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
import signal
import sys
import time
import traceback

from .bench import Bench, Step
from .channel import ROOT
from .chart import chart
from .figures import Failure, Results
from .machine import describe
from .plan import GROUPS, NAMES
from .report import page, table, with_steps
from .sizes import FULL, QUICK, TINY, Sizes

_RESULTS = ROOT / "benchmarks" / "results.md"
_CHART = ROOT / "docs" / "images" / "benchmark.svg"
_PERFORMANCE = ROOT / "docs" / "performance.md"


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """What was asked for; without `rows`, all of them."""

    sizes: Sizes
    rows: tuple[str, ...]
    strict: bool
    write: bool
    steps: bool


def parse(arguments: Sequence[str]) -> Options:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        prog="scripts/bench",
        description="Measures HomeSync beside Home Assistant's own MQTT integration."
        " Takes ten minutes at most; the machine should have nothing else to do.",
    )
    size = parser.add_mutually_exclusive_group()
    size.add_argument("--quick", action="store_true", help="two minutes, one run of each")
    size.add_argument("--tiny", action="store_true", help="only whether it works at all")
    parser.add_argument(
        "--row",
        action="append",
        choices=NAMES,
        default=[],
        metavar="NAME",
        help=f"only this one, may be given again: {', '.join(NAMES)}",
    )
    parser.add_argument(
        "--steps",
        action="store_true",
        help="only what each step of a message's way costs; writes it into docs/performance.md",
    )
    parser.add_argument("--strict", action="store_true", help="fail if an aim is missed")
    parser.add_argument(
        "--no-write", action="store_true", help="keep what is written in the repository"
    )
    given = parser.parse_args(arguments)
    sizes = QUICK if given.quick else TINY if given.tiny else FULL
    # Only all rows replace what is shown to everybody.
    write = not given.row and not given.tiny and not given.no_write
    return Options(
        sizes=sizes,
        rows=tuple(given.row),
        strict=given.strict,
        write=write,
        steps=given.steps,
    )


def main() -> int:
    """Give 0 if all rows were measured; with --strict only if all aims were met."""
    options = parse(sys.argv[1:])
    # A signal ends the programs too, as they end with their sites.
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, _interrupt)
    if options.steps:
        _tell_steps(write=options.write)
        return 0
    begin = time.monotonic()
    results = Results(machine=describe(), quick=options.sizes is not FULL)
    bench = Bench(options.sizes)
    try:
        for group in GROUPS:
            _measure(bench, group, options.rows, results, begin)
    except KeyboardInterrupt:
        return 130
    results.machine |= bench.versions
    results.seconds = time.monotonic() - begin
    _tell(results, write=options.write)
    return int(bool(results.failures) or (options.strict and bool(results.missed)))


def _tell(results: Results, *, write: bool) -> None:
    print(f"\n{table(results)}\n")
    for row in results.rows:
        if row.note:
            print(f"{row.what}: {row.note}")
    if write:
        _RESULTS.write_text(page(results))
        _CHART.write_text(chart(results))
        print(f"written: {_RESULTS.relative_to(ROOT)}, {_CHART.relative_to(ROOT)}")
    print(f"{results.seconds:.0f} s; aims missed: {len(results.missed)}")


def _tell_steps(*, write: bool) -> None:
    # It imports what it measures; the rows only talk to it.
    from .steps import table as steps_table  # noqa: PLC0415  # only when it is asked for

    found = steps_table()
    print(found)
    if write:
        _PERFORMANCE.write_text(with_steps(_PERFORMANCE.read_text(), found))
        print(f"written: {_PERFORMANCE.relative_to(ROOT)}")


def _measure(
    bench: Bench, group: Sequence[Step], wanted: Sequence[str], results: Results, begin: float
) -> None:
    """Measure what is wanted of a group; a failure of one row leaves the others."""
    try:
        for step in group:
            if wanted and step.name not in wanted:
                continue
            since = time.monotonic()
            print(f"bench: {since - begin:5.0f} s  {step.name}", flush=True)
            try:
                results.rows += step.measure(bench)
                results.took[step.name] = time.monotonic() - since
            except Exception as error:  # noqa: BLE001  # told, and the next row goes on
                traceback.print_exc()
                results.failures.append(Failure(step.name, str(error) or repr(error)))
                # What is left of its programs may be of no use to the others.
                bench.close()
    finally:
        bench.close()


def _interrupt(*_: object) -> None:
    raise KeyboardInterrupt


if __name__ == "__main__":
    sys.exit(main())
