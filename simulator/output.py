"""Events as lines on standard output, for people or as JSON."""

from collections.abc import Mapping
import json
import os
import signal
import sys

from .config import Event, timestamp


def print_event(event: Event) -> None:
    """One line for a person."""
    details = " ".join(
        f"{name}={value}" for name, value in event.details.items() if value is not None
    )
    clock = event.time.astimezone().strftime("%H:%M:%S")
    who = f"{event.home_id}/{event.node_id} " if event.node_id else ""
    _print(f"{clock} {who}{event.name} {details}".rstrip())


def print_json_event(event: Event) -> None:
    """One JSON object on one line."""
    print_json(
        {
            "event": event.name,
            "home": event.home_id,
            "node": event.node_id,
            "time": timestamp(event.time),
            **event.details,
        }
    )


def print_json(fields: Mapping[str, object]) -> None:
    """One JSON object on one line."""
    _print(json.dumps(fields, ensure_ascii=False))


def _print(line: str) -> None:
    try:
        print(line, flush=True)
    except BrokenPipeError:
        # Whoever read this is gone: end, and let nothing more go into the pipe.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        signal.raise_signal(signal.SIGTERM)
