"""What a node says of itself: payloads of status and telemetry."""

from collections.abc import Mapping
from random import Random
import time

from .behaviour import MALFORMED_TELEMETRY
from .config import NodeConfig, timestamp
from .curves import UNITS, Load

type Payload = Mapping[str, object] | bytes


class Reports:
    """Makes the payloads of one node; the seed decides the readings."""

    def __init__(self, config: NodeConfig) -> None:
        name = f"{config.seed}/{config.home_id}/{config.node_id}"
        self._firmware = config.firmware
        self._rng = Random(f"{name}/reports")
        self._load = Load(config.profile, Random(f"{name}/load"))
        self._rssi = self._rng.randint(-78, -48)
        self._malformed_sent = 0
        self.boot()

    def boot(self) -> None:
        """Count the uptime from now."""
        self._booted = time.monotonic()

    def online(self) -> Payload:
        """Payload of status/online."""
        uptime = round(time.monotonic() - self._booted)
        return {"online": True, **_now(), "uptime": uptime, "firmware": self._firmware}

    def firmware(self) -> Payload:
        """Payload of status/firmware."""
        return {"version": self._firmware, **_now()}

    def rssi(self) -> Payload:
        """Payload of status/rssi; the signal wanders a little."""
        self._rssi = max(-95, min(-35, self._rssi + self._rng.randint(-2, 2)))
        return {"value": self._rssi, **_now()}

    def relay(self, *, on: bool) -> Payload:
        """Payload of status/relay."""
        return {"state": "on" if on else "off", **_now()}

    def readings(self, *, on: bool) -> dict[str, float]:
        """Values by metric; `on` tells whether the load has power."""
        return self._load.sample(time.time(), on=on)

    def telemetry(self, metric: str, value: object) -> Payload:
        """Payload of one reading; a mapping is taken as it is."""
        if isinstance(value, Mapping):
            return value
        unit = UNITS.get(metric)
        quality = self._rng.randint(96, 100)
        return {
            "value": value,
            **({"unit": unit} if unit else {}),
            **_now(),
            "quality": quality,
        }

    def malformed(self) -> bytes:
        """Every kind of nonsense in turn."""
        self._malformed_sent += 1
        return MALFORMED_TELEMETRY[self._malformed_sent % len(MALFORMED_TELEMETRY)]


def _now() -> dict[str, object]:
    return {"timestamp": timestamp()}
