"""What many payloads of one topic in one read come to: the same as one by one."""

import asyncio
from collections.abc import Iterable
from datetime import UTC, datetime
import json

from hypothesis import given, strategies as st
import pytest

from custom_components.homesync.client import Household, HouseholdSettings

from ..transport.link import LOGGER, plain_settings
from .villa import NOW, ROOT

ENERGY, POWER = "energy", "power"


def told(**content: object) -> bytes:
    return json.dumps(content).encode()


def at(seconds: float) -> str:
    return datetime.fromtimestamp(NOW + seconds, UTC).isoformat()


async def shown(metric: str, reads: Iterable[list[bytes]]) -> tuple[object, dict[str, int]]:
    """Return the value that a node has after some reads, and what was counted."""
    topic = f"{ROOT}/plug-1/telemetry/{metric}".encode()
    settings = HouseholdSettings(name="Villa", home_id="villa")
    household = Household(settings, plain_settings(1883), LOGGER, wall_clock=lambda: NOW)
    for read in reads:
        household._intake.receive([(topic, payload, False) for payload in read])
    await household.stop()
    node = household.nodes.get("plug-1")
    return None if node is None else node.get(f"telemetry/{metric}"), household.counts


@pytest.mark.parametrize(
    ("metric", "payloads", "value", "count"),
    [
        (POWER, [told(value=20), b"{broken"], 20, "malformed_json"),
        (POWER, [told(value=20), b"{broken", b"[]", told(value=1e14)], 20, "out_of_range"),
        (POWER, [told(value=20), told(value=7, unit="kWh")], 20, "unknown_unit"),
        (POWER, [b"{broken", told(value=20)], 20, "malformed_json"),
        (POWER, [told(value=20), b""], None, "superseded"),
        (POWER, [b"", told(value=20)], 20, "superseded"),
        (
            POWER,
            [
                told(value=20, timestamp=at(-10)),
                told(value=10, timestamp=at(-20)),
                told(value=11, timestamp=at(-15)),
            ],
            20,
            "superseded",
        ),
        (ENERGY, [told(value=105.0), told(value=0)], 105, "superseded"),
        (ENERGY, [told(value=105.0), told(value=0), told(value=105.1)], 105.1, "superseded"),
        (ENERGY, [told(value=105.0), told(value=105_100, unit="Wh")], 105_100, "superseded"),
        (ENERGY, [told(value=105.0), told(value=104_000, unit="Wh")], 105, "superseded"),
    ],
)
def test_f33_f36_what_is_of_no_use_takes_nothing_away(
    metric: str, payloads: list[bytes], value: float | None, count: str
) -> None:
    before = [told(value=100, timestamp=at(-30)), told(value=1)]
    found, counts = asyncio.run(shown(metric, [before[:1], payloads]))
    assert found == value
    assert counts[count]


@given(
    st.lists(
        st.one_of(
            st.builds(told, value=st.integers(0, 9)),
            st.builds(
                lambda value, seconds: told(value=value, timestamp=at(seconds)),
                st.integers(0, 9),
                st.integers(-9, 9),
            ),
            st.sampled_from([b"{broken", b"[]", told(), told(value="1"), told(value=1, unit="V")]),
        ),
        max_size=6,
    )
)
def test_values_are_the_same_in_one_read_as_in_many(payloads: list[bytes]) -> None:
    one_by_one, _ = asyncio.run(shown(POWER, [[each] for each in payloads]))
    together, _ = asyncio.run(shown(POWER, [payloads]))
    assert together == one_by_one


@given(st.lists(st.integers(0, 200), min_size=1, max_size=6))
def test_a_counter_is_the_same_in_one_read_as_in_many(values: list[int]) -> None:
    payloads = [told(value=value) for value in (100, *values)]
    one_by_one, _ = asyncio.run(shown(ENERGY, [[each] for each in payloads]))
    together, _ = asyncio.run(shown(ENERGY, [payloads[:1], payloads[1:]]))
    assert together == one_by_one
