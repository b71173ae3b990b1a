"""The metrics that the protocol knows, their units and ranges (`docs/protocol.md`).

A unit's pair (scale, offset) turns its value into the metric's usual unit:
usual = value * scale + offset.
"""

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Metric:
    """`unit` is the usual one; `low` and `high` bound the value in it.

    A `counter` counts up, and from zero again only after a reset.
    """

    unit: str | None
    low: float
    high: float
    units: Mapping[str | None, tuple[float, float]]
    counter: bool = False


def _scaled(
    unit: str, low: float, high: float, *, counter: bool = False, **others: float
) -> Metric:
    scales = {unit: 1.0} | others
    return Metric(unit, low, high, {name: (scale, 0) for name, scale in scales.items()}, counter)


METRICS: Mapping[str, Metric] = {
    "power": _scaled("W", -1e9, 1e9, mW=1e-3, kW=1e3, MW=1e6, GW=1e9),
    "voltage": _scaled("V", -1e6, 1e6, μV=1e-6, mV=1e-3, kV=1e3, MV=1e6),
    "current": _scaled("A", -1e5, 1e5, mA=1e-3),
    "energy": _scaled(
        "kWh",
        0,
        1e9,
        counter=True,
        mWh=1e-6,
        Wh=1e-3,
        MWh=1e3,
        GWh=1e6,
        J=1 / 3.6e6,
        kJ=1 / 3.6e3,
        MJ=1 / 3.6,
        GJ=1e3 / 3.6,
    ),
    "power_factor": Metric(None, -1, 1, {None: (1, 0), "%": (0.01, 0)}),
    "frequency": _scaled("Hz", 0, 1e6, kHz=1e3, MHz=1e6, GHz=1e9),
    "temperature": Metric(
        "°C", -273.15, 2000, {"°C": (1, 0), "°F": (5 / 9, -160 / 9), "K": (1, -273.15)}
    ),
}

# Written by firmware that keeps to ASCII, or with the other of Unicode's two micro signs.
UNIT_ALIASES: Mapping[str, str] = {
    "C": "°C",
    "degC": "°C",
    "F": "°F",
    "degF": "°F",
    "uV": "μV",
    "µV": "μV",
}
