"""What a node can be told, what it answers, and how that ends: frozen records.

`fields_of` and `read_command` are a command's one neutral form, as it waits in a store
and as `docs/protocol.md` writes it: a JSON object without request id and time.
"""

from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Any, ClassVar, NamedTuple, override

import orjson

from .errors import InvalidSettingError
from .records import Firmware, LedState

DEFAULT_TIMEOUT = 5.0
DEFAULT_RETRIES = 3
DEFAULT_TTL = 60.0
LONGEST_TTL = 86_400.0
MAX_CONTENT = 16 * 1024
"""Bytes of what one command may carry."""

_MAX_TEXT = 255


class RelayAction(StrEnum):
    """What a relay can be told."""

    ON = "on"
    OFF = "off"
    TOGGLE = "toggle"


class LedAction(StrEnum):
    """What an LED can be told."""

    ON = "on"
    OFF = "off"
    IDENTIFY = "identify"


@dataclass(frozen=True, slots=True)
class RelayCommand:
    """Switch the node's relay."""

    kind: ClassVar[str] = "relay"
    action: RelayAction


@dataclass(frozen=True, slots=True)
class LedCommand:
    """Set the node's LED; brightness and colours 0 to 255, None leaves them as they are."""

    kind: ClassVar[str] = "led"
    action: LedAction
    brightness: int | None = None
    color: tuple[int, int, int] | None = None
    effect: str | None = None

    def after(self, older: LedCommand) -> LedCommand:
        """Return this command with what an older, unsent one wanted besides."""
        if self.action is not LedAction.ON or older.action is not LedAction.ON:
            return self
        return replace(
            self,
            brightness=older.brightness if self.brightness is None else self.brightness,
            color=older.color if self.color is None else self.color,
            effect=older.effect if self.effect is None else self.effect,
        )


@dataclass(frozen=True, slots=True)
class ConfigCommand:
    """Change the node's settings; `settings` is a JSON object as text."""

    kind: ClassVar[str] = "config"
    settings: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class OtaCommand:
    """Have the node fetch and start other firmware."""

    kind: ClassVar[str] = "ota"
    firmware: Firmware


@dataclass(frozen=True, slots=True)
class RestartCommand:
    """Have the node start anew."""

    kind: ClassVar[str] = "restart"


@dataclass(frozen=True, slots=True)
class OwnCommand:
    """A command that only the node's maker knows; `content` is a JSON object as text."""

    kind: str
    content: str = field(default="{}", repr=False)


type Command = RelayCommand | LedCommand | ConfigCommand | OtaCommand | RestartCommand | OwnCommand

REPLACEABLE = frozenset((RelayCommand.kind, LedCommand.kind))
"""Kinds of which only the newest counts, and which may wait out a short loss of the link."""


def fields_of(command: Command) -> dict[str, Any]:
    """Return what a command says besides its kind, request id and time."""
    match command:
        case RelayCommand():
            return {"action": command.action.value}
        case LedCommand():
            told = {
                "brightness": command.brightness,
                "color": None if command.color is None else list(command.color),
                "effect": command.effect,
            }
            given = {name: value for name, value in told.items() if value is not None}
            return {"action": command.action.value, **given}
        case ConfigCommand():
            return {"config": orjson.loads(command.settings)}
        case OtaCommand(firmware):
            fields = {"version": firmware.version, "url": firmware.url, "sha256": firmware.sha256}
            size = {} if firmware.size is None else {"size": firmware.size}
            return {"action": "install", **fields, **size}
        case RestartCommand():
            return {}
        case OwnCommand():
            content: dict[str, Any] = orjson.loads(command.content)
            return content


def read_command(kind: str, fields: Any) -> Command:
    """Return the command that `fields_of` wrote, or raise InvalidSettingError."""
    if not isinstance(fields, dict):
        raise InvalidSettingError("command", "not a JSON object")
    try:
        match kind:
            case RelayCommand.kind:
                return RelayCommand(RelayAction(fields["action"]))
            case LedCommand.kind:
                return _read_led(fields)
            case ConfigCommand.kind:
                return ConfigCommand(json_object(fields["config"]))
            case OtaCommand.kind:
                return OtaCommand(
                    Firmware(
                        version=fields["version"],
                        url=fields["url"],
                        sha256=fields["sha256"],
                        size=fields.get("size"),
                    )
                )
            case RestartCommand.kind:
                return RestartCommand()
            case _:
                return OwnCommand(kind, json_object(fields))
    except (KeyError, TypeError, ValueError) as err:
        raise InvalidSettingError("command", f"{kind[:64]!r} cannot be read: {err!r}") from None


def json_object(content: Any) -> str:
    """Return a JSON object as text, or raise InvalidSettingError."""
    if not isinstance(content, dict):
        raise InvalidSettingError("content", "not a JSON object")
    try:
        text = orjson.dumps(content)
    except (TypeError, orjson.JSONEncodeError) as err:
        raise InvalidSettingError("content", f"not JSON: {err}") from None
    if len(text) > MAX_CONTENT:
        raise InvalidSettingError("content", f"{len(text)} bytes, at most {MAX_CONTENT} are sent")
    return text.decode()


def _read_led(fields: dict[str, Any]) -> LedCommand:
    brightness, color, effect = (fields.get(name) for name in ("brightness", "color", "effect"))
    if color is not None:
        red, green, blue = map(_byte, color)
        color = (red, green, blue)
    if effect is not None and not (isinstance(effect, str) and 0 < len(effect) <= _MAX_TEXT):
        raise ValueError("effect")
    return LedCommand(
        LedAction(fields["action"]),
        None if brightness is None else _byte(brightness),
        color,
        effect,
    )


def _byte(value: Any) -> int:
    if type(value) is not int or not 0 <= value <= 255:
        raise ValueError("not within 0 to 255")
    return value


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """How hard a command is tried; times in seconds.

    Each of at most 1 + `retries` sends waits `timeout` and a growing gap for an answer.
    Before the first of them the command waits `ttl` at most. With `queue` it waits for a
    node or a broker that is away, and outlives a restart; otherwise it is refused then.
    """

    timeout: float = DEFAULT_TIMEOUT
    retries: int = DEFAULT_RETRIES
    queue: bool = False
    ttl: float = DEFAULT_TTL


DEFAULT_DELIVERY = Delivery()


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredCommand:
    """A queued command at rest; times are seconds since the epoch, `fields` is JSON text."""

    request_id: str
    node_id: str
    kind: str
    fields: str = field(repr=False)
    created: float
    ttl: float
    timeout: float
    retries: int
    attempts: int = 0
    first_sent: float | None = None


class ResponseStatus(StrEnum):
    """What an answer says; `accepted` and `progress` are not the last word."""

    SUCCESS = "success"
    ERROR = "error"
    ACCEPTED = "accepted"
    PROGRESS = "progress"


class Response(NamedTuple):
    """A node's answer to one request; a tuple, as it is made quicker.

    `leaf` is the end of its topic; `wait` how long, in seconds, the node wants us to go on
    waiting; `settings` what a config command led to, as JSON text; `led` what the LED shows.
    """

    node_id: str
    leaf: str
    request_id: str
    status: ResponseStatus
    result: str | None = None
    error: str | None = None
    wait: float | None = None
    stage: str | None = None
    percentage: float | None = None
    settings: str | None = None
    led: LedState | None = None
    at: float = 0.0
    stamped: bool = False


class Outcome(StrEnum):
    """How a command ended; every command has exactly one.

    `queued` is none: Home Assistant stops, the command rests and is taken up again.
    """

    CONFIRMED = "confirmed"
    REJECTED = "rejected"
    TIMED_OUT = "timed_out"
    EXPIRED = "expired"
    CANCELLED = "cancelled"
    DROPPED = "dropped"
    QUEUED = "queued"


class Reason(StrEnum):
    """Why a command was not confirmed."""

    REFUSED_BY_NODE = "refused_by_node"
    REFUSED_BY_BROKER = "refused_by_broker"
    TOO_LARGE = "too_large"
    NODE_OFFLINE = "node_offline"
    NOT_CONNECTED = "not_connected"
    BUSY = "busy"
    NO_ANSWER = "no_answer"
    NOBODY_LISTENS = "nobody_listens"
    CONNECTION_LOST = "connection_lost"
    CONGESTED = "congested"
    TOO_LATE = "too_late"
    SUPERSEDED = "superseded"
    WITHDRAWN = "withdrawn"
    STOPPED = "stopped"
    OUTBOX_FULL = "outbox_full"
    POISONOUS = "poisonous"


class CommandResult(NamedTuple):
    """The one outcome of a command; a tuple, as its caller waits while it is made.

    `action` is what a relay or an LED was told; `latency` is in seconds from the first send to the last word, None without one;
    `attempts` counts the sends; `detail` is the node's or the broker's own text;
    `settings` what a config command led to, as JSON text, if the node told it.
    """

    outcome: Outcome
    node_id: str
    kind: str
    request_id: str
    attempts: int
    action: str | None = None
    result: str | None = None
    reason: Reason | None = None
    detail: str | None = None
    latency: float | None = None
    settings: str | None = None

    @override
    def __repr__(self) -> str:
        told = zip(self._fields, self, strict=True)
        shown = ", ".join(f"{name}={value!r}" for name, value in told if name != "settings")
        return f"CommandResult({shown})"
