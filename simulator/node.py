"""One node: its status, its telemetry, its commands."""

import asyncio
from collections.abc import Callable, Mapping
from contextlib import suppress
import math
from typing import override

from .behaviour import GOOD, Behaviour
from .commands import Execution
from .config import Broker, Event, NodeConfig
from .controller import Controller, Reception, Ways
from .device import Device, Led
from .info import Available
from .life import Life
from .reports import Payload, Reports
from .session import Chore, Duties, End, NotConnected
from .updater import Update

RSSI_INTERVAL = 180.0


class Node(Life):
    """Reconnects until stopped or dead; belongs to one event loop."""

    def __init__(
        self,
        config: NodeConfig,
        broker: Broker,
        behaviour: Behaviour = GOOD,
        on_event: Callable[[Event], None] | None = None,
    ) -> None:
        super().__init__(config, broker, on_event)
        self._behaviour = behaviour
        self._device = Device(
            relay=config.relay_on if config.has_relay else None,
            has_led=config.has_led,
            firmware=config.firmware,
            effects=config.info.effects if config.info else (),
            own_commands=config.own_commands,
            updates=config.updates,
        )
        self._reports = Reports(config, self._device)
        self._controller = Controller(config, self._device, self._ways(), self._rng)

    @property
    def behaviour(self) -> Behaviour:
        """How it misbehaves; may be set at any time."""
        return self._behaviour

    @behaviour.setter
    def behaviour(self, behaviour: Behaviour) -> None:
        self._behaviour = behaviour
        self._controller.start_counting()
        self._wake.set()

    @property
    def executed(self) -> tuple[Execution, ...]:
        """Commands carried out, in order; a repeated arrival is only counted."""
        done = (each for each in self._controller.record if not each.pending)
        return tuple(each for each in done if each.error is None)

    @property
    def refused(self) -> tuple[Execution, ...]:
        """Commands answered with an error, in order."""
        return tuple(each for each in self._controller.record if each.error is not None)

    @property
    def pending(self) -> tuple[Execution, ...]:
        """Commands accepted but not carried out yet."""
        return tuple(each for each in self._controller.record if each.pending)

    @property
    def received(self) -> tuple[Reception, ...]:
        """Every command that arrived, also ignored ones."""
        return tuple(self._controller.received)

    @property
    def relay(self) -> bool | None:
        """Whether the relay is on; None without a relay."""
        return self._device.relay

    @property
    def led(self) -> Led:
        """What the LED shows when it does not blink."""
        return self._device.led

    @property
    def identified(self) -> int:
        """How often it was told to identify itself."""
        return self._controller.identified

    @property
    def identifying(self) -> bool:
        """Whether the LED blinks now."""
        return self._controller.identifying

    @property
    def settings(self) -> Mapping[str, object]:
        """Everything that config commands have set."""
        return dict(self._device.settings)

    @property
    def firmware(self) -> str:
        """The version that runs."""
        return self._device.firmware

    @property
    def uptime(self) -> int:
        """Whole seconds since the last boot."""
        return self._reports.uptime

    @property
    def update(self) -> Update | None:
        """The installation that is under way."""
        return self._controller.update

    @property
    def available(self) -> Available | None:
        """The newer firmware that it announces."""
        return self._reports.available

    async def send_telemetry(self, values: Mapping[str, object] | None = None) -> None:
        """Send these values by metric, else the readings; see `Reports.telemetry`."""
        self._send_telemetry(values)
        # Sending in a loop must leave time for the socket and for commands.
        await asyncio.sleep(0)

    def press(self, *, on: bool | None = None) -> None:
        """Use the button on the device: switch the relay, or toggle it."""
        if self.relay is None:
            raise ValueError(f"{self.config.client_id} has no relay")
        self._device.relay = not self.relay if on is None else on
        self._note("pressed", relay=self._device.relay)
        self._send_relay()

    def show(self, led: Led) -> None:
        """Change the LED as its own firmware might."""
        if not self.config.has_led:
            raise ValueError(f"{self.config.client_id} has no LED")
        self._device.led = led
        self._note("led", **led.as_json())
        self._send_led()

    def offer(self, available: Available | None) -> None:
        """Know of newer firmware, or of none any more, and announce it."""
        if self.config.info is None:
            raise ValueError(f"{self.config.client_id} announces nothing")
        self._reports.available = available
        self._note("offer", version=None if available is None else available.version)
        self._try_publish("status/info", self._reports.info())

    def _ways(self) -> Ways:
        return Ways(
            behaviour=lambda: self._behaviour,
            online=lambda: self.online,
            publish=self._try_publish,
            relay_changed=self._send_relay,
            led_changed=self._send_led,
            note=self._note,
            reboot=lambda reason: self._reboot(End.STOPPED, reason),
            crash=lambda: self._reboot(End.DEAD),
        )

    @override
    def _booted(self) -> None:
        self._reports.boot()

    @override
    def _leaving(self) -> None:
        self._controller.leaving()

    @override
    async def _left(self) -> None:
        await self._controller.left()

    @property
    @override
    def _nap(self) -> float:
        return self._behaviour.sleepy

    @override
    def _duties(self) -> Duties:
        interval = self.config.interval or math.inf
        # Many nodes started together must not send together for ever.
        first = interval * self._rng.uniform(0.01, 1)
        awake = self.config.awake
        return Duties(
            greetings=self._reports.greetings,
            came_online=self._came_online,
            command=lambda message: self._controller.take(message, running=self._running),
            chores=(
                Chore(RSSI_INTERVAL, RSSI_INTERVAL, self._send_rssi),
                Chore(interval, first, self._send_telemetry),
                Chore(awake, awake, self._doze),
            ),
        )

    def _came_online(self) -> None:
        self.connections += 1
        self.online = True
        self._note("connected")
        if self._nap and self.config.interval is not None:
            self._send_telemetry()
        self._controller.came_online()

    def _doze(self) -> None:
        if self._nap and not self._controller.busy:
            self._fall_asleep()

    def _send_relay(self) -> None:
        if self.relay is not None:
            self._try_publish("status/relay", self._reports.relay())

    def _send_led(self) -> None:
        if self.config.led_reported:
            self._try_publish("status/led", self._reports.led())

    def _send_rssi(self) -> None:
        self.publish("status/rssi", self._reports.rssi())

    def _send_telemetry(self, values: Mapping[str, object] | None = None) -> None:
        if values is None:
            values = self._reports.readings()
        for metric, value in values.items():
            payload = self._reports.telemetry(metric, value)
            if self._behaviour.malformed:
                payload = self._reports.malformed()
            self.publish(f"telemetry/{metric}", payload)

    def _try_publish(self, leaf: str, payload: Payload) -> None:
        with suppress(NotConnected):
            self.publish(leaf, payload)
