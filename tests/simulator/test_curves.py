"""Readings that belong together."""

from random import Random

import pytest

from simulator import PROFILES, Profile
from simulator.curves import UNITS, Load

NOON = 1_760_000_400.0
TWO_DAYS = [NOON + 600.0 * step for step in range(288)]


@pytest.fixture(params=PROFILES, ids=lambda profile: profile.name)
def profile(request: pytest.FixtureRequest) -> Profile:
    profile: Profile = request.param
    return profile


def test_power_is_voltage_times_current_times_factor(profile: Profile) -> None:
    load = Load(profile, Random(1))
    for now in TWO_DAYS:
        read = load.sample(now, on=True)
        product = read["voltage"] * read["current"] * read["power_factor"]
        assert read["power"] == pytest.approx(product, abs=0.01)
        assert 0 < read["power"] < 1.2 * (profile.watts + profile.idle)
        assert 220 < read["voltage"] < 240
        assert 0 < read["power_factor"] <= 1
        assert 49.8 < read["frequency"] < 50.2


def test_without_power_nothing_flows(profile: Profile) -> None:
    read = Load(profile, Random(1)).sample(NOON, on=False)
    assert read["power"] == read["current"] == read["power_factor"] == 0
    assert read["voltage"] > 220


def test_energy_counts_what_was_used(profile: Profile) -> None:
    load = Load(profile, Random(1))
    readings = [load.sample(now, on=True) for now in TWO_DAYS]
    energies = [read["energy"] for read in readings]
    assert energies == sorted(energies)
    used = sum(read["power"] for read in readings[:-1]) * 600 / 3_600_000
    assert energies[-1] - energies[0] == pytest.approx(used, abs=0.001)
    rest = load.sample(TWO_DAYS[-1], on=False)["energy"]
    assert load.sample(TWO_DAYS[-1] + 1e6, on=False)["energy"] == rest


def test_a_clock_that_goes_back_takes_no_energy_back(profile: Profile) -> None:
    load = Load(profile, Random(1))
    before = load.sample(NOON, on=True)["energy"]
    assert load.sample(NOON - 3600, on=True)["energy"] >= before


def test_the_same_seed_gives_the_same_readings(profile: Profile) -> None:
    one, same, other = (Load(profile, Random(seed)) for seed in (1, 1, 2))
    readings = [one.sample(now, on=True) for now in TWO_DAYS]
    assert [same.sample(now, on=True) for now in TWO_DAYS] == readings
    assert [other.sample(now, on=True) for now in TWO_DAYS] != readings


def test_use_depends_on_the_hour() -> None:
    office = next(profile for profile in PROFILES if profile.name == "office")
    load = Load(office, Random(1))
    midnight = NOON - NOON % 86_400
    night = load.sample(midnight + 2 * 3600, on=True)["power"]
    day = load.sample(midnight + 10 * 3600, on=True)["power"]
    assert day > 3 * night


def test_profiles_have_warm_ones_and_one_metric_nobody_knows() -> None:
    readings = [Load(profile, Random(1)).sample(NOON, on=True) for profile in PROFILES]
    with_temperature = ["temperature" in read for read in readings]
    assert any(with_temperature)
    assert not all(with_temperature)
    assert sum("humidity_raw" in read for read in readings) == 1
    assert all(metric in UNITS for read in readings for metric in read)
