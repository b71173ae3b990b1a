"""Commands on standard input, each answered by one JSON line with `reply`."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import asdict
import json
import os
import shlex
import sys
from typing import Any

from .behaviour import GOOD
from .fleet import Fleet
from .info import Available
from .node import Node
from .output import print_json
from .session import NotConnected

HELP = """\
die HOME NODE                     drop the socket without DISCONNECT, stay away
start HOME NODE                   come (back) online
stop HOME NODE                    end cleanly
restart HOME NODE                 end cleanly and come back
behave HOME NODE [KEY=VALUE …]    change behaviour; without KEY=VALUE: good again
press HOME NODE [on|off]          use the button on the device
offer HOME NODE [KEY=VALUE …]     know of newer firmware: version, url, sha256, size, notes
                                  without KEY=VALUE: of none any more
telemetry HOME NODE [METRIC=JSON …]   send these values, or the present readings
executed HOME NODE                the record of its commands
state HOME NODE                   everything about it: firmware, led, settings, update …
nodes                             all nodes with their state
quit                              end everything cleanly
"""

_READ_SIZE = 65_536

type Reply = dict[str, object]


class ControlError(Exception):
    """A line that cannot be carried out; `name` is for programs, the text for people."""

    def __init__(self, name: str, message: str) -> None:
        super().__init__(message)
        self.name = name


class Control:
    """Carries out control lines on a fleet."""

    def __init__(self, fleet: Fleet) -> None:
        self._fleet = fleet
        self.ended = False

    async def run(self) -> None:
        """Read standard input until its end or `quit`."""
        lines: asyncio.Queue[str | None] = asyncio.Queue()
        stop_reading = _read_lines(lines)
        try:
            while not self.ended and (line := await lines.get()) is not None:
                print_json(await self.handle(line))
        finally:
            stop_reading()

    async def handle(self, line: str) -> Reply:
        """Carry out one line; the reply has `ok`, and `error` with `message` if not ok."""
        name = line.split(maxsplit=1)[0] if line.strip() else ""
        try:
            return {"reply": name, "ok": True, **await self._carry_out(line)}
        except ControlError as error:
            failure, message = error.name, str(error)
        except TimeoutError as error:
            failure, message = "timeout", str(error)
        except NotConnected as error:
            failure, message = "not_connected", str(error)
        return {"reply": name, "ok": False, "error": failure, "message": message}

    async def _carry_out(self, line: str) -> Reply:
        try:
            name, *arguments = shlex.split(line)
        except ValueError as error:
            message = str(error) if line.strip() else "empty line"
            raise ControlError("unreadable", message) from error
        if name == "quit":
            self.ended = True
            return {}
        if name == "nodes":
            return {"nodes": [_describe(node) for node in self._fleet]}
        if name not in _ON_NODE:
            known = ", ".join((*_ON_NODE, "nodes", "quit"))
            raise ControlError("unknown_command", f"{name!r} is none of {known}")
        if len(arguments) < 2:
            raise ControlError("wrong_arguments", f"{name} needs HOME NODE")
        home, node_id, *rest = arguments
        reply = await _ON_NODE[name](self._node(home, node_id), rest)
        return {"home": home, "node": node_id, **reply}

    def _node(self, home: str, node_id: str) -> Node:
        try:
            return self._fleet[home, node_id]
        except KeyError:
            raise ControlError("unknown_node", f"no node {home} {node_id}") from None


async def _die(node: Node, rest: list[str]) -> Reply:
    _nothing_more(rest)
    node.die()
    return {}


async def _start(node: Node, rest: list[str]) -> Reply:
    _nothing_more(rest)
    await node.start()
    return {}


async def _stop(node: Node, rest: list[str]) -> Reply:
    _nothing_more(rest)
    await node.stop()
    return {}


async def _restart(node: Node, rest: list[str]) -> Reply:
    _nothing_more(rest)
    await node.restart()
    return {}


async def _behave(node: Node, rest: list[str]) -> Reply:
    try:
        node.behaviour = node.behaviour.changed(rest) if rest else GOOD
    except ValueError as error:
        raise ControlError("bad_behaviour", str(error)) from error
    return {"behaviour": asdict(node.behaviour)}


async def _press(node: Node, rest: list[str]) -> Reply:
    if rest not in ([], ["on"], ["off"]):
        raise ControlError("wrong_arguments", "press HOME NODE takes on, off or nothing")
    try:
        node.press(on=rest[0] == "on" if rest else None)
    except ValueError as error:
        raise ControlError("no_relay", str(error)) from error
    return {"relay": node.relay}


async def _telemetry(node: Node, rest: list[str]) -> Reply:
    values: dict[str, object] = {}
    for pair in rest:
        metric, _, text = pair.partition("=")
        try:
            values[metric] = json.loads(text)
        except ValueError as error:
            raise ControlError("bad_value", f"{pair!r} is no METRIC=JSON") from error
    await node.send_telemetry(values or None)
    return {}


async def _executed(node: Node, rest: list[str]) -> Reply:
    _nothing_more(rest)
    return {
        "executed": [each.as_json() for each in node.executed],
        "refused": [each.as_json() for each in node.refused],
        "pending": [each.as_json() for each in node.pending],
    }


async def _offer(node: Node, rest: list[str]) -> Reply:
    fields: dict[str, Any] = {}
    for pair in rest:
        name, _, value = pair.partition("=")
        fields[name] = int(value) if name == "size" and value.isdecimal() else value
    try:
        available = Available(**fields) if fields else None
        node.offer(available)
    except (TypeError, ValueError) as error:
        raise ControlError("bad_offer", str(error)) from error
    return {"available": None if available is None else available.as_json()}


async def _state(node: Node, rest: list[str]) -> Reply:
    _nothing_more(rest)
    return {
        **_describe(node),
        "available": None if node.available is None else node.available.as_json(),
        "update": None if node.update is None else asdict(node.update),
        "led": node.led.as_json(),
        "identified": node.identified,
        "identifying": node.identifying,
        "settings": node.settings,
        "restarts": node.restarts,
        "uptime": node.uptime,
        "behaviour": asdict(node.behaviour),
    }


_ON_NODE: dict[str, Callable[[Node, list[str]], Awaitable[Reply]]] = {
    "die": _die,
    "start": _start,
    "stop": _stop,
    "restart": _restart,
    "behave": _behave,
    "press": _press,
    "offer": _offer,
    "telemetry": _telemetry,
    "executed": _executed,
    "state": _state,
}


def _nothing_more(rest: list[str]) -> None:
    if rest:
        raise ControlError("wrong_arguments", f"{rest[0]!r} is too much")


def _describe(node: Node) -> Reply:
    return {
        "home": node.config.home_id,
        "node": node.config.node_id,
        "profile": node.config.profile.name,
        "model": node.config.info.model if node.config.info else None,
        "running": node.running,
        "online": node.online,
        "relay": node.relay,
        "firmware": node.firmware,
    }


def _read_lines(lines: asyncio.Queue[str | None]) -> Callable[[], None]:
    """Put each line of standard input, then None; the result stops it."""
    loop = asyncio.get_running_loop()
    descriptor = sys.stdin.fileno()
    unfinished = b""

    def read() -> None:
        nonlocal unfinished
        data = os.read(descriptor, _READ_SIZE)
        *complete, unfinished = (unfinished + data).split(b"\n")
        if not data:
            loop.remove_reader(descriptor)
            complete, unfinished = [unfinished] if unfinished else [], b""
        for line in complete:
            lines.put_nowait(line.decode(errors="replace"))
        if not data:
            lines.put_nowait(None)

    try:
        # Unlike a pipe transport this leaves a terminal shared with stdout in blocking mode.
        loop.add_reader(descriptor, read)
    except PermissionError:
        # A file: nothing to wait for, and nothing that selectors would take.
        for line in sys.stdin:
            lines.put_nowait(line)
        lines.put_nowait(None)
        return lambda: None

    def stop() -> None:
        loop.remove_reader(descriptor)

    return stop
