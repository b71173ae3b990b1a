"""Results as a table in Markdown."""

from collections.abc import Sequence

from .figures import Results, Row, median

_STEPS_BEGIN = "<!-- written by scripts/bench --steps -->"
_STEPS_END = "<!-- until here -->"
_HEAD = ("what", "HomeSync", "core `mqtt`", "ratio", "aim", "met")


def table(results: Results) -> str:
    """The table alone, its columns aligned."""
    lines = [_HEAD, *(_cells(row) for row in results.rows)]
    lines += [
        (failure.name, "not measured", "", "", failure.reason.splitlines()[0], "")
        for failure in results.failures
    ]
    widths = [max(len(line[column]) for line in lines) for column in range(len(_HEAD))]
    ruler = tuple("-" * width for width in widths)
    return "\n".join(
        "| "
        + " | ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True))
        + " |"
        for line in (lines[0], ruler, *lines[1:])
    )


def page(results: Results) -> str:
    """Everything, for benchmarks/results.md."""
    kind = (
        "A quick run: fewer runs and smaller sizes than the aims are for." if results.quick else ""
    )
    machine = [f"| {name} | {text} |" for name, text in results.machine.items()]
    parts = [
        "# What the benchmark found",
        f"Written by `scripts/bench` in {results.seconds:.0f} s. {kind}".strip(),
        "\n".join(["| machine | |", "|---|---|", *machine]),
        _READING,
        table(results),
        *_notes(results),
        _METHOD,
        f"Seconds that each took: {_took(results)}.",
    ]
    return "\n\n".join(parts) + "\n"


def with_steps(text: str, steps: str) -> str:
    """Put a table into a page, between the lines that mark its place."""
    before, begin, rest = text.partition(_STEPS_BEGIN)
    _, end, after = rest.partition(_STEPS_END)
    if not end:
        raise ValueError(f"no place for the table: {_STEPS_BEGIN} … {_STEPS_END}")
    return f"{before}{begin}\n\n{steps}\n\n{end}{after}"


def number(figure: float) -> str:
    """Three digits that matter."""
    if abs(figure) >= 1000:
        return f"{figure:,.0f}"
    if abs(figure) >= 100:
        return f"{figure:.0f}"
    return f"{figure:.3g}"


def spread(figures: Sequence[float], unit: str = "") -> str:
    """Median and, of several, minimum and maximum."""
    if not figures:
        return ""
    middle = f"{number(median(figures))} {unit}".strip()
    if len(figures) == 1:
        return middle
    return f"{middle} ({number(min(figures))}–{number(max(figures))})"


def _cells(row: Row) -> tuple[str, ...]:
    core = spread(row.core, row.unit)
    if row.other:
        core = f"{row.other}: {core}"
    return (
        row.what,
        spread(row.homesync, row.unit),
        core,
        spread(row.ratios),
        row.aim,
        row.verdict.value,
    )


def _took(results: Results) -> str:
    return ", ".join(f"{name} {seconds:.0f}" for name, seconds in results.took.items())


def _notes(results: Results) -> list[str]:
    noted = [f"- {row.what}: {row.note}" for row in results.rows if row.note]
    failed = [f"- {each.name} was not measured: `{each.reason}`" for each in results.failures]
    return ["## Notes", "\n".join(noted + failed)] if noted + failed else []


_READING = """\
Median (minimum–maximum) of the runs. Ratio: HomeSync divided by core's `mqtt`, or by what else \
that column names, run by run."""

_METHOD = """\
## Method

Each side runs in a Home Assistant process of its own (`homeassistant.bootstrap`, no recorder), both \
on one mosquitto, with the same sensors, seven a node. Publishers are programs of their own, which \
build all bytes before they send them, with QoS 0 and about 85 bytes of JSON a message. After a \
warm-up the sides take turns. CPU is `process_time` of the Home Assistant process. mosquitto's \
queues have no bound, or it would drop most of a burst for a slow reader. A burst ends when every \
sensor shows its newest value. [docs/performance.md](../docs/performance.md) tells more."""
