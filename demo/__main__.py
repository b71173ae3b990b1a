"""Command line of the demo; `scripts/demo --help` tells its use."""

import argparse
import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass
import os
import shutil
import signal
import sys

import aiohttp

from .check import check, check_log
from .errors import DemoError
from .processes import Processes
from .screenshot import HISTORY, take_screenshots
from .stage import ROOT, Plan, Stage, run_stage, say
from .state import claim

_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
# A request fails a moment before the end of the process that should have answered is known.
_CAUSE_WITHIN = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class _Job:
    """What to do with the running demo; an `own` folder is new, and goes when all went well."""

    plan: Plan
    work: Callable[[Stage], Awaitable[bool]]
    own: bool
    fresh: bool


def main() -> int:
    """Give 0 if all went well, also when its user ended a running demo."""
    job = _job(_parser().parse_args())
    try:
        lock = claim(job.plan.folder, fresh=job.fresh)
    except DemoError as error:
        say(str(error))
        return 1
    try:
        status = asyncio.run(_run(job))
        if job.work is check and status == 0:
            # Only now the log is complete.
            status = int(not check_log(job.plan.folder / "logs"))
        if job.own and status == 0:
            shutil.rmtree(job.plan.folder)
    finally:
        os.close(lock)
    return status


async def _run(job: _Job) -> int:
    processes = Processes(job.plan.folder / "logs")
    work = asyncio.create_task(_perform(job, processes))
    death = asyncio.create_task(processes.death())
    interrupted: list[int] = []

    def interrupt(number: int) -> None:
        if interrupted:
            say("still stopping")
        interrupted.append(number)
        work.cancel()

    loop = asyncio.get_running_loop()
    for number in _SIGNALS:
        loop.add_signal_handler(number, interrupt, number)
    try:
        await asyncio.wait({work, death}, return_when=asyncio.FIRST_COMPLETED)
        if not work.done():
            work.cancel()
        elif not work.cancelled() and work.exception() is not None:
            await asyncio.wait({death}, timeout=_CAUSE_WITHIN)
        await asyncio.wait({work})
        return _conclude(job, processes, work, death, interrupted)
    finally:
        say("stopping")
        await processes.stop()
        with suppress(asyncio.CancelledError, DemoError):
            await death
        say("stopped")


def _conclude(
    job: _Job,
    processes: Processes,
    work: asyncio.Task[bool],
    death: asyncio.Task[None],
    interrupted: list[int],
) -> int:
    """Give the exit status, and tell what went wrong."""
    if death.done() and (error := death.exception()) is not None:
        say(str(error))
        return 1
    if work.cancelled():
        return 128 + interrupted[0] if interrupted else 1
    error = work.exception()
    if error is None and work.result():
        return 0
    if error is not None and not isinstance(error, DemoError | aiohttp.ClientError | OSError):
        raise error
    print(processes.tails(), flush=True)
    say(f"failed: {error}" if error is not None else "failed, see above")
    say(f"all logs are in {processes.logs.relative_to(ROOT)}/")
    return 1


async def _perform(job: _Job, processes: Processes) -> bool:
    async with run_stage(job.plan, processes) as stage:
        return await job.work(stage)


async def _serve(stage: Stage) -> bool:
    """Tell where it is and wait for Ctrl-C."""
    user, password = stage.login
    say("ready")
    lines = (
        f"  address    {stage.address}",
        f"  user       {user}",
        f"  password   {password}",
        f"  logs       {stage.processes.logs.relative_to(ROOT)}/",
        "  Ctrl-C ends it; the next scripts/demo goes on from here, --fresh starts anew.",
    )
    print("", *lines, "", sep="\n", flush=True)
    with suppress(asyncio.CancelledError):
        await asyncio.Event().wait()
    return True


def _job(options: argparse.Namespace) -> _Job:
    folder, interval, ports, work = ".demo", 5.0, range(8123, 8223), _serve
    # Just enough that a demo of some minutes fills it.
    minutes = 9.0
    if options.check or options.screenshots:
        # Away from the port of a person's demo, or of their real Home Assistant.
        interval, ports = 1.0, range(18123, 18223)
        folder, work = (
            (".demo-check", check) if options.check else (".demo-screenshots", take_screenshots)
        )
        minutes = HISTORY
    if options.port is not None:
        ports = range(options.port, options.port + 1)
    own = work is not _serve
    return _Job(
        plan=Plan(folder=ROOT / folder, ports=ports, interval=interval, minutes=minutes),
        work=work,
        own=own,
        fresh=own or options.fresh,
    )


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="demo",
        description="A real Home Assistant with HomeSync and two households of simulated nodes,"
        " on this machine's loopback interface. What it keeps is in .demo/.",
    )
    add = parser.add_argument
    add("--fresh", action="store_true", help="forget the former runs")
    add("--port", type=int, help="of Home Assistant (default: 8123, or the next free one)")
    add("--check", action="store_true", help="try everything in a demo of its own, then end")
    add("--screenshots", action="store_true", help=argparse.SUPPRESS)
    return parser


if __name__ == "__main__":
    sys.exit(main())
