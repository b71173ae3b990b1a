"""Ratios, verdicts and latencies."""

import pytest

from benchmarks.figures import (
    Results,
    Row,
    Verdict,
    all_of,
    any_of,
    at_least,
    at_most,
    collections,
    holds,
    match_latencies,
    never_above,
    percentile,
    ratios,
)


def test_ratios_are_run_by_run() -> None:
    assert ratios([10.0, 20.0], [5.0, 40.0]) == [2.0, 0.5]


def test_a_run_without_a_figure_has_no_ratio() -> None:
    assert ratios([10.0, 20.0], [0.0, 40.0]) == [0.5]
    assert ratios([10.0], []) == []


def test_a_single_figure_of_the_other_side_stands_for_all_runs() -> None:
    assert ratios([10.0, 20.0], [5.0]) == [2.0, 4.0]


@pytest.mark.parametrize(
    ("figures", "met"), [([9.0, 11.0, 10.0], True), ([9.0, 9.9, 20.0], False), ([], False)]
)
def test_at_least_judges_the_median(figures: list[float], met: bool) -> None:
    assert at_least(figures, 10) is (Verdict.MET if met else Verdict.MISSED)


def test_at_most_judges_the_median_and_never_above_the_worst() -> None:
    assert at_most([1.0, 2.0, 300.0], 100) is Verdict.MET
    assert never_above([1.0, 2.0, 300.0], 100) is Verdict.MISSED
    assert never_above([1.0, 2.0, 100.0], 100) is Verdict.MET


def test_verdicts_combine() -> None:
    assert all_of(Verdict.MET, holds(True)) is Verdict.MET
    assert all_of(Verdict.MET, holds(False)) is Verdict.MISSED
    assert any_of(Verdict.MISSED, Verdict.MET) is Verdict.MET
    assert any_of(Verdict.MISSED, Verdict.MISSED) is Verdict.MISSED


def test_collections_are_told_run_by_run() -> None:
    assert collections([190.6, 0.2]).endswith("run: 191, 0 ms")


def test_percentile_takes_a_figure_that_was_measured() -> None:
    figures = [float(each) for each in range(100, 0, -1)]
    assert percentile(figures, 0.5) == 51
    assert percentile(figures, 0.99) == 100
    assert percentile([7.0], 0.99) == 7


def test_messages_are_matched_with_the_changes_of_their_sensors() -> None:
    sent = [0, 1_000, 10_000, 11_000]  # two rounds of two sensors
    changes = [[(500, "1"), (10_700, "2")], [(1_100, "1"), (11_900, "2")]]
    latencies, missing = match_latencies(sent, changes)
    assert sorted(each * 1e9 for each in latencies) == pytest.approx([100, 500, 700, 900])
    assert missing == 0


def test_a_sensor_that_conflated_counts_as_missing_and_has_no_latencies() -> None:
    sent = [0, 1_000, 10_000, 11_000]
    latencies, missing = match_latencies(sent, [[(10_700, "2")], [(1_100, "1"), (11_900, "2")]])
    assert (len(latencies), missing) == (2, 1)


def test_results_know_what_was_missed() -> None:
    rows = [
        Row(name=name, what=name, unit="", homesync=[1.0], verdict=verdict)
        for name, verdict in (("a", Verdict.MET), ("b", Verdict.MISSED), ("c", Verdict.NONE))
    ]
    assert [row.name for row in Results(machine={}, rows=rows).missed] == ["b"]
