"""A plain Home Assistant in a process of its own, so that it can be killed.

As a program it sets up the households that its second argument describes, in the folder
of its first; it reads actions from its input and tells events, one JSON object a line.
"""

import asyncio
from collections.abc import Callable, Iterable
import json
from pathlib import Path
import signal
import sys
from types import MappingProxyType
from typing import Any

from demo.home_assistant import _http
from tests.broker import free_port

_WITHIN = 180.0  # it starts in five seconds on a machine that has nothing else to do
_REPOSITORY = Path(__file__).parents[2]
_MODULE = "tests.integration.plain_home_assistant"


class PlainHomeAssistant:
    """Started by a test; `told` is all that the program said."""

    def __init__(self, folder: Path, households: Iterable[dict[str, Any]]) -> None:
        self.told: list[dict[str, Any]] = []
        self._folder = folder
        self._households = list(households)
        self._changed = asyncio.Event()
        self._process: asyncio.subprocess.Process | None = None
        self._listener: asyncio.Task[None] | None = None

    @property
    def events(self) -> list[dict[str, Any]]:
        """The outcomes of commands, as they were told on its bus."""
        return [each["event"] for each in self.told if "event" in each]

    @property
    def results(self) -> list[dict[str, Any]]:
        """What the callers of actions got."""
        return [each["result"] for each in self.told if "result" in each]

    def stored(self, home_id: str) -> list[dict[str, Any]]:
        """The commands of a household that are on disk."""
        try:
            content = json.loads(self.outbox(home_id).read_bytes())
        except FileNotFoundError:
            return []
        commands: list[dict[str, Any]] = content["commands"]
        return commands

    def outbox(self, home_id: str) -> Path:
        return self._folder / ".storage" / f"homesync.outbox.entry_{home_id}"

    async def start(self) -> None:
        """Return when it runs."""
        storage = self._folder / ".storage"
        storage.mkdir(exist_ok=True)
        (storage / "http").write_text(json.dumps(_http(free_port())))
        arguments = (str(self._folder), json.dumps(self._households))
        with (self._folder / "stderr.log").open("ab") as log:
            self._process = await asyncio.create_subprocess_exec(
                sys.executable,
                "-m",
                _MODULE,
                *arguments,
                cwd=_REPOSITORY,
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                stderr=log,
            )
        runs = sum("ready" in each for each in self.told)
        self._listener = asyncio.create_task(self._listen(self._process))
        await self.until(lambda: sum("ready" in each for each in self.told) > runs)

    def act(self, **order: Any) -> None:
        """Have it call `homesync.send_command` for `node_id` of `home_id`."""
        assert self._process is not None
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(order).encode() + b"\n")

    def freeze(self) -> None:
        assert self._process is not None
        self._process.send_signal(signal.SIGSTOP)

    async def kill(self) -> None:
        await self._end(signal.SIGKILL)

    async def stop(self) -> None:
        """End it as a service would."""
        await self._end(signal.SIGTERM)

    async def until(self, condition: Callable[[], object]) -> None:
        """Return when `condition` holds; it is looked at often, and after each line."""
        async with asyncio.timeout(_WITHIN):
            while not condition():
                assert self._process is None or self._process.returncode is None, "it ended"
                self._changed.clear()
                try:
                    async with asyncio.timeout(0.02):
                        await self._changed.wait()
                except TimeoutError:
                    continue

    async def _listen(self, process: asyncio.subprocess.Process) -> None:
        assert process.stdout is not None
        async for line in process.stdout:
            self.told.append(json.loads(line))
            self._changed.set()

    async def _end(self, how: signal.Signals) -> None:
        process, self._process = self._process, None
        if process is None:
            return
        if process.returncode is None:
            process.send_signal(how)
        async with asyncio.timeout(_WITHIN):
            await process.wait()
        assert self._listener is not None
        await self._listener


async def _main(folder: str, households: list[dict[str, Any]]) -> None:
    # In the program only: tests have imported and patched these long since.
    from homeassistant import auth, bootstrap, loader  # noqa: PLC0415 - in the process alone
    from homeassistant.config_entries import SOURCE_USER, ConfigEntries, ConfigEntry  # noqa: PLC0415 - in the process alone
    from homeassistant.core import Event, HomeAssistant, callback  # noqa: PLC0415 - in the process alone
    from homeassistant.setup import async_setup_component  # noqa: PLC0415 - in the process alone

    hass = HomeAssistant(folder)
    loader.async_setup(hass)
    hass.config.skip_pip = True
    hass.config_entries = ConfigEntries(hass, {})
    await bootstrap.async_load_base_functionality(hass)
    hass.auth = await auth.auth_manager_from_config(hass, [], [])

    @callback
    def tell(event: Event[dict[str, Any]]) -> None:
        _say({"event": dict(event.data)})

    hass.bus.async_listen("homesync_command", tell)
    await async_setup_component(hass, "homeassistant", {})
    await async_setup_component(hass, "homesync", {})
    for each in households:
        if hass.config_entries.async_get_entry(f"entry_{each['home_id']}") is None:
            entry = ConfigEntry(
                data=MappingProxyType({"tls": False, "prefix": "homesync", **each}),
                discovery_keys=MappingProxyType({}),
                domain="homesync",
                entry_id=f"entry_{each['home_id']}",
                minor_version=1,
                options={},
                source=SOURCE_USER,
                subentries_data=(),
                title=each["home_id"],
                unique_id=each["home_id"],
                version=1,
            )
            await hass.config_entries.async_add(entry)
    await hass.async_start()
    loop = asyncio.get_running_loop()
    stopped = asyncio.Event()
    loop.add_signal_handler(signal.SIGTERM, stopped.set)
    orders = asyncio.StreamReader()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(orders), sys.stdin)
    obeying = asyncio.create_task(_obey(hass, orders))
    _say({"ready": True})
    await stopped.wait()
    await hass.async_stop()
    obeying.cancel()


async def _obey(hass: Any, orders: asyncio.StreamReader) -> None:
    """Carry each order out, beside the others."""
    from homeassistant.helpers import device_registry as dr  # noqa: PLC0415 - in the process alone

    async def send(home_id: str, node_id: str, **data: Any) -> None:
        device = dr.async_get(hass).async_get_or_create(
            config_entry_id=f"entry_{home_id}",
            identifiers={("homesync", f"entry_{home_id}/{node_id}")},
        )
        response = await hass.services.async_call(
            "homesync",
            "send_command",
            {"device_id": device.id, **data},
            blocking=True,
            return_response=True,
        )
        _say({"result": response["results"][0]})

    async with asyncio.TaskGroup() as group:
        async for line in orders:
            group.create_task(send(**json.loads(line)))


def _say(what: dict[str, Any]) -> None:
    sys.stdout.write(json.dumps(what) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    asyncio.run(_main(sys.argv[1], json.loads(sys.argv[2])))
