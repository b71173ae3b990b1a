"""The Home Assistant process that is measured; the driver asks, it answers."""

import asyncio
from collections import Counter
from contextlib import suppress
import cProfile
from importlib.metadata import version
from pathlib import Path
import pstats
import sys
import time
from typing import Any

from homeassistant import runner
from homeassistant.const import __version__ as ha_version

from benchmarks.channel import ROOT, private_output, serve_async
from benchmarks.inside import bare_switch, house, probes
from benchmarks.inside.sides import Core, HomeSync, Side, until
from benchmarks.kept import entities as kept_entities
from benchmarks.load import build
from benchmarks.plant import Plant

_VERSIONS = {
    "Home Assistant": ha_version,
    "paho-mqtt": version("paho-mqtt"),
    "Python": sys.version.split()[0],
}


class Worker:
    """Answers the driver's questions."""

    def __init__(self, side: Side, token: str, port: int, lag: probes.Lag | None) -> None:
        self._side = side
        self._hass = side.hass
        self._token = token
        self._port = port
        self._known: list[str] = []
        self._changes: probes.Changes | None = None
        self._lag = lag
        self._arrived: list[list[int]] = []
        self._bare = ""
        self._profile = cProfile.Profile()

    async def about(self) -> dict[str, str]:
        """Versions, and how a browser comes in."""
        return {
            **_VERSIONS,
            "token": self._token,
            "url": f"http://127.0.0.1:{self._port}",
        }

    async def add(self, homes: list[str], port: int, ca: str | None = None) -> None:
        """Set the integration up."""
        await self._side.add(homes, port, ca)

    async def entities(self, plant: dict[str, Any], within: float) -> dict[str, Any]:
        """Wait until the plant's entities are there with their states."""
        wanted, states = Plant.of(plant), self._hass.states
        before, kinds = states.async_entity_ids_count(), Counter(e[0] for e in wanted.entities())
        # Cheap to ask while it works.
        await until(lambda: states.async_entity_ids_count(kinds) >= kinds.total(), within)
        found: list[str] = []

        def complete() -> bool:
            ids = self._side.entity_ids(wanted)
            found[:] = [each for each in ids if each is not None and states.get(each) is not None]
            return len(found) == len(ids)

        await until(complete, within)
        done = time.monotonic_ns()
        self._known = found[: wanted.size]
        return {"done": done, "added": states.async_entity_ids_count() - before}

    async def kept(self, plant: dict[str, Any], within: float) -> dict[str, int]:
        """Wait until all that the plant's nodes keep with the broker is shown."""
        waiting = list(kept_entities(Plant.of(plant)))

        def shown() -> bool:
            while waiting and self._shows(*waiting[-1]):
                waiting.pop()
            return not waiting

        await until(shown, within)
        return {"done": time.monotonic_ns(), "all": len(self._hass.states.async_entity_ids())}

    async def settle(self, plant: dict[str, Any], last_round: int, within: float) -> dict[str, Any]:
        """Wait until the newest value of every sensor is shown."""
        return await probes.settle(self._hass, self._known, Plant.of(plant), last_round, within)

    async def watch(self) -> None:
        """Take down every change of a known sensor."""
        self._changes = probes.Changes(self._hass, self._known)

    async def changes(self) -> list[list[tuple[int, str]]]:
        """Return what was taken down, by sensor, and stop."""
        if self._changes is None:
            raise RuntimeError("nothing was watched")
        self._changes.stop()
        return [self._changes.seen[each] for each in self._known]

    async def watch_lag(self) -> None:
        """Begin to measure how late the loop is."""
        self._lag = probes.Lag()

    async def lag(self) -> dict[str, float]:
        """Return how late it was, and stop."""
        if self._lag is None:
            raise RuntimeError("lag was not watched")
        return await self._lag.stop()

    async def memory(self) -> float:
        """Resident memory in MB."""
        return probes.memory()

    async def cpu(self) -> float:
        """CPU time until now, in seconds."""
        return time.process_time()

    async def command(self, home: str, node: str, times: int) -> list[float]:
        """Switch a relay on and off; return the seconds until its state is as wanted."""
        relay = ""

        def known() -> bool:
            nonlocal relay
            relay = self._side.entity_id("switch", home, node, "status/relay") or ""
            return bool(relay) and self._hass.states.get(relay) is not None

        await until(known, 20)
        return await self._command(relay, times)

    async def add_bare_switch(self, port: int) -> None:
        """Add a switch that has nothing but a paho client behind it."""
        self._bare = await bare_switch.add(self._hass, port)

    async def bare_command(self, times: int) -> list[float]:
        """Switch that one on and off; return the seconds as `command` does."""
        return await self._command(self._bare, times)

    async def remove_bare_switch(self) -> None:
        """Take it away again."""
        await bare_switch.remove(self._hass)

    async def connected(self) -> None:
        """Wait until all households are connected."""
        await until(lambda: all(self._households.connected), 60)

    async def watch_connections(self) -> None:
        """Take down when each household connects from now on."""
        self._arrived = [[] for _ in self._households.households]
        for household, arrived in zip(self._households.households, self._arrived, strict=True):

            def note(state: Any, arrived: list[int] = arrived) -> None:
                if state.value == "connected" and not arrived:
                    arrived.append(time.monotonic_ns())

            household.link.add_listener(note)

    async def connections(self, within: float) -> list[int]:
        """Return when each household connected, as far as they did."""
        with suppress(TimeoutError):
            await until(lambda: all(self._arrived), within)
        return [arrived[0] for arrived in self._arrived if arrived]

    async def counts(self) -> dict[str, int]:
        """What HomeSync counted in its first household."""
        counts: dict[str, int] = self._households.households[0].counts
        return counts

    async def counting_cost(self, plant: dict[str, Any], messages: int) -> float:
        """Microseconds a message for which HomeSync's first household counts."""
        household = self._households.households[0]
        packets = build(Plant.of(plant), 0, messages, 0.0)
        return probes.counting_cost(household, packets)

    async def write_cost(self) -> dict[str, float]:
        """What a changed value costs in an entity and in Home Assistant."""
        return await probes.write_cost(self._hass, self._known)

    async def profile(self, on: bool, path: str = "") -> None:
        """Begin or end to profile; the result goes to a file."""
        if on:
            self._profile.enable()
            return
        self._profile.disable()
        await asyncio.to_thread(_write_profile, self._profile, path)

    @property
    def _households(self) -> HomeSync:
        if not isinstance(self._side, HomeSync):
            raise TypeError("core has no households")
        return self._side

    def _shows(self, kind: str, home: str, node: str, key: str, wanted: str) -> bool:
        entity_id = self._households.entity_id(kind, home, node, key)
        state = self._hass.states.get(entity_id) if entity_id else None
        return state is not None and state.state == wanted

    async def _command(self, relay: str, times: int) -> list[float]:
        return [await self._switch(relay, on=number % 2 == 0) for number in range(times)]

    async def _switch(self, relay: str, *, on: bool) -> float:
        wanted = "on" if on else "off"
        changes = probes.Changes(self._hass, [relay])
        begin = time.monotonic_ns()
        await self._hass.services.async_call(
            "switch", f"turn_{wanted}", {"entity_id": relay}, blocking=True
        )
        seen = changes.seen[relay]
        deadline = time.monotonic() + 5
        while not seen and time.monotonic() < deadline:  # noqa: ASYNC110  # to see it at once
            await asyncio.sleep(0)
        end = max(time.monotonic_ns(), seen[0][0])
        changes.stop()
        if seen[-1][1] != wanted:
            raise RuntimeError(f"{relay} is {seen[-1][1]}, not {wanted}")
        return (end - begin) / 1e9


def _write_profile(profile: cProfile.Profile, path: str) -> None:
    with Path(path).open("w") as output:
        pstats.Stats(profile, stream=output).sort_stats("tottime").print_stats(60)


async def _run(side: str, folder: Path, port: int) -> None:
    output = private_output()
    # A start with what was set up before is a measurement itself.
    lag = None if house.prepare(folder, ROOT, port) else probes.Lag()
    hass = await house.start(folder)
    sides: dict[str, type[Side]] = {"homesync": HomeSync, "core": Core}
    worker = Worker(sides[side](hass), await house.make_token(hass), port, lag)
    names = [name for name in vars(Worker) if not name.startswith("_")]
    try:
        await serve_async({name: getattr(worker, name) for name in names}, output)
    finally:
        await hass.async_stop(force=True)


def main() -> None:
    """Run until the driver is done: benchmarks.inside SIDE FOLDER PORT."""
    loop = runner.create_event_loop()
    asyncio.set_event_loop(loop)
    loop.run_until_complete(_run(sys.argv[1], Path(sys.argv[2]), int(sys.argv[3])))


if __name__ == "__main__":
    main()
