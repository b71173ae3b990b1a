"""The table of metrics, against the table of the protocol's page."""

from pathlib import Path
import re

import pytest

from custom_components.homesync.client import METRICS
from custom_components.homesync.client.errors import ProtocolError
from custom_components.homesync.client.protocol.homesync import HomeSyncDialect
from custom_components.homesync.client.protocol.payloads import dump
from custom_components.homesync.client.protocol.topics import NodeTopic
from custom_components.homesync.client.records import Reading

PAGE = Path(__file__).parents[2] / "docs" / "protocol.md"
ROW = re.compile(r"^\| `(\w+)` \| (.+?) \| (.+?) \| (.+?) \|$", re.MULTILINE)
DIALECT = HomeSyncDialect("homesync", "villa")
ZERO_CELSIUS = 273.15


def decode(metric: str, **content: object) -> Reading:
    def complain(err: ProtocolError) -> None:
        raise err

    target = NodeTopic("plug-1", "telemetry", metric)
    return DIALECT.decode_reading(target, dump(content), 1_738_852_200.0, complain)


def usual(reading: Reading) -> float:
    scale, offset = METRICS[reading.metric].units[reading.unit]
    return reading.value * scale + offset


def test_the_table_says_what_the_page_says() -> None:
    rows = {
        metric: (unit.strip("`"), set(re.findall(r"`(.+?)`", others)))
        for metric, unit, others, _ in ROW.findall(PAGE.read_text().split("## Status")[0])
        if metric in METRICS
    }
    assert rows == {
        name: (
            metric.unit or "none",
            {(unit or "").replace("μ", "µ") for unit in metric.units if unit != metric.unit},
        )
        for name, metric in METRICS.items()
    }


@pytest.mark.parametrize("metric", METRICS)
def test_without_a_unit_the_usual_one_is_meant(metric: str) -> None:
    for content in ({"value": 0.5}, {"value": 0.5, "unit": None}, {"value": 0.5, "unit": ""}):
        reading = decode(metric, **content)
        assert reading.unit == METRICS[metric].unit
        assert usual(reading) == 0.5


@pytest.mark.parametrize(
    ("metric", "value", "unit", "in_usual_unit"),
    [
        ("power", 1500, "mW", 1.5),
        ("power", 1.5, "kW", 1500),
        ("power", 1.5, "MW", 1.5e6),
        ("power", -0.5, "GW", -0.5e9),
        ("voltage", 230e6, "µV", 230),
        ("voltage", 230e6, "μV", 230),
        ("voltage", 230e6, "uV", 230),
        ("voltage", 230e3, "mV", 230),
        ("voltage", 0.23, "kV", 230),
        ("voltage", 0.5, "MV", 0.5e6),
        ("current", 500, "mA", 0.5),
        ("energy", 1.5e6, "mWh", 1.5),
        ("energy", 1500, "Wh", 1.5),
        ("energy", 1.5, "MWh", 1500),
        ("energy", 0.5, "GWh", 500_000),
        ("energy", 3.6e6, "J", 1),
        ("energy", 3600, "kJ", 1),
        ("energy", 3.6, "MJ", 1),
        ("energy", 3.6, "GJ", 1000),
        ("power_factor", 95, "%", 0.95),
        ("power_factor", -100, "%", -1),
        ("frequency", 0.05, "kHz", 50),
        ("frequency", 0.5, "MHz", 0.5e6),
        ("frequency", 0.0005, "GHz", 0.5e6),
        ("temperature", 68, "°F", 20),
        ("temperature", 68, "F", 20),
        ("temperature", 68, "degF", 20),
        ("temperature", 20, "C", 20),
        ("temperature", 20, "degC", 20),
        ("temperature", 293.15, "K", 20),
    ],
)
def test_a_value_in_another_unit_is_worth_the_same(
    metric: str, value: float, unit: str, in_usual_unit: float
) -> None:
    reading = decode(metric, value=value, unit=unit)
    assert reading.value == value
    assert usual(reading) == pytest.approx(in_usual_unit)


@pytest.mark.parametrize(
    ("metric", "unit", "low", "high"),
    [
        ("power", "W", -1e9, 1e9),
        ("power", "kW", -1e6, 1e6),
        ("voltage", "V", -1e6, 1e6),
        ("current", "mA", -1e8, 1e8),
        ("energy", "kWh", 0, 1e9),
        ("energy", "MWh", 0, 1e6),
        ("power_factor", None, -1, 1),
        ("power_factor", "%", -100, 100),
        ("frequency", "Hz", 0, 1e6),
        ("temperature", "°C", -ZERO_CELSIUS, 2000),
        ("temperature", "°F", -459.67, 3632),
        ("temperature", "K", 0, 2273.15),
    ],
)
def test_a_value_is_refused_outside_the_range_in_whatever_unit(
    metric: str, unit: str | None, low: float, high: float
) -> None:
    beyond = (high - low) * 1e-6
    for value in (low, high):
        assert decode(metric, value=value, unit=unit).value == value
    for value in (low - beyond, high + beyond):
        with pytest.raises(ProtocolError) as refusal:
            decode(metric, value=value, unit=unit)
        assert refusal.value.kind == "out_of_range"


@pytest.mark.parametrize("unit", ["V", "w", "kw", "bananas", "W ", "°C", "none"])
def test_a_unit_of_something_else_is_refused(unit: str) -> None:
    with pytest.raises(ProtocolError) as refusal:
        decode("power", value=1, unit=unit)
    assert refusal.value.kind == "unknown_unit"


@pytest.mark.parametrize("unit", [5, True, ["W"], {}, " ", "W" * 33])
def test_a_unit_that_is_no_text_is_refused(unit: object) -> None:
    with pytest.raises(ProtocolError) as refusal:
        decode("power", value=1, unit=unit)
    assert refusal.value.kind == "invalid_field"


def test_a_metric_of_the_nodes_own_has_whatever_unit_it_sends() -> None:
    assert decode("pressure", value=1013, unit="hPa").unit == "hPa"
    assert decode("pressure", value=1013).unit is None
    assert decode("pressure", value=-1e15).value == -1e15
    with pytest.raises(ProtocolError):
        decode("pressure", value=1e16)
    with pytest.raises(ProtocolError):
        decode("pressure", value=1, unit="x" * 33)
