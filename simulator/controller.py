"""What a node does about commands: carry out, answer, tell what changed."""

import asyncio
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from random import Random
import time

from .answers import Answers
from .behaviour import Behaviour
from .commands import Answer, Commands, Execution, Outcome
from .config import NodeConfig, Updates
from .device import Device
from .link import Message
from .orders import Order
from .updater import Reporting, Update, Updater

_RECEPTION_LIMIT = 86_400


@dataclass(frozen=True, slots=True)
class Reception:
    """A command as it arrived; `time` is monotonic, in seconds."""

    kind: str
    payload: bytes
    retained: bool
    time: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Ways:
    """How a controller acts on its node; `publish` may be called without a connection."""

    behaviour: Callable[[], Behaviour]
    online: Callable[[], bool]
    publish: Callable[[str, Mapping[str, object]], None]
    relay_changed: Callable[[], None]
    led_changed: Callable[[], None]
    note: Callable[..., None]
    reboot: Callable[[str], None]
    crash: Callable[[], None]


@dataclass(frozen=True, slots=True)
class _Installing:
    serial: int
    order: Order


class Controller:
    """One for the node's whole life: what it remembers outlives restarts."""

    def __init__(self, config: NodeConfig, device: Device, ways: Ways, rng: Random) -> None:
        self.identified = 0
        self.identifying = False
        self.received: deque[Reception] = deque(maxlen=_RECEPTION_LIMIT)
        self._config = config
        self._device = device
        self._ways = ways
        self._commands = Commands(device, time.monotonic)
        self._answers = Answers(ways.publish, rng)
        self._arrivals = 0
        reporting = Reporting(
            progress=self._progressed, ended=self._installed, behaviour=ways.behaviour
        )
        self._updater = Updater(config.updates or Updates(), reporting)
        self._installing: _Installing | None = None
        self._restarting = False
        # Answers for good that could not be sent when they were due.
        self._owed: list[Answer] = []
        self._blinking: asyncio.TimerHandle | None = None

    @property
    def record(self) -> tuple[Execution, ...]:
        """All commands that could be read, in order."""
        return self._commands.record

    @property
    def update(self) -> Update | None:
        """How far the installation is that is under way."""
        return self._updater.update

    @property
    def busy(self) -> bool:
        """Whether something is under way, or a command came just now."""
        if self._device.updating or self._answers.some_late or self.identifying:
            return True
        last = self.received[-1].time if self.received else float("-inf")
        return time.monotonic() - last < self._config.awake

    def start_counting(self) -> None:
        """Make the next command the first for behaviours that count."""
        self._arrivals = 0
        self._answers.start_counting()

    def came_online(self) -> None:
        """Say what could not be said before."""
        if self._restarting and self._installing is not None:
            self._restarting = False
            self._settle(result=self._installing.order.version)
        self._pay()

    def leaving(self) -> None:
        """Give up everything that does not outlive the power."""
        if self._updater.interrupt():
            self._settle(error="interrupted")
        self._answers.cancel_late()
        if self._blinking is not None:
            self._stop_blinking()

    async def left(self) -> None:
        """Return when nothing runs any more."""
        await self._updater.wait_ended()

    def take(self, message: Message, *, running: bool) -> None:
        """Handle one arrival of a command."""
        kind = message.topic.removeprefix(self._config.topic("command/"))
        now = time.monotonic()
        self.received.append(Reception(kind, message.payload, message.retain, now))
        behaviour = self._ways.behaviour()
        if message.retain or behaviour.deaf or not running:
            self._ways.note("command ignored", kind=kind, retained=message.retain)
            return
        self._arrivals += 1
        crash = self._arrivals == behaviour.reboot_on
        if crash and behaviour.reboot_before:
            self._crash()
            return
        outcome = self._commands.receive(kind, message.payload, reject=behaviour.reject)
        if outcome is None:
            self._ways.note("command not understood", kind=kind)
        elif crash:
            self._carry_on(outcome)
        else:
            self._respond(outcome, behaviour)
        if crash:
            self._crash()

    def _respond(self, outcome: Outcome, behaviour: Behaviour) -> None:
        then = self._restart if outcome.carried_out("restart") else None
        self._answers.give(outcome, behaviour, then)
        if outcome.relay_changed:
            self._ways.relay_changed()
        if outcome.led_changed:
            self._ways.led_changed()
        self._carry_on(outcome)
        self._ways.note(f"command {outcome.what}", **outcome.execution.as_json())

    def _carry_on(self, outcome: Outcome) -> None:
        """Begin what takes longer than the command."""
        if outcome.order is not None:
            self._installing = _Installing(outcome.serial, outcome.order)
            self._updater.begin(outcome.order)
        if outcome.carried_out("led", "identify"):
            self._blink()
        elif outcome.led_changed and self._blinking is not None:
            self._stop_blinking()

    def _restart(self) -> None:
        self._ways.reboot("restart")

    def _crash(self) -> None:
        self._ways.note("crashed")
        self._ways.crash()

    def _blink(self) -> None:
        if self._blinking is not None:
            self._blinking.cancel()
        self.identified += 1
        self.identifying = True
        loop = asyncio.get_running_loop()
        self._blinking = loop.call_later(self._config.identify_seconds, self._stop_blinking)

    def _stop_blinking(self) -> None:
        if self._blinking is not None:
            self._blinking.cancel()
        self._blinking = None
        self.identifying = False
        self._ways.note("blinked", state=self._device.led.state)

    def _progressed(self, update: Update) -> None:
        self._ways.note("update", stage=update.stage, percentage=update.percentage)
        if self._installing is None:
            return
        fields: dict[str, object] = {"stage": update.stage}
        if update.percentage is not None:
            fields["percentage"] = update.percentage
        answer = self._commands.progress(self._installing.serial, **fields)
        if answer is not None:
            self._answers.tell(answer, self._ways.behaviour())

    def _installed(self, failure: str | None) -> None:
        if self._installing is None:
            return
        if failure is None:
            self._device.firmware = self._installing.order.version
            self._restarting = True
            self._ways.reboot("update")
        else:
            self._settle(error=failure)

    def _settle(self, *, result: str | None = None, error: str | None = None) -> None:
        if self._installing is None:
            return
        serial, self._installing = self._installing.serial, None
        self._device.updating = False
        answer = self._commands.settle(serial, result=result, error=error)
        if answer is not None:
            self._owed.append(answer)
        self._ways.note("update failed" if error else "updated", result=result, error=error)
        self._pay()

    def _pay(self) -> None:
        if self._ways.online():
            owed, self._owed = self._owed, []
            for answer in owed:
                self._answers.conclude(answer, self._ways.behaviour())
