"""Answers to commands, as `docs/protocol.md` writes them, and what they tell of the node."""

from collections.abc import Callable
from functools import partial
from typing import Any

from ..commands import (
    Command,
    LedCommand,
    OtaCommand,
    RelayCommand,
    Response,
    ResponseStatus,
    json_object,
)
from ..errors import InvalidSettingError, ProtocolError
from ..records import LedState, StatusKey, StatusReport, StatusValue
from .payloads import Complain, load, read_number, read_object, read_optional, read_text, read_time
from .status import MAX_NAME, read_led
from .topics import NodeTopic

RESPONSE_LEAVES = frozenset(("command", "ota"))

_MAX_REQUEST_ID = 64
_MAX_WAIT = 1e6
_STATUSES = {
    "success": ResponseStatus.SUCCESS,
    "error": ResponseStatus.ERROR,
    "accepted": ResponseStatus.ACCEPTED,
    "pending": ResponseStatus.ACCEPTED,
    "progress": ResponseStatus.PROGRESS,
}


def decode_response(
    target: NodeTopic, payload: bytes, arrival: float, complain: Complain
) -> Response:
    """Decode an answer; `complain` is told of fields that were refused."""
    content = load(payload)
    at, stamped = read_time(content, arrival)
    request_id = read_text(content.get("request_id"), "request_id", _MAX_REQUEST_ID)
    status = content.get("status")
    if type(status) is not str or status not in _STATUSES:
        raise ProtocolError("invalid_field", "status is none of " + ", ".join(_STATUSES))
    given = {
        field: read_optional(content, name, read, complain)
        for name, (field, read) in _OPTIONAL.items()
        if name in content
    }
    if "led" in content:
        given["led"] = read_optional(content, "led", partial(_read_led_object, complain), complain)
    return Response(
        node_id=target.node_id,
        leaf=target.leaf,
        request_id=request_id,
        status=_STATUSES[status],
        at=at,
        stamped=stamped,
        **given,
    )


def report_of(command: Command, response: Response) -> StatusReport | None:
    """Return what a successful answer tells of the node's state."""
    if response.status is not ResponseStatus.SUCCESS:
        return None
    on = {"on": True, "off": False}.get(response.result or "")
    field: tuple[StatusKey, StatusValue]
    match command:
        case RelayCommand() if on is not None:
            field = (StatusKey.RELAY, on)
        case LedCommand() if response.led is not None:
            field = (StatusKey.LED, response.led)
        case LedCommand() if on is not None:
            field = (StatusKey.LED, _led_after(command, on))
        case OtaCommand() if response.result is not None:
            field = (StatusKey.FIRMWARE, response.result[:MAX_NAME])
        case _:
            return None
    return StatusReport(
        node_id=response.node_id, fields=(field,), at=response.at, stamped=response.stamped
    )


def _led_after(command: LedCommand, on: bool) -> LedState:
    """Return what an LED shows of which the node tells no more than whether it is on."""
    if not on:
        return LedState(on=False)
    return LedState(
        on=True, brightness=command.brightness, color=command.color, effect=command.effect
    )


def _read_led_object(complain: Complain, value: Any, name: str) -> LedState:
    return read_led(read_object(value, name), complain)


def _read_settings(value: Any, name: str) -> str:
    try:
        return json_object(read_object(value, name))
    except InvalidSettingError as err:
        raise ProtocolError("invalid_field", f"{name}: {err}") from None


def _read_wait(value: Any, name: str) -> float:
    return read_number(value, name, 0, _MAX_WAIT)


def _read_percentage(value: Any, name: str) -> float:
    return read_number(value, name, 0, 100)


def _read_stage(value: Any, name: str) -> str:
    return read_text(value, name, MAX_NAME)


# The optional fields → what a Response calls them, and how they are read.
_OPTIONAL: dict[str, tuple[str, Callable[[Any, str], Any]]] = {
    "result": ("result", read_text),
    "error": ("error", read_text),
    "wait": ("wait", _read_wait),
    "stage": ("stage", _read_stage),
    "percentage": ("percentage", _read_percentage),
    "config": ("settings", _read_settings),
}
