"""What a node says of itself: payloads of status and telemetry."""

from collections.abc import Iterator, Mapping
from random import Random
import time

from .behaviour import MALFORMED_TELEMETRY
from .config import NodeConfig, timestamp
from .curves import UNITS, Load
from .device import Device
from .info import Available

type Payload = Mapping[str, object] | bytes


class Reports:
    """Makes the payloads of one node; the seed decides the readings."""

    def __init__(self, config: NodeConfig, device: Device) -> None:
        name = f"{config.seed}/{config.home_id}/{config.node_id}"
        self.available: Available | None = config.info.available if config.info else None
        self._config = config
        self._device = device
        self._rng = Random(f"{name}/reports")
        self._load = Load(config.profile, Random(f"{name}/load"))
        self._rssi = self._rng.randint(-78, -48)
        self._malformed_sent = 0
        self.boot()

    def boot(self) -> None:
        """Count the uptime from now."""
        self._booted = time.monotonic()

    @property
    def uptime(self) -> int:
        """Whole seconds since the last boot."""
        return int(time.monotonic() - self._booted)

    def greetings(self) -> Iterator[tuple[str, Payload]]:
        """Everything that is sent at connect."""
        yield "status/online", self.online()
        yield "status/firmware", self.firmware()
        if self._config.info is not None:
            yield "status/info", self.info()
        yield "status/rssi", self.rssi()
        if self._device.relay is not None:
            yield "status/relay", self.relay()
        if self._config.led_reported:
            yield "status/led", self.led()

    def online(self) -> Payload:
        """Payload of status/online."""
        uptime, firmware = self.uptime, self._device.firmware
        return {"online": True, **_now(), "uptime": uptime, "firmware": firmware}

    def firmware(self) -> Payload:
        """Payload of status/firmware."""
        return {"version": self._device.firmware, **_now()}

    def info(self) -> Payload:
        """Payload of status/info; what is not available any more is taken back."""
        info = self._config.info
        if info is None:
            return _now()
        if self.available is not None and self.available.version == self._device.firmware:
            self.available = None
        names = ("model", "manufacturer", "hardware")
        known = {name: text for name in names if (text := getattr(info, name)) is not None}
        capabilities = info.capabilities
        if capabilities is None:
            capabilities = tuple(self._capabilities())
        return {
            **known,
            "capabilities": list(capabilities),
            "effects": list(info.effects if self._device.has_led else ()),
            "available": None if self.available is None else self.available.as_json(),
            **_now(),
        }

    def rssi(self) -> Payload:
        """Payload of status/rssi; the signal wanders a little."""
        self._rssi = max(-95, min(-35, self._rssi + self._rng.randint(-2, 2)))
        return {"value": self._rssi, **_now()}

    def relay(self) -> Payload:
        """Payload of status/relay."""
        return {"state": "on" if self._device.relay else "off", **_now()}

    def led(self) -> Payload:
        """Payload of status/led."""
        return {**self._device.led.as_json(), **_now()}

    def readings(self) -> dict[str, float]:
        """Values by metric; the load has power unless a relay is off."""
        return self._load.sample(time.time(), on=self._device.relay is not False)

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

    def _capabilities(self) -> Iterator[str]:
        if self._device.relay is not None:
            yield "relay"
        if self._device.has_led:
            yield "led"
            yield "identify"
        yield "config"
        if self._device.updates is not None:
            yield "ota"
        yield "restart"
        yield from self._device.own_commands


def _now() -> dict[str, object]:
    return {"timestamp": timestamp()}
