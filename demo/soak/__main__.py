"""Command line of the soak; `scripts/soak --help` tells its use."""

import argparse
import asyncio
import os
import shutil
import signal
import sys
import time

import aiohttp

from ..errors import DemoError
from ..processes import Processes
from ..stage import ROOT, say
from ..state import claim
from .house import run_house
from .ledger import Ledger
from .plan import Scale
from .run import soak

_FOLDER = ROOT / ".demo-soak"
_SECONDS_PER_KILL = 75
_SECONDS_PER_BREAK = 30
_SECONDS_PER_RELOAD = 45


def main() -> int:
    """Give 0 if everything held."""
    options = _parser().parse_args()
    seed = options.seed if options.seed is not None else int(time.time())
    try:
        lock = claim(_FOLDER, fresh=True)
    except DemoError as error:
        say(str(error))
        return 1
    try:
        good = asyncio.run(_run(seed, _scale(options)))
        if good and not options.keep:
            shutil.rmtree(_FOLDER)
    finally:
        os.close(lock)
    return int(not good)


async def _run(seed: int, scale: Scale) -> bool:
    say(f"seed {seed}: {scale}")
    processes = Processes(_FOLDER / "logs")
    ledger = Ledger()
    task = asyncio.current_task()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        asyncio.get_running_loop().add_signal_handler(number, task.cancel if task else int)
    try:
        take = lambda event: ledger.events.append(event["data"])  # noqa: E731  # one line
        async with run_house(_FOLDER, processes, seed, take) as house:
            say("all runs")
            return await soak(house, ledger, seed, scale)
    except (DemoError, aiohttp.ClientError, OSError) as error:
        say(f"failed: {error!r}; repeat with --seed {seed}")
        return False
    except asyncio.CancelledError:
        say(f"interrupted; repeat with --seed {seed}")
        return False
    finally:
        await processes.stop()
        say("stopped")


def _scale(options: argparse.Namespace) -> Scale:
    seconds = options.minutes * 60

    def times(given: int | None, pause: float) -> int:
        return round(seconds / pause) if given is None else given

    return Scale(
        commands=options.commands,
        seconds=seconds,
        broker_breaks=times(options.broker_restarts, _SECONDS_PER_BREAK),
        kills=times(options.kills, _SECONDS_PER_KILL),
        reloads=times(options.reloads, _SECONDS_PER_RELOAD),
    )


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="soak",
        description="Random commands to nodes with every misbehaviour, in a real Home Assistant"
        " that is killed now and then, with a real broker that is killed, too. At the end:"
        " did each command have exactly one outcome, and each node carry it out at most once?",
    )
    add = parser.add_argument
    add("--commands", type=int, default=1000, help="how many (default: %(default)s)")
    add("--minutes", type=float, default=6.0, help="within which time (default: %(default)s)")
    add("--seed", type=int, help="decides what is done; it is printed (default: the time)")
    add("--kills", type=int, help="of Home Assistant (default: one in 75 s)")
    add("--broker-restarts", type=int, help="(default: one in 30 s)")
    add("--reloads", type=int, help="of households (default: one in 45 s)")
    add("--keep", action="store_true", help="leave logs and configuration, also if all held")
    return parser


if __name__ == "__main__":
    sys.exit(main())
