"""The processes that the demo starts, and their end."""

import asyncio
from asyncio.subprocess import DEVNULL, PIPE, Process
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
import os
from pathlib import Path
import shutil
import signal

from .errors import DemoError

_TAIL_LINES = 20
# Of an event or a reply; a node's record of commands is one line.
_LINE_LIMIT = 16 * 1024 * 1024


@dataclass(slots=True, kw_only=True)
class Child:
    """A started process; `grace` seconds lie between SIGTERM and SIGKILL."""

    name: str
    process: Process
    log: Path
    grace: float
    stopping: bool = False

    async def stop(self) -> None:
        """End it, however it takes it."""
        self.stopping = True
        with suppress(ProcessLookupError):
            self.process.terminate()
        try:
            async with asyncio.timeout(self.grace):
                await self.process.wait()
        except TimeoutError:
            with suppress(ProcessLookupError):
                self.process.kill()
            await self.process.wait()

    async def kill(self) -> None:
        """End it without giving it a chance to do or say anything."""
        self.stopping = True
        with suppress(ProcessLookupError):
            self.process.kill()
        await self.process.wait()


class Processes:
    """All children of one demo; their output goes to files in `logs`."""

    def __init__(self, logs: Path) -> None:
        self.logs = logs
        self._children: list[Child] = []
        self._watchers: list[asyncio.Task[None]] = []
        self._death: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    async def start(
        self,
        name: str,
        arguments: Sequence[str | Path],
        *,
        cwd: Path,
        env: Mapping[str, str] | None = None,
        grace: float = 10.0,
        piped: bool = False,
    ) -> Child:
        """Start a program; `piped`: its standard input and output are ours.

        One that is started again goes on in its former log.
        """
        self.logs.mkdir(exist_ok=True)
        log = self.logs / f"{name}.log"
        again = any(child.name == name for child in self._children)
        environment = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
        with log.open("ab" if again else "wb") as output:
            process = await asyncio.create_subprocess_exec(
                *_bound_to_us(),
                *map(str, arguments),
                cwd=cwd,
                env=environment | dict(env or {}),
                stdin=PIPE if piped else DEVNULL,
                stdout=PIPE if piped else output,
                stderr=output,
                limit=_LINE_LIMIT,
                # Ctrl-C is for us alone: we end the children, each in its turn.
                start_new_session=True,
            )
        child = Child(name=name, process=process, log=log, grace=grace)
        self._children.append(child)
        self._watchers.append(asyncio.create_task(self._watch(child)))
        return child

    async def death(self) -> None:
        """Raise DemoError when a child ends that should not."""
        await asyncio.shield(self._death)

    async def stop(self) -> None:
        """End all, the last started first."""
        for child in reversed(self._children):
            await child.stop()
        await asyncio.gather(*self._watchers)
        self._death.cancel()

    def tails(self) -> str:
        """Give the end of every log."""
        return "\n".join(_tail(child) for child in self._children)

    async def _watch(self, child: Child) -> None:
        status = await child.process.wait()
        if child.stopping or self._death.done():
            return
        ending = f"with status {status}" if status >= 0 else f"by {signal.Signals(-status).name}"
        self._death.set_exception(DemoError(f"{child.name} ended {ending}\n{_tail(child)}"))


def _bound_to_us() -> list[str]:
    """Start of a command line that ends the program even if we are killed, where possible."""
    setpriv = shutil.which("setpriv")
    return [setpriv, "--pdeathsig", "TERM", "--"] if setpriv else []


def _tail(child: Child) -> str:
    lines = child.log.read_text(errors="replace").splitlines()[-_TAIL_LINES:]
    return "\n".join((f"--- {child.log.name}", *lines))
