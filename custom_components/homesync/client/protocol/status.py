"""Status messages: what each topic carries, as `docs/protocol.md` writes it."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from ..errors import InvalidSettingError, ProtocolError
from ..records import Firmware, LedState, StatusKey, StatusReport, StatusValue
from .payloads import (
    Complain,
    Json,
    load,
    read_bool,
    read_number,
    read_object,
    read_optional,
    read_switch,
    read_text,
    read_texts,
    read_time,
)
from .topics import NodeTopic

MAX_NAME = 64
_MAX_NAMES = 32
_MAX_URL = 2000


type _Fields = tuple[tuple[StatusKey, StatusValue], ...]


@dataclass(frozen=True, slots=True)
class _Field:
    key: StatusKey
    read: Callable[[Any, str], StatusValue]


def _read_name(value: Any, name: str) -> str:
    return read_text(value, name, MAX_NAME)


def _read_names(value: Any, name: str) -> tuple[str, ...]:
    return read_texts(value, name, _MAX_NAMES, MAX_NAME)


def _read_firmware(value: Any, name: str) -> Firmware:
    content = read_object(value, name)
    notes = content.get("notes") or None
    try:
        return Firmware(
            version=_read_name(content.get("version"), "version"),
            url=read_text(content.get("url"), "url", _MAX_URL),
            sha256=read_text(content.get("sha256"), "sha256"),
            size=content.get("size"),
            notes=None if notes is None else read_text(notes, "notes"),
        )
    except InvalidSettingError as err:
        raise ProtocolError("invalid_field", f"{err.field} of {name}: {err}") from None


def _read_byte(value: Any, name: str) -> int:
    return round(read_number(value, name, 0, 255))


def _read_color(value: Any, name: str) -> tuple[int, int, int]:
    if type(value) is not list or len(value) != 3:
        raise ProtocolError("invalid_field", f"{name} is not a list of three numbers")
    red, green, blue = (_read_byte(each, name) for each in value)
    return red, green, blue


_ONLINE = _Field(StatusKey.ONLINE, read_bool)
_RELAY = _Field(StatusKey.RELAY, read_switch)
_FIRMWARE = _Field(StatusKey.FIRMWARE, _read_name)
_RSSI = _Field(StatusKey.RSSI, lambda value, name: round(read_number(value, name, -150, 0)))
_UPTIME = _Field(StatusKey.UPTIME, lambda value, name: round(read_number(value, name, 0, 1e10)))

_INFO = {
    "model": _Field(StatusKey.MODEL, _read_name),
    "manufacturer": _Field(StatusKey.MANUFACTURER, _read_name),
    "hardware": _Field(StatusKey.HARDWARE, _read_name),
    "capabilities": _Field(StatusKey.CAPABILITIES, _read_names),
    "effects": _Field(StatusKey.EFFECTS, _read_names),
    "available": _Field(StatusKey.AVAILABLE, _read_firmware),
}

# Per status topic: its required field with the names it goes by, and the optional ones.
_STATUS_FIELDS: dict[str, tuple[_Field, tuple[str, ...], dict[str, _Field]]] = {
    "online": (
        _ONLINE,
        ("online",),
        {"uptime": _UPTIME, "firmware": _FIRMWARE, "relay": _RELAY, "rssi": _RSSI},
    ),
    "relay": (_RELAY, ("state", "relay"), {"uptime": _UPTIME}),
    "firmware": (_FIRMWARE, ("version", "firmware"), {"uptime": _UPTIME, **_INFO}),
    "rssi": (_RSSI, ("value", "rssi"), {"uptime": _UPTIME}),
}
# Topics of another form: what their empty payload takes back.
_OTHER_STATUS = {"led": (StatusKey.LED,), "info": tuple(field.key for field in _INFO.values())}
STATUS_LEAVES = frozenset((*_STATUS_FIELDS, *_OTHER_STATUS))


def decode_status(
    target: NodeTopic, payload: bytes, arrival: float, complain: Complain
) -> StatusReport:
    """Decode a status message. An empty payload takes the topic's value back.

    `complain` is told of fields that were refused.
    """
    if not payload:
        return StatusReport(
            node_id=target.node_id, fields=_nothing(target.leaf), at=arrival, stamped=False
        )
    content = load(payload)
    at, stamped = read_time(content, arrival)
    fields = _read_fields(content, _wanted(target.leaf, content), complain)
    if target.leaf == "led":
        fields = ((StatusKey.LED, read_led(content, complain)), *fields)
    return StatusReport(node_id=target.node_id, fields=fields, at=at, stamped=stamped)


def _nothing(leaf: str) -> _Fields:
    """Return what a status topic's empty payload takes back."""
    if leaf in _OTHER_STATUS:
        return tuple((key, None) for key in _OTHER_STATUS[leaf])
    key = _STATUS_FIELDS[leaf][0].key
    return ((key, False if key is StatusKey.ONLINE else None),)


def _wanted(leaf: str, content: Json) -> dict[str, _Field]:
    """Return the fields to read: the required one by the name it goes by here, and others."""
    if leaf in _OTHER_STATUS:
        optional = {"uptime": _UPTIME, **(_INFO if leaf == "info" else {})}
        return {name: field for name, field in optional.items() if name in content}
    main, names, optional = _STATUS_FIELDS[leaf]
    name = next((name for name in names if name in content), names[0])
    return {name: main, **{n: f for n, f in optional.items() if n in content and n != name}}


def _read_fields(content: Json, wanted: dict[str, _Field], complain: Complain) -> _Fields:
    found: list[tuple[StatusKey, StatusValue]] = []
    for name, field in wanted.items():
        value = content.get(name)
        try:
            gone = value is None and name in _INFO
            found.append((field.key, None if gone else field.read(value, name)))
        except ProtocolError as err:
            complain(err)
    return tuple(found)


def read_led(content: Json, complain: Complain) -> LedState:
    """Read what an LED shows."""
    return LedState(
        on=read_switch(content.get("state"), "state"),
        brightness=read_optional(content, "brightness", _read_byte, complain),
        color=read_optional(content, "color", _read_color, complain),
        effect=read_optional(content, "effect", _read_name, complain),
    )
