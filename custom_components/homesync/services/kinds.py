"""What an action's fields mean for each kind of command: one table."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from homeassistant.helpers import config_validation as cv
import voluptuous as vol

from ..client import (
    Command,
    ConfigCommand,
    LedAction,
    LedCommand,
    OtaCommand,
    OwnCommand,
    RelayAction,
    RelayCommand,
    RestartCommand,
    is_id,
    json_object,
)
from ..errors import invalid

ATTR_COMMAND = "command"
_ACTION, _BRIGHTNESS, _COLOR, _EFFECT = "action", "brightness", "color", "effect"
_CONFIG, _CONTENT = "config", "content"
_OURS = ("request_id", "timestamp")
_LONGEST_EFFECT = 255


def _word(value: Any) -> Any:
    """YAML reads a bare on or off as a boolean."""
    return {True: "on", False: "off"}[value] if isinstance(value, bool) else value


def _kind(value: Any) -> str:
    if not isinstance(value, str) or not is_id(value):
        raise vol.Invalid("1 to 64 letters, digits, _ or - are allowed")
    return value


_BYTE = vol.All(vol.Coerce(int), vol.Range(min=0, max=255))
_ACTIONS = sorted({*RelayAction, *LedAction})

COMMAND_FIELDS: dict[Any, Any] = {
    vol.Optional(ATTR_COMMAND, default=RelayCommand.kind): _kind,
    vol.Optional(_ACTION): vol.All(_word, vol.In(_ACTIONS)),
    vol.Optional(_BRIGHTNESS): _BYTE,
    vol.Optional(_COLOR): vol.All(list, [_BYTE], vol.Length(min=3, max=3)),
    vol.Optional(_EFFECT): vol.All(cv.string, vol.Length(min=1, max=_LONGEST_EFFECT)),
    vol.Optional(_CONFIG): dict,
    vol.Optional(_CONTENT): dict,
}


def command_of(data: Mapping[str, Any]) -> Command:
    """Return the command that an action's fields describe; raises what is wrong with them."""
    kind = data[ATTR_COMMAND]
    if kind == OtaCommand.kind:
        raise invalid("use_install_firmware")
    shape = _SHAPES.get(kind, _OWN)
    given = {name for name in _FIELDS if name in data}
    foreign = given - shape.needs - shape.takes
    if foreign:
        raise invalid("field_not_for_command", command=kind, fields=", ".join(sorted(foreign)))
    if missing := shape.needs - given:
        raise invalid("field_missing", command=kind, fields=", ".join(sorted(missing)))
    return shape.read(data)


def _relay(data: Mapping[str, Any]) -> Command:
    if data[_ACTION] not in set(RelayAction):
        raise invalid("action_not_for_command", command=RelayCommand.kind, action=data[_ACTION])
    return RelayCommand(RelayAction(data[_ACTION]))


def _led(data: Mapping[str, Any]) -> Command:
    if data[_ACTION] not in set(LedAction):
        raise invalid("action_not_for_command", command=LedCommand.kind, action=data[_ACTION])
    action = LedAction(data[_ACTION])
    looks = {name: data[name] for name in (_BRIGHTNESS, _COLOR, _EFFECT) if name in data}
    if looks and action is not LedAction.ON:
        raise invalid(
            "field_not_for_command",
            command=f"{LedCommand.kind} {action}",
            fields=", ".join(sorted(looks)),
        )
    if _COLOR in looks:
        looks[_COLOR] = tuple(looks[_COLOR])
    return LedCommand(action, **looks)


def _own(data: Mapping[str, Any]) -> Command:
    content = data.get(_CONTENT, {})
    if ours := [f"{_CONTENT}.{name}" for name in _OURS if name in content]:
        raise invalid(
            "field_not_for_command", command=data[ATTR_COMMAND], fields=", ".join(sorted(ours))
        )
    return OwnCommand(data[ATTR_COMMAND], json_object(content))


@dataclass(frozen=True, slots=True, kw_only=True)
class _Shape:
    """Which fields a kind of command needs and takes, and how they become one."""

    needs: frozenset[str] = frozenset()
    takes: frozenset[str] = frozenset()
    read: Callable[[Mapping[str, Any]], Command]


_SHAPES = {
    RelayCommand.kind: _Shape(needs=frozenset((_ACTION,)), read=_relay),
    LedCommand.kind: _Shape(
        needs=frozenset((_ACTION,)), takes=frozenset((_BRIGHTNESS, _COLOR, _EFFECT)), read=_led
    ),
    ConfigCommand.kind: _Shape(
        needs=frozenset((_CONFIG,)), read=lambda data: ConfigCommand(json_object(data[_CONFIG]))
    ),
    RestartCommand.kind: _Shape(read=lambda _: RestartCommand()),
}
_OWN = _Shape(takes=frozenset((_CONTENT,)), read=_own)
_FIELDS = (_ACTION, _BRIGHTNESS, _COLOR, _EFFECT, _CONFIG, _CONTENT)
