"""The command line, and that one failing row leaves the others."""

from collections.abc import Callable

import pytest

from benchmarks import __main__ as program
from benchmarks.bench import Step
from benchmarks.figures import Results, Row, Verdict
from benchmarks.plan import NAMES
from benchmarks.sizes import FULL, QUICK, TINY


def test_all_rows_in_full_are_the_default_and_are_written() -> None:
    options = program.parse([])
    assert (options.sizes, options.rows) == (FULL, ())
    assert options.write
    assert not options.strict


def test_a_quick_run_is_written_too() -> None:
    options = program.parse(["--quick", "--strict"])
    assert options.sizes is QUICK
    assert options.write
    assert options.strict


@pytest.mark.parametrize("given", [["--row", "lag"], ["--tiny"], ["--no-write"]])
def test_a_part_replaces_no_results(given: list[str]) -> None:
    assert not program.parse(given).write


def test_rows_are_chosen_by_name() -> None:
    options = program.parse(["--tiny", "--row", NAMES[0], "--row", NAMES[-1]])
    assert options.sizes is TINY
    assert options.rows == (NAMES[0], NAMES[-1])


def test_an_unknown_row_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        program.parse(["--row", "speed"])
    assert "lag" in capsys.readouterr().err


def test_names_are_unique() -> None:
    assert len(set(NAMES)) == len(NAMES)


def _step(name: str, measure: Callable[[], list[Row]]) -> Step:
    return Step(name, lambda _: measure())


def _run(
    monkeypatch: pytest.MonkeyPatch, arguments: list[str], *steps: Step
) -> tuple[int, list[Results]]:
    told: list[Results] = []
    monkeypatch.setattr(program, "GROUPS", (steps,))
    monkeypatch.setattr(program, "_tell", lambda results, write: told.append(results))
    monkeypatch.setattr("sys.argv", ["bench", *arguments])
    return program.main(), told


def _fail() -> list[Row]:
    raise TimeoutError("never came")


def _row(verdict: Verdict) -> list[Row]:
    return [Row(name="row", what="row", unit="", homesync=[1.0], verdict=verdict)]


def test_a_row_that_fails_leaves_the_others(monkeypatch: pytest.MonkeyPatch) -> None:
    steps = (_step("first", _fail), _step("second", lambda: _row(Verdict.MET)))
    status, (results,) = _run(monkeypatch, ["--no-write"], *steps)
    assert status == 1
    assert [row.name for row in results.rows] == ["row"]
    assert [(each.name, each.reason) for each in results.failures] == [("first", "never came")]


@pytest.mark.parametrize(("arguments", "status"), [([], 0), (["--strict"], 1)])
def test_a_missed_aim_fails_only_when_asked(
    monkeypatch: pytest.MonkeyPatch, arguments: list[str], status: int
) -> None:
    step = _step("row", lambda: _row(Verdict.MISSED))
    assert _run(monkeypatch, ["--no-write", *arguments], step)[0] == status
