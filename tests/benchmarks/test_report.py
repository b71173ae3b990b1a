"""The table and the chart."""

from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from benchmarks.chart import chart
from benchmarks.figures import Failure, Results, Row, Verdict
from benchmarks.report import number, page, spread, table, with_steps
from benchmarks.rows.restart import histogram


def results() -> Results:
    return Results(
        machine={"processor": "Some <CPU>", "date": "today"},
        rows=[
            Row(
                name="burst-700-throughput",
                what="burst",
                unit="msg/s",
                homesync=[100_000.0, 90_000.0, 110_000.0],
                core=[10_000.0, 10_000.0, 10_000.0],
                aim="≥ 10 ×",
                verdict=Verdict.MET,
                note="none lost",
            ),
            Row(
                name="command-p50",
                what="command",
                unit="ms",
                homesync=[0.9],
                core=[0.3],
                other="bare echo",
                aim="≤ 1.5 ×",
                verdict=Verdict.MISSED,
            ),
            Row(name="start-block", what="start", unit="ms", homesync=[12.0]),
        ],
        failures=[Failure("lag", "TimeoutError\nmore of it")],
        took={"burst-700": 61.4, "command": 5.0},
    )


@pytest.mark.parametrize(
    ("figure", "text"), [(123456.7, "123,457"), (123.4, "123"), (12.34, "12.3"), (0.0834, "0.0834")]
)
def test_numbers_have_three_digits_that_matter(figure: float, text: str) -> None:
    assert number(figure) == text


def test_several_runs_show_their_spread() -> None:
    assert spread([3.0, 1.0, 2.0], "ms") == "2 ms (1–3)"
    assert spread([3.0], "ms") == "3 ms"
    assert spread([]) == ""


def test_the_table_has_a_line_for_each_row_and_each_failure() -> None:
    lines = [
        [cell.strip() for cell in line.strip("|").split("|")]
        for line in table(results()).splitlines()
    ]
    assert lines[0] == ["what", "HomeSync", "core `mqtt`", "ratio", "aim", "met"]
    assert lines[2] == [
        "burst",
        "100,000 msg/s (90,000–110,000)",
        "10,000 msg/s (10,000–10,000)",
        "10 (9–11)",
        "≥ 10 ×",
        "yes",
    ]
    assert lines[3] == ["command", "0.9 ms", "bare echo: 0.3 ms", "3", "≤ 1.5 ×", "no"]
    assert lines[4] == ["start", "12 ms", "", "", "", ""]
    assert lines[5] == ["lag", "not measured", "", "", "TimeoutError", ""]


def test_the_columns_are_aligned() -> None:
    assert len({len(line) for line in table(results()).splitlines()}) == 1


def test_the_page_names_machine_notes_and_failures() -> None:
    text = page(results())
    assert "| processor | Some <CPU> |" in text
    assert "- burst: none lost" in text
    assert "- lag was not measured" in text
    assert "Seconds that each took: burst-700 61, command 5." in text
    assert "quick run" not in text


def test_a_quick_run_says_so() -> None:
    quick = results()
    quick.quick = True
    assert "quick run" in page(quick)


def test_the_chart_is_svg_for_light_and_dark() -> None:
    text = chart(results())
    root = ET.fromstring(text)
    space = "{http://www.w3.org/2000/svg}"
    assert root.tag == f"{space}svg"
    assert "prefers-color-scheme: dark" in text
    bars = [each for each in root.iter(f"{space}rect") if each.get("height") == "14"][2:]
    widths = [float(each.get("width", "")) for each in bars]
    assert widths[0] == pytest.approx(10 * widths[1])
    words = [each.text for each in root.iter(f"{space}text")]
    assert "10 × better" in words
    assert any("Some <CPU>" in (each or "") for each in words)


def test_the_chart_tells_the_ratios_of_the_table() -> None:
    uneven = results()
    uneven.rows = [
        Row(
            name="setup-time",
            what="",
            unit="s",
            homesync=[1.0, 2.0, 9.0],
            core=[4.0, 6.0, 18.0],
        )
    ]
    assert spread(uneven.rows[0].ratios).startswith("0.333 ")
    assert "3 × better" in chart(uneven)


def test_the_steps_replace_those_before() -> None:
    place = (Path(__file__).parents[2] / "docs" / "performance.md").read_text()
    once = with_steps(place, "| step |")
    assert once.count("| step |") == 1
    assert with_steps(once, "| other |") == with_steps(place, "| other |")
    with pytest.raises(ValueError, match="no place"):
        with_steps("# A page\n", "| step |")


def test_a_slower_result_is_drawn_as_such() -> None:
    slow = results()
    slow.rows = [Row(name="setup-time", what="", unit="s", homesync=[4.0], core=[2.0])]
    assert "2 × worse" in chart(slow)


def test_a_chart_of_nothing_is_still_svg() -> None:
    assert ET.fromstring(chart(Results(machine={}))).tag.endswith("svg")


def test_the_histogram_shows_empty_seconds_too() -> None:
    assert histogram([0.2, 0.9, 3.1]) == "2 0 0 1"
