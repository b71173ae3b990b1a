"""What commands act on, and what each kind of command does to it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
import json
from typing import Any, Literal

from .config import OwnCommand, Updates
from .orders import Order, is_older, read_order
from .refusals import BUSY, INVALID, OLDER, TOO_LARGE, UNKNOWN_EFFECT, UNSUPPORTED, Refused

type Json = dict[str, Any]

_MAX_TEXT = 255
_OURS = frozenset({"request_id", "timestamp"})


@dataclass(frozen=True, slots=True)
class Led:
    """State of the LED; brightness and each colour 0-255."""

    on: bool = False
    brightness: float = 255
    color: tuple[float, ...] = (255, 255, 255)
    effect: str | None = None

    @property
    def state(self) -> Literal["on", "off"]:
        """As in status/led."""
        return "on" if self.on else "off"

    def as_json(self) -> Json:
        """Give the fields of status/led."""
        effect = {} if self.effect is None else {"effect": self.effect}
        return {
            "state": self.state,
            "brightness": self.brightness,
            "color": list(self.color),
            **effect,
        }


@dataclass(slots=True)
class Device:
    """What is left over a restart; `relay` is None for a node without one.

    Any `effect` is taken when no `effects` are listed; without `updates` there is no OTA.
    """

    relay: bool | None = True
    led: Led = Led()
    has_led: bool = True
    settings: Json = field(default_factory=dict)
    firmware: str = "1.2.3"
    effects: tuple[str, ...] = ()
    own_commands: Mapping[str, OwnCommand] = field(default_factory=dict)
    updates: Updates | None = None
    updating: bool = False


@dataclass(frozen=True, slots=True)
class Done:
    """What a command led to; no `result` yet when an `order` is still to be carried out."""

    result: str | None
    extra: Mapping[str, object] = field(default_factory=dict)
    order: Order | None = None


def carry_out(device: Device, kind: str, command: Json, reject: str | None) -> Done:
    """Do it, or raise Refused."""
    own = kind in device.own_commands
    if not own and kind not in _KINDS:
        raise Refused(UNSUPPORTED)
    if reject is not None:
        raise Refused(reject)
    if own:
        return _own(device.own_commands[kind], command)
    return _KINDS[kind](device, command)


def _relay(device: Device, command: Json) -> Done:
    if device.relay is None:
        raise Refused(UNSUPPORTED)
    match command.get("action"):
        case "on":
            device.relay = True
        case "off":
            device.relay = False
        case "toggle":
            device.relay = not device.relay
        case _:
            raise Refused(INVALID)
    return Done("on" if device.relay else "off")


def _led(device: Device, command: Json) -> Done:
    if not device.has_led:
        raise Refused(UNSUPPORTED)
    match command.get("action"):
        case "on":
            device.led = _lit(device.led, command, device.effects)
        case "off":
            device.led = replace(device.led, on=False)
        case "identify":
            # It blinks without a change of what it shows afterwards.
            pass
        case _:
            raise Refused(INVALID)
    return Done(device.led.state, {"led": device.led.as_json()})


def _lit(led: Led, command: Json, effects: tuple[str, ...]) -> Led:
    brightness = command.get("brightness", led.brightness)
    color = command.get("color", list(led.color))
    effect = command.get("effect", led.effect)
    if not _is_byte(brightness):
        raise Refused(INVALID)
    if not isinstance(color, list) or len(color) != 3 or not all(map(_is_byte, color)):
        raise Refused(INVALID)
    if effect is not None and not (isinstance(effect, str) and len(effect) <= _MAX_TEXT):
        raise Refused(INVALID)
    if effect is not None and effects and effect not in effects:
        raise Refused(UNKNOWN_EFFECT)
    return Led(True, brightness, tuple(color), effect)


def _is_byte(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value <= 255


def _config(device: Device, command: Json) -> Done:
    settings = command.get("config")
    if not isinstance(settings, dict):
        raise Refused(INVALID)
    device.settings.update(settings)
    return Done("applied", {"config": dict(device.settings)})


def _restart(_device: Device, _command: Json) -> Done:
    return Done("restarting")


def _ota(device: Device, command: Json) -> Done:
    if device.updates is None:
        raise Refused(UNSUPPORTED)
    order = read_order(command)
    if device.updating:
        raise Refused(BUSY)
    if is_older(order.version, device.firmware):
        raise Refused(OLDER)
    if order.size is not None and order.size > device.updates.max_size:
        raise Refused(TOO_LARGE)
    device.updating = True
    return Done(None, order=order)


def _own(function: OwnCommand, command: Json) -> Done:
    fields = {name: value for name, value in command.items() if name not in _OURS}
    text = json.dumps(fields, ensure_ascii=False) if function is None else function(fields)
    return Done(text[:_MAX_TEXT])


_KINDS: dict[str, Callable[[Device, Json], Done]] = {
    "relay": _relay,
    "led": _led,
    "config": _config,
    "ota": _ota,
    "restart": _restart,
}
