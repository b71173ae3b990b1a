"""Command line of the simulator; `scripts/simulate --help` tells its use."""

import argparse
import asyncio
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime
import os
from pathlib import Path
import signal
import sys

from .behaviour import Behaviour
from .config import Broker, Event, OwnCommand, Updates
from .control import HELP, Control
from .fleet import Fleet
from .info import Info
from .output import print_event, print_json_event

PASSWORD_VARIABLE = "HOMESYNC_SIM_PASSWORD"  # noqa: S105  # the name, not the password


def main() -> int:
    """Run until a signal, `quit` or the end of standard input."""
    parser = _parser()
    options = parser.parse_args()
    output = print_json_event if options.json else print_event
    try:
        fleet = _make_fleet(options, output)
    except (ValueError, OSError) as error:
        parser.error(str(error))
    asyncio.run(_run(fleet, output, control=options.control))
    return 0


async def _run(fleet: Fleet, output: Callable[[Event], None], *, control: bool) -> None:
    loop = asyncio.get_running_loop()
    running = asyncio.ensure_future(_serve(fleet, output, control=control))
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, running.cancel)
    try:
        with suppress(asyncio.CancelledError):
            await running
    finally:
        await fleet.stop()


async def _serve(fleet: Fleet, output: Callable[[Event], None], *, control: bool) -> None:
    async with asyncio.TaskGroup() as tasks:
        starting = tasks.create_task(_start(fleet, output))
        if control:
            await Control(fleet).run()
            starting.cancel()
        else:
            await asyncio.Event().wait()


async def _start(fleet: Fleet, output: Callable[[Event], None]) -> None:
    await fleet.launch()
    for node in fleet:
        await node.wait_online(timeout=float("inf"))
    output(Event("ready", "", "", {"nodes": len(fleet)}, datetime.now(UTC)))


def _make_fleet(options: argparse.Namespace, output: Callable[[Event], None]) -> Fleet:
    broker = Broker(
        host=options.host,
        port=options.port,
        username=options.user,
        password=os.environ.get(PASSWORD_VARIABLE),
        tls=options.tls,
        tls_ca=options.tls_ca,
    )
    broker.ssl_context()
    updates = None if options.plain else Updates(ca=options.firmware_ca)
    if updates is not None:
        updates.ssl_context()
    own_commands: dict[str, OwnCommand] = dict.fromkeys(options.own_command)
    households = dict(options.household or [("villa", 5), ("cabin", 3)])
    return Fleet.build(
        broker,
        households,
        prefix=options.prefix,
        interval=options.interval,
        seed=options.seed,
        mqtt_version=5 if options.mqtt5 else 4,
        firmware=options.firmware,
        info=None if options.plain else Info(model=options.model),
        updates=updates,
        own_commands=own_commands,
        behaviour=Behaviour().changed(options.misbehave),
        on_event=output,
    )


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="simulate",
        description="Simulate HomeSync nodes of one or several households.",
        epilog=f"The password comes from the environment variable {PASSWORD_VARIABLE}.\n\n"
        f"lines for --control:\n{HELP}\nmisbehaviour:\n{Behaviour.__doc__}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    _add_broker(parser.add_argument)
    _add_nodes(parser.add_argument)
    return parser


def _add_broker(add: Callable[..., object]) -> None:
    add("--host", default="127.0.0.1", help="broker (default: %(default)s)")
    add("--port", type=int, default=1883, help="its port (default: %(default)s)")
    add("--user", help="user name at the broker")
    add("--tls", action="store_true", help="TLS, with the system's certificates")
    add("--tls-ca", type=Path, metavar="FILE", help="TLS, with this CA (PEM)")
    add("--mqtt5", action="store_true", help="MQTT 5 instead of 3.1.1")
    add(
        "--prefix",
        default="homesync",
        help="first topic level(s) (default: %(default)s)",
    )
    add("--json", action="store_true", help="print events as JSON lines")
    add("--control", action="store_true", help="read commands from standard input")


def _add_nodes(add: Callable[..., object]) -> None:
    add(
        "--household",
        action="append",
        type=_household,
        metavar="HOME=COUNT",
        help="a household and its number of nodes, repeatable (default: villa=5 and cabin=3)",
    )
    add(
        "--interval",
        type=float,
        default=10.0,
        metavar="SECONDS",
        help="between readings; 0: only on demand (default: %(default)s)",
    )
    add("--seed", type=int, default=0, help="decides the readings (default: 0)")
    add(
        "--misbehave",
        action="append",
        default=[],
        metavar="KEY=VALUE",
        help="for all nodes, repeatable; see below",
    )
    add("--model", default=Info().model, help="what they are (default: %(default)s)")
    add("--firmware", default="1.2.3", metavar="VERSION", help="that runs at first")
    add("--firmware-ca", type=Path, metavar="FILE", help="CA of the server of images (PEM)")
    add("--own-command", action="append", default=[], metavar="KIND", help="answered by an echo")
    add("--plain", action="store_true", help="nodes of old: no status/info and status/led, no OTA")


def _household(text: str) -> tuple[str, int]:
    home_id, _, count = text.partition("=")
    if not count.isdecimal() or int(count) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is no HOME=COUNT")
    return home_id, int(count)


if __name__ == "__main__":
    sys.exit(main())
