"""Everything running together: broker, nodes, Home Assistant with both households."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
import time

from simulator.images import Image

from . import dashboard, firmware, households
from .api import Api, open_api
from .broker import Broker, start_broker
from .errors import DemoError
from .home_assistant import USER, sign_up, start_home_assistant
from .households import PLANS
from .nodes import Nodes
from .ports import first_free, is_free
from .processes import Processes
from .registry import Registry
from .state import State
from .waiting import until

ROOT = Path(__file__).resolve().parent.parent
PARTS = ("relay", "online", "led", "firmware", "identify", "restart")
SENSORS = ("power", "voltage", "current", "energy", "power_factor", "frequency", "rssi")

_BROKER_PORTS = range(18830, 18930)
_FIRMWARE_PORTS = range(19000, 19060)
_LOADED_WITHIN = 30.0
_KNOWN_WITHIN = 30.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """The running demo."""

    state: State
    processes: Processes
    broker: Broker
    base: str
    api: Api
    nodes: dict[str, Nodes]
    registry: Registry

    @property
    def address(self) -> str:
        """Where a person looks first."""
        return f"{self.base}/{dashboard.URL_PATH}"

    @property
    def login(self) -> tuple[str, str]:
        """User name and password."""
        return USER, self.state.password


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """How to run it; Home Assistant takes the port it had, else the first free of `ports`.

    `interval` seconds lie between two readings of a node; the dashboard shows the last `minutes`.
    """

    folder: Path
    ports: Sequence[int]
    interval: float
    minutes: float


@asynccontextmanager
async def run_stage(plan: Plan, processes: Processes) -> AsyncIterator[Stage]:
    """Start what is in the folder, the first time from nothing; stopping is the caller's."""
    state = State.load(plan.folder)
    _choose_ports(state, plan.ports)
    passwords = {each.home_id: state.broker_password(each.home_id) for each in PLANS}
    state.save()
    say(f"broker on port {state.broker_port}")
    broker = await start_broker(processes, plan.folder / "broker", state.broker_port, passwords)
    async with firmware.serve_firmware(plan.folder / "firmware", state.firmware_port) as served:
        image, authority = served
        say("nodes: " + ", ".join(f"{each.nodes} in {each.name}" for each in PLANS))
        say(f"Home Assistant on port {state.port}")
        nodes, base = await _start_rest(processes, state, plan.interval, authority)
        await sign_up(base, state)
        async with open_api(base, state.token) as api:
            await _add_households(api, state)
            registry = await _wait_for_nodes(api, state)
            await _announce_firmware(nodes, image)
            await dashboard.create(api, state, registry, nodes, plan.minutes)
            yield Stage(
                state=state,
                processes=processes,
                broker=broker,
                base=base,
                api=api,
                nodes=nodes,
                registry=registry,
            )


_started = time.monotonic()


def say(text: str) -> None:
    """Tell the person what is going on, with the seconds since the start."""
    print(f"demo: {time.monotonic() - _started:5.1f} s  {text}", flush=True)


def _choose_ports(state: State, ports: Sequence[int]) -> None:
    if not state.broker_port:
        state.broker_port = first_free(_BROKER_PORTS)
    elif not is_free(state.broker_port):
        raise DemoError(
            f"port {state.broker_port}, where both households expect their broker, is taken;"
            " end the program that has it, or start anew with --fresh"
        )
    ports = [port for port in ports if port != state.broker_port] or ports
    if state.port not in ports or not is_free(state.port):
        state.port = first_free(ports)
    if not state.firmware_port or not is_free(state.firmware_port):
        state.firmware_port = first_free(_FIRMWARE_PORTS)


async def _start_rest(
    processes: Processes, state: State, interval: float, authority: Path
) -> tuple[dict[str, Nodes], str]:
    """Start nodes and Home Assistant at once; return them and its address."""
    try:
        async with asyncio.TaskGroup() as tasks:
            nodes = [
                tasks.create_task(
                    Nodes.start(
                        processes,
                        ROOT,
                        home_id=each.home_id,
                        count=each.nodes,
                        port=state.broker_port,
                        password=state.broker_password(each.home_id),
                        interval=interval,
                        firmware_ca=authority,
                    )
                )
                for each in PLANS
            ]
            folder = state.folder / "home-assistant"
            base = tasks.create_task(start_home_assistant(processes, ROOT, folder, state.port))
    except* DemoError as errors:
        raise errors.exceptions[0] from None
    return {each.result().home_id: each.result() for each in nodes}, base.result()


async def _add_households(api: Api, state: State) -> None:
    # Only now the entries that it has are set up.
    await until(lambda: _runs(api), "Home Assistant has started", 60)
    say("households: " + ", ".join(each.name for each in PLANS))
    await households.add_missing(api, state)
    await households.allow_firmware(api, state)
    found: dict[str, str] = {}

    async def loaded() -> bool:
        found.update(await households.states(api, state))
        return set(found.values()) == {"loaded"}

    await until(loaded, lambda: f"both households loaded, but {found}", _LOADED_WITHIN)


async def _wait_for_nodes(api: Api, state: State) -> Registry:
    say("waiting for the nodes to be known")

    async def known() -> Registry | None:
        registry = await Registry.load(api, state)
        complete = all(
            registry.has(plan.home_id, node_id, *PARTS, *SENSORS)
            for plan in PLANS
            for node_id in plan.node_ids
        )
        return registry if complete else None

    return await until(known, "all nodes have their entities", _KNOWN_WITHIN)


async def _announce_firmware(nodes: dict[str, Nodes], image: Image) -> None:
    for plan in PLANS:
        await firmware.announce(nodes[plan.home_id], plan.node_ids, image)


async def _runs(api: Api) -> bool:
    return bool((await api.call("get_config"))["state"] == "RUNNING")
