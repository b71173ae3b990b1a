"""A broker, its load generators, and the Home Assistants that listen to it."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
import shutil
import tempfile
import time
from typing import Any, Self

from .broker import Broker, free_port
from .channel import Program
from .errors import BenchError
from .figures import match_latencies
from .plant import Plant

_SETTLE_WITHIN = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Burst:
    """A burst: seconds from its first byte to the last right state, CPU seconds, wrong values."""

    begin: int
    done: int
    messages: int
    cpu: float
    wrong: int

    @property
    def rate(self) -> float:
        """Messages a second."""
        return self.messages / ((self.done - self.begin) / 1e9)

    @property
    def cost(self) -> float:
        """CPU of the Home Assistant process in microseconds a message."""
        return self.cpu / self.messages * 1e6


@dataclass(frozen=True, slots=True, kw_only=True)
class Steady:
    """A steady load: microseconds of CPU a message, seconds of latency, messages without one."""

    cost: float
    latencies: list[float]
    missing: int


class Site:
    """All of one measurement's programs; they end with it."""

    def __init__(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="homesync-bench-"))
        self.broker = Broker(self.folder)
        self.programs: list[Program] = []
        self.houses: dict[str, House] = {}
        self.load = self.start("load")

    def __enter__(self) -> Self:
        try:
            self.open()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def open(self) -> None:
        """Start broker and load; `close` ends them, also after a failure."""
        self.broker.start()
        self.load.ask("connect", port=self.broker.port)

    def start(self, module: str, *arguments: str) -> Program:
        """Start one of our programs."""
        log = self.folder / f"{len(self.programs)}-{module}.log"
        self.programs.append(Program.start(module, log, *arguments))
        return self.programs[-1]

    def close(self) -> None:
        """End everything."""
        for program in self.programs:
            program.stop()
        self.broker.stop()
        shutil.rmtree(self.folder, ignore_errors=True)

    def house(self, side: str, plant: Plant) -> House:
        """Start a Home Assistant with nothing in it yet; `House.ready` waits for it."""
        folder = self.folder / f"{len(self.programs)}-{side}"
        house = House(self, side, plant, (side, str(folder), str(free_port())))
        self.houses[side] = house
        return house


class House:
    """One Home Assistant process with HomeSync or core's `mqtt` in it."""

    def __init__(self, site: Site, side: str, plant: Plant, arguments: tuple[str, ...]) -> None:
        self.side = side
        self.plant = plant
        self.program = site.start("inside", *arguments)
        self.about: dict[str, str] = {}
        self._arguments = arguments
        self._site = site
        self._round = 0

    @property
    def _plant(self) -> dict[str, Any]:
        return self.plant.to_dict()

    def ready(self, port: int | None = None, ca: str | None = None) -> None:
        """Wait until Home Assistant runs, then connect to the site's broker or to another."""
        self.started()
        self.add(*self.plant.homes, port=port, ca=ca)

    def started(self) -> None:
        """Wait until Home Assistant runs."""
        self.about = self.program.ask("about", timeout=120)

    def add(self, *homes: str, port: int | None = None, ca: str | None = None) -> None:
        """Set the integration up and wait until it is connected."""
        port = port or self._site.broker.port
        self.program.ask("add", homes=homes, port=port, ca=ca, timeout=120)

    def again(self) -> None:
        """End this Home Assistant, start it anew in the same folder, wait for its households."""
        self.program.finish()
        self.program = self._site.start("inside", *self._arguments)
        self.started()
        self.program.ask("connected")

    def make(self, relays: int = 0) -> None:
        """Set everything up and wait until every sensor shows what is sent."""
        self.ready()
        self.populate(relays)
        self.fill()

    def grow(self, nodes: int) -> None:
        """See that there are so many nodes in each household."""
        if self.plant.nodes < nodes:
            self.plant = Plant(self.plant.homes, nodes)
            self.populate()
            self.fill()

    def populate(self, relays: int = 0) -> tuple[float, int]:
        """Have all entities made; return the seconds that took and how many were added."""
        load = self._site.load
        if self.side == "core":
            load.ask("prepare_discovery", plant=self._plant, relays=relays)
        else:
            self._prepare(1)
        self.program.tell("entities", plant=self._plant, within=180)
        begin = load.ask("online", plant=self._plant)["begin"]
        load.ask("burst")
        answer = self.program.answer(200)
        return (answer["done"] - begin) / 1e9, answer["added"]

    def fill(self) -> None:
        """Send rounds until every sensor shows the newest: core subscribes a while later."""
        give_up = time.monotonic() + _SETTLE_WITHIN
        while time.monotonic() < give_up:
            if not self.burst(self.plant.size, within=2 + self.plant.size / 3000).wrong:
                return
        raise BenchError(f"{self.side} does not show what is sent")

    def burst(self, messages: int, within: float = _SETTLE_WITHIN) -> Burst:
        """Send messages at full speed and wait until the newest of each sensor is shown."""
        rounds = self._prepare(max(1, round(messages / self.plant.size)))
        self.program.tell("settle", plant=self._plant, last_round=self._round - 1, within=within)
        # It listens when the load begins; the figure is its CPU from then on.
        time.sleep(0.05)
        begin = self._site.load.ask("burst")["begin"]
        answer = self.program.answer(within + 10)
        return Burst(
            begin=begin,
            done=answer["done"],
            messages=rounds * self.plant.size,
            cpu=answer["cpu"],
            wrong=answer["wrong"],
        )

    def steady(self, rate: float, seconds: float) -> Steady:
        """Send messages at a rate, every one a new state."""
        rounds = self._prepare(max(1, round(rate * seconds / self.plant.size)), seconds)
        self.program.ask("watch")
        before = self.program.ask("cpu")
        sent = self._site.load.ask("pace", rate=rate)["sent"]
        time.sleep(0.3)
        cpu = self.program.ask("cpu") - before
        latencies, missing = match_latencies(sent, self.program.ask("changes"))
        cost = cpu / (rounds * self.plant.size) * 1e6
        return Steady(cost=cost, latencies=latencies, missing=missing)

    def counting_cost(self, messages: int) -> float:
        """Microseconds of CPU a message for which HomeSync counts."""
        answer = self.program.ask("counting_cost", plant=self._plant, messages=messages)
        return float(answer)

    def _prepare(self, rounds: int, seconds: float = 0.0) -> int:
        self._site.load.ask(
            "prepare",
            plant=self._plant,
            first_round=self._round,
            count=rounds * self.plant.size,
            seconds=seconds,
        )
        self._round += rounds
        return rounds


def pair(nodes: int, relays: int = 0) -> Site:
    """Open a site with one Home Assistant of each side and the same sensors in both."""
    site = Site()
    try:
        site.open()
        houses = [site.house("homesync", Plant(("home",), nodes))]
        houses.append(site.house("core", Plant(("core",), nodes)))
        for house in houses:
            house.make(relays)
    except BaseException:
        site.close()
        raise
    return site


def homesync(site: Site, plant: Plant) -> House:
    """Start a Home Assistant with HomeSync and all of a plant's sensors."""
    house = site.house("homesync", plant)
    house.make()
    return house


def alternate[T](runs: int, measure: Callable[[House], T], site: Site) -> dict[str, list[T]]:
    """Measure both sides in turn."""
    found: dict[str, list[T]] = {side: [] for side in site.houses}
    for _ in range(runs):
        for side, house in site.houses.items():
            found[side].append(measure(house))
    return found
