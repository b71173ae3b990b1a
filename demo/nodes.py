"""The simulated nodes of one household, through scripts/simulate."""

import asyncio
from contextlib import suppress
import json
from pathlib import Path
from typing import Any, Self

from .errors import DemoError
from .ports import LOOPBACK
from .processes import Child, Processes

OWN_COMMAND = "melody"

_STARTED_WITHIN = 30.0
_REPLY_WITHIN = 20.0


class Nodes:
    """One simulator process; its lines are read all the time, replies come in order."""

    def __init__(self, home_id: str, child: Child) -> None:
        self.home_id = home_id
        stdin, stdout = child.process.stdin, child.process.stdout
        if stdin is None or stdout is None:
            raise ValueError("the simulator was not started with pipes")
        self._stdin, self._stdout, self._log = stdin, stdout, child.log
        self._ready = asyncio.Event()
        self._replies: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        self._reading = asyncio.create_task(self._read())

    @classmethod
    async def start(
        cls,
        processes: Processes,
        root: Path,
        *,
        home_id: str,
        count: int,
        port: int,
        password: str,
        interval: float,
        firmware_ca: Path,
    ) -> Self:
        """Return when all nodes are online."""
        arguments = ["--json", "--control", "--host", LOOPBACK, "--port", str(port)]
        arguments += ["--user", home_id, "--household", f"{home_id}={count}"]
        arguments += ["--interval", str(interval), "--firmware-ca", str(firmware_ca)]
        arguments += ["--own-command", OWN_COMMAND]
        child = await processes.start(
            f"nodes-{home_id}",
            [root / "scripts" / "simulate", *arguments],
            cwd=root,
            env={"HOMESYNC_SIM_PASSWORD": password},
            piped=True,
        )
        nodes = cls(home_id, child)
        try:
            async with asyncio.timeout(_STARTED_WITHIN):
                await nodes._ready.wait()
        except TimeoutError:
            raise DemoError(f"the nodes of {home_id} did not all come online") from None
        return nodes

    async def profiles(self) -> dict[str, str]:
        """Give by node id what appliance it plays, such as `washing_machine`."""
        reply = await self.say("nodes")
        return {node["node"]: node["profile"] for node in reply["nodes"]}

    async def executed(self, node_id: str) -> list[dict[str, Any]]:
        """Give the node's own record of the commands it carried out."""
        reply = await self.on_node("executed", node_id)
        record: list[dict[str, Any]] = reply["executed"]
        return record

    async def state(self, node_id: str) -> dict[str, Any]:
        """Give everything about a node, as it is in truth."""
        return await self.on_node("state", node_id)

    async def on_node(self, command: str, node_id: str, *arguments: str) -> dict[str, Any]:
        """Say a line of `scripts/simulate --help` about one node."""
        return await self.say(" ".join((command, self.home_id, node_id, *arguments)))

    async def say(self, line: str) -> dict[str, Any]:
        """Send one line and return its reply."""
        self._stdin.write(line.encode() + b"\n")
        try:
            async with asyncio.timeout(_REPLY_WITHIN):
                reply = await self._replies.get()
        except TimeoutError:
            raise DemoError(f"the simulator did not answer: {line}") from None
        if not reply["ok"]:
            raise DemoError(f"the simulator refused: {line}: {reply['message']}")
        return reply

    async def _read(self) -> None:
        with self._log.open("ab") as log:
            async for line in self._stdout:
                log.write(line)
                log.flush()
                with suppress(ValueError):
                    self._take(json.loads(line))

    def _take(self, message: dict[str, Any]) -> None:
        if "reply" in message:
            self._replies.put_nowait(message)
        elif message.get("event") == "ready":
            self._ready.set()
