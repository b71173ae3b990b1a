"""What a soak runs: a broker, nodes, and a Home Assistant that may be killed."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
import json
import logging
from pathlib import Path
import shutil
from typing import Any

import aiohttp

from simulator import Broker as NodesBroker, Fleet, Node, Updates
from simulator.images import Image

from .. import households
from ..api import Api
from ..broker import Broker, start_broker
from ..errors import DemoError
from ..firmware import serve_firmware
from ..home_assistant import address, launch_home_assistant, sign_up, wait_until_answering
from ..households import HouseholdPlan
from ..ports import LOOPBACK, first_free
from ..processes import Child, Processes
from ..registry import Registry
from ..stage import ROOT
from ..state import State
from ..waiting import until
from ..watch import Watch
from .plan import OWN_COMMAND

PLANS = (
    HouseholdPlan(home_id="north", name="North", nodes=6),
    HouseholdPlan(home_id="east", name="East", nodes=5),
    HouseholdPlan(home_id="west", name="West", nodes=4),
)

_PORTS = {"broker": range(19100, 19150), "http": range(19150, 19200), "image": range(19200, 19250)}
_INTERVAL = 2.0
_IMAGE_SLOW = 0.02
_LOADED_WITHIN = 60.0
_ENTRY = "config/config_entries/entry"
_NO_LIMIT = aiohttp.ClientTimeout(total=None, sock_connect=10)

type Json = dict[str, Any]

# A node that restarts in the middle of a download is what we are here for.
logging.getLogger("aiohttp.server").setLevel(logging.CRITICAL)


@dataclass(slots=True, kw_only=True)
class House:
    """All of it; `up` while Home Assistant runs and its households are loaded."""

    processes: Processes
    state: State
    broker: Broker
    image: Image
    fleets: dict[str, Fleet]
    on_event: Callable[[Json], None]
    child: Child | None = None
    session: aiohttp.ClientSession | None = None
    up: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def api(self) -> Api:
        """Home Assistant's API; each of its processes has its own connections."""
        if self.session is None:
            raise DemoError("Home Assistant does not run")
        return Api(self.session, self.state.token)

    def nodes(self) -> Iterator[Node]:
        """Give all nodes."""
        for fleet in self.fleets.values():
            yield from fleet

    def node(self, home_id: str, node_id: str) -> Node:
        """Give one of them."""
        return self.fleets[home_id][home_id, node_id]

    async def start_home_assistant(self) -> None:
        """Return when all households are loaded; events are watched from the first moment."""
        folder, port = self.state.folder / "home-assistant", self.state.port
        source = self.state.folder / "source"
        self.child = await launch_home_assistant(self.processes, source, folder, port)
        watching = asyncio.create_task(self._watch(self.child)) if self.state.token else None
        base = address(port)
        await wait_until_answering(base)
        await sign_up(base, self.state)
        connector = aiohttp.TCPConnector(limit=0)
        self.session = aiohttp.ClientSession(base, timeout=_NO_LIMIT, connector=connector)
        if watching is None:
            asyncio.create_task(self._watch(self.child))  # noqa: RUF006  # ends with the process
        await until(self._runs, "Home Assistant has started", _LOADED_WITHIN)
        await households.add_missing(self.api, self.state, PLANS)
        await households.allow_firmware(self.api, self.state, parallel_updates=10)
        await until(self.loaded, "all households are loaded", _LOADED_WITHIN)
        self.up.set()

    async def kill_home_assistant(self) -> dict[str, Json]:
        """SIGKILL it; return the queued commands that are on disk, by request id."""
        self.up.clear()
        if self.child is not None:
            await self.child.kill()
        if self.session is not None:
            await self.session.close()
        return dict(_resting(self.state))

    async def loaded(self) -> bool:
        """Whether all config entries are set up."""
        found = await households.states(self.api, self.state)
        return set(found.values()) == {"loaded"}

    async def registry(self) -> Registry:
        """Give the entities that there are now."""
        return await Registry.load(self.api, self.state)

    async def _runs(self) -> bool:
        return bool((await self.api.call("get_config"))["state"] == "RUNNING")

    async def _watch(self, child: Child) -> None:
        """Watch for as long as this process of Home Assistant lives."""
        async with aiohttp.ClientSession(address(self.state.port), timeout=_NO_LIMIT) as session:
            watch = Watch(session, self.state.token, self.on_event)
            while child.process.returncode is None:
                with suppress(aiohttp.ClientError, OSError, TypeError):
                    await watch.run("homesync_command")
                await asyncio.sleep(0.01)


@asynccontextmanager
async def run_house(
    folder: Path, processes: Processes, seed: int, on_event: Callable[[Json], None]
) -> AsyncIterator[House]:
    """Start all; nodes and sessions end here, processes are the caller's to stop."""
    state = State.load(folder)
    # A copy: whoever works on the integration meanwhile must not change what is tried.
    copy = Path("custom_components") / "homesync"
    shutil.copytree(ROOT / copy, folder / "source" / copy)
    state.broker_port, state.port, state.firmware_port = (first_free(_PORTS[n]) for n in _PORTS)
    passwords = {plan.home_id: state.broker_password(plan.home_id) for plan in PLANS}
    broker = await start_broker(processes, folder / "broker", state.broker_port, passwords)
    async with serve_firmware(folder / "firmware", state.firmware_port, _IMAGE_SLOW) as served:
        image, authority = served
        fleets = {
            plan.home_id: _fleet(plan, state.broker_port, passwords, authority, seed)
            for plan in PLANS
        }
        house = House(
            processes=processes,
            state=state,
            broker=broker,
            image=image,
            fleets=fleets,
            on_event=on_event,
        )
        try:
            await asyncio.gather(*(fleet.start() for fleet in fleets.values()))
            await house.start_home_assistant()
            yield house
        finally:
            await asyncio.gather(*(fleet.stop() for fleet in fleets.values()))
            if house.session is not None:
                await house.session.close()


def _fleet(
    plan: HouseholdPlan, port: int, passwords: Mapping[str, str], authority: Path, seed: int
) -> Fleet:
    broker = NodesBroker(
        host=LOOPBACK, port=port, username=plan.home_id, password=passwords[plan.home_id]
    )
    return Fleet.build(
        broker,
        {plan.home_id: plan.nodes},
        interval=_INTERVAL,
        seed=seed,
        updates=Updates(ca=authority),
        own_commands={OWN_COMMAND: None},
    )


def _resting(state: State) -> Iterator[tuple[str, Json]]:
    for entry in state.entries.values():
        path = state.folder / "home-assistant" / ".storage" / f"homesync.outbox.{entry}"
        with suppress(FileNotFoundError):
            for record in _records(json.loads(path.read_text())):
                yield record["request_id"], record


def _records(document: Any) -> list[Json]:
    records: list[Json] = document["commands"]
    return records
