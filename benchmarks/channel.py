"""Questions to a program of ours, a line of JSON each way over its standard input and output."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
import json
import os
from pathlib import Path
import select
import shutil
import subprocess
import sys
import time
import traceback
from typing import IO, Any, Self

from .errors import BenchError

ROOT = Path(__file__).resolve().parent.parent
_GRACE = 20.0
# Whatever the caller's environment says: without compiled files each Home Assistant would
# need some seconds more, and compile while its event loop is watched.
_ENVIRONMENT = {
    "PYTHONPATH": str(ROOT),
    "PYTHONDONTWRITEBYTECODE": "",
    "PYTHONPYCACHEPREFIX": str(ROOT / ".cache" / "bytecode"),
}

type Handlers = Mapping[str, Callable[..., Any]]
type AsyncHandlers = Mapping[str, Callable[..., Awaitable[Any]]]


class Program:
    """A started program of this package; `tell` and `answer` may have other work between them."""

    def __init__(self, process: subprocess.Popen[bytes], name: str, log: Path) -> None:
        self.name = name
        self.log = log
        self._process = process
        self._rest = b""

    @classmethod
    def start(cls, module: str, log: Path, *arguments: str) -> Self:
        """Start `benchmarks.<module>`; what it prints goes to the log."""
        setpriv = shutil.which("setpriv")
        # Ends it even if we are killed, where possible.
        bound = [setpriv, "--pdeathsig", "TERM", "--"] if setpriv else []
        command = [*bound, sys.executable, "-P", "-m", f"benchmarks.{module}", *arguments]
        with log.open("ab") as errors:
            process = subprocess.Popen(
                command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=errors,
                env=os.environ | _ENVIRONMENT,
                # Ctrl-C is for the driver, which ends its programs in turn.
                start_new_session=True,
            )
        return cls(process, module, log)

    def tell(self, question: str, **fields: Any) -> None:
        """Send a question; its answer is fetched with `answer`."""
        line = json.dumps({"do": question, **fields}).encode() + b"\n"
        try:
            pipe = _pipe(self._process.stdin)
            pipe.write(line)
            pipe.flush()
        except OSError as error:
            raise BenchError(f"{self.name} is gone\n{self._tail()}") from error

    def answer(self, timeout: float = 60.0) -> Any:
        """Wait for the answer to the oldest open question."""
        answer = json.loads(self._line(timeout))
        if "error" in answer:
            raise BenchError(f"{self.name}: {answer['error']}")
        return answer["ok"]

    def ask(self, question: str, *, timeout: float = 60.0, **fields: Any) -> Any:
        """Send a question and wait for its answer."""
        self.tell(question, **fields)
        return self.answer(timeout)

    def finish(self) -> None:
        """End its input, whereupon it ends by itself and keeps what it has to keep."""
        _pipe(self._process.stdin).close()
        try:
            self._process.wait(_GRACE)
        except subprocess.TimeoutExpired as error:
            raise BenchError(f"{self.name} does not end") from error

    def stop(self) -> None:
        """End it at once: nothing of it is needed any more."""
        self._process.kill()
        self._process.wait()
        for pipe in (self._process.stdin, self._process.stdout):
            with suppress(OSError):
                _pipe(pipe).close()

    def _line(self, timeout: float) -> bytes:
        output = _pipe(self._process.stdout)
        deadline = time.monotonic() + timeout
        while b"\n" not in self._rest:
            left = deadline - time.monotonic()
            if left <= 0 or not select.select([output], [], [], left)[0]:
                raise BenchError(f"{self.name} did not answer within {timeout:g} s")
            chunk = os.read(output.fileno(), 1 << 20)
            if not chunk:
                raise BenchError(f"{self.name} ended\n{self._tail()}")
            self._rest += chunk
        line, _, self._rest = self._rest.partition(b"\n")
        return line

    def _tail(self) -> str:
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-15:])


def serve(handlers: Handlers) -> None:
    """Answer questions until the input ends; for programs without an event loop."""
    output = private_output()
    for line in sys.stdin:
        question = json.loads(line)
        try:
            answer = {"ok": handlers[question.pop("do")](**question)}
        except Exception as error:  # noqa: BLE001  # whatever it is, the driver is told
            traceback.print_exc()
            answer = {"error": repr(error)}
        output.write(json.dumps(answer) + "\n")
        output.flush()


async def serve_async(handlers: AsyncHandlers, output: IO[str]) -> None:
    """Answer questions until the input ends; the event loop goes on meanwhile."""
    reader = asyncio.StreamReader(limit=1 << 24)
    loop = asyncio.get_running_loop()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    while line := await reader.readline():
        question = json.loads(line)
        try:
            answer = {"ok": await handlers[question.pop("do")](**question)}
        except Exception as error:  # noqa: BLE001  # whatever it is, the driver is told
            traceback.print_exc()
            answer = {"error": repr(error)}
        output.write(json.dumps(answer) + "\n")
        output.flush()


def private_output() -> IO[str]:
    """Keep standard output for answers; what others print goes to standard error."""
    mine = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    return mine


def _pipe(pipe: IO[bytes] | None) -> IO[bytes]:
    if pipe is None:
        raise BenchError("the program has no pipe")
    return pipe
