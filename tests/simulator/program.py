"""The simulator as a program of its own."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
import json
import os
from pathlib import Path
import sys
from typing import Any

ROOT = Path(__file__).parents[2]
DEADLINE = 60.0


class Program:
    """A running simulator."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self.process = process
        self.events: list[dict[str, Any]] = []

    async def line(self) -> str:
        assert self.process.stdout is not None
        async with asyncio.timeout(DEADLINE):
            return (await self.process.stdout.readline()).decode()

    async def until(self, key: str, value: str) -> dict[str, Any]:
        while line := await self.line():
            message: dict[str, Any] = json.loads(line)
            if message.get(key) == value:
                return message
            self.events.append(message)
        raise AssertionError(f"ended without {key} {value}")

    async def control(self, line: str) -> dict[str, Any]:
        assert self.process.stdin is not None
        self.process.stdin.write(f"{line}\n".encode())
        return await self.until("reply", line.partition(" ")[0])

    async def ended(self) -> tuple[int | None, str]:
        async with asyncio.timeout(DEADLINE):
            _, errors = await self.process.communicate()
        return self.process.returncode, errors.decode()


@asynccontextmanager
async def simulator(*arguments: str | int, **variables: str) -> AsyncIterator[Program]:
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "simulator",
        *map(str, arguments),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        cwd=ROOT,
        env={**os.environ, **variables},
    )
    try:
        yield Program(process)
    finally:
        if process.returncode is None:
            process.kill()
        await process.communicate()
