"""Plausible readings of household appliances."""

from dataclasses import dataclass
from datetime import UTC, datetime
import math
from random import Random

UNITS: dict[str, str | None] = {
    "power": "W",
    "voltage": "V",
    "current": "A",
    "energy": "kWh",
    "power_factor": None,
    "frequency": "Hz",
    "temperature": "°C",
    "humidity_raw": "raw",
}

_SECONDS_PER_HOUR = 3600.0
_WATT_SECONDS_PER_KWH = 3_600_000.0
# Hours from a peak of use until it has faded to 60 %.
_PEAK_WIDTH = 2.0
_NIGHT_LEVEL = 0.15
# Watts that warm a device by one degree.
_WATTS_PER_DEGREE = 80.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Profile:
    """An appliance: watts at work and idle, work cycle (s), peak hours (UTC)."""

    name: str
    watts: float
    idle: float
    power_factor: float
    cycle: float = 0.0
    duty: float = 1.0
    peaks: tuple[float, ...] = ()
    temperature: float | None = None
    extra: str | None = None


PROFILES = (
    Profile(
        name="fridge",
        watts=95,
        idle=1.5,
        power_factor=0.82,
        cycle=2400,
        duty=0.4,
        temperature=24.0,
    ),
    Profile(
        name="heater",
        watts=1800,
        idle=2.0,
        power_factor=0.99,
        cycle=900,
        duty=0.7,
        peaks=(6.5, 20.0),
        temperature=31.0,
    ),
    Profile(name="office", watts=140, idle=9.0, power_factor=0.91, peaks=(10.0, 14.5)),
    Profile(
        name="washing_machine",
        watts=650,
        idle=1.0,
        power_factor=0.78,
        cycle=5400,
        duty=0.6,
        peaks=(9.0, 17.0),
        temperature=22.0,
        extra="humidity_raw",
    ),
    Profile(name="lamp", watts=11, idle=0.8, power_factor=0.6, peaks=(6.0, 21.0)),
)


class Load:
    """The meter behind one profile; the same seed and times give the same readings."""

    def __init__(self, profile: Profile, rng: Random) -> None:
        self._profile = profile
        self._rng = rng
        self._phase = rng.uniform(0, profile.cycle)
        self._energy = rng.uniform(5, 500)
        self._drift = 0.0
        self._watts = 0.0
        self._read_at: float | None = None

    def sample(self, now: float, *, on: bool) -> dict[str, float]:
        """Read the meter at `now` (Unix time, s) in the units of `UNITS`."""
        self._count_energy(now)
        readings = self._electrical(now, on=on)
        self._watts = readings["power"]
        readings["energy"] = round(self._energy, 4)
        readings["frequency"] = round(50 + self._rng.gauss(0, 0.015), 3)
        self._drift = 0.98 * self._drift + self._rng.gauss(0, 0.08)
        if self._profile.temperature is not None:
            warmth = self._watts / _WATTS_PER_DEGREE
            readings["temperature"] = round(self._profile.temperature + warmth + self._drift, 2)
        if self._profile.extra:
            readings[self._profile.extra] = float(round(420 + 40 * self._drift))
        return readings

    def _electrical(self, now: float, *, on: bool) -> dict[str, float]:
        voltage = round(230 + 2 * math.sin(now / 700) + self._rng.gauss(0, 0.4), 1)
        if not on:
            return {
                "power": 0.0,
                "voltage": voltage,
                "current": 0.0,
                "power_factor": 0.0,
            }
        factor = min(1.0, self._profile.power_factor + self._rng.gauss(0, 0.005))
        factor = round(factor, 3)
        current = round(self._demand(now) / (voltage * factor), 4)
        power = round(voltage * current * factor, 2)
        return {
            "power": power,
            "voltage": voltage,
            "current": current,
            "power_factor": factor,
        }

    def _demand(self, now: float) -> float:
        profile = self._profile
        working = 1.0
        if profile.cycle:
            working = float((now + self._phase) % profile.cycle < profile.cycle * profile.duty)
        watts = profile.idle + profile.watts * working * _use_of_day(now, profile.peaks)
        return max(0.1, watts * (1 + self._rng.gauss(0, 0.015)))

    def _count_energy(self, now: float) -> None:
        if self._read_at is not None:
            elapsed = max(0.0, now - self._read_at)
            self._energy += self._watts * elapsed / _WATT_SECONDS_PER_KWH
        self._read_at = now


def _use_of_day(now: float, peaks: tuple[float, ...]) -> float:
    if not peaks:
        return 1.0
    midnight = datetime.fromtimestamp(now, UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    hour = (now - midnight.timestamp()) / _SECONDS_PER_HOUR
    distance = min(min(abs(hour - peak), 24 - abs(hour - peak)) for peak in peaks)
    bump = math.exp(-(distance**2) / (2 * _PEAK_WIDTH**2))
    return _NIGHT_LEVEL + (1 - _NIGHT_LEVEL) * bump
