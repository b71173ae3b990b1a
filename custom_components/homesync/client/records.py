"""What crosses the client's layers: frozen records, no dicts.

Times are seconds since the epoch (UTC). `stamped` tells that the node itself gave the
time; otherwise it is the time of arrival.
"""

from dataclasses import dataclass, replace
from enum import StrEnum
import re
from typing import NamedTuple

from .errors import InvalidSettingError

_HTTPS = re.compile(r"https://[!-~]{1,2000}", re.ASCII)
_SHA256 = re.compile(r"[0-9a-fA-F]{64}", re.ASCII)


class Reading(NamedTuple):
    """One telemetry value. `unit` is None only where the metric has none.

    A tuple, since one is made for every message: a frozen dataclass costs four times as much.
    """

    node_id: str
    metric: str
    value: float
    unit: str | None
    quality: int | None
    at: float
    stamped: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Firmware:
    """An image that a node can be told to fetch; `size` in bytes, `sha256` in hexadecimal.

    Raises InvalidSettingError for what no node should be sent.
    """

    version: str
    url: str
    sha256: str
    size: int | None = None
    notes: str | None = None

    def __post_init__(self) -> None:
        if type(self.version) is not str or not 0 < len(self.version) <= 64:
            raise InvalidSettingError("version", "a text of 1 to 64 characters is needed")
        if type(self.url) is not str or not _HTTPS.fullmatch(self.url):
            raise InvalidSettingError("url", "an https address is needed")
        if type(self.sha256) is not str or not _SHA256.fullmatch(self.sha256):
            raise InvalidSettingError("sha256", "64 hexadecimal digits are needed")
        if self.size is not None and (type(self.size) is not int or self.size <= 0):
            raise InvalidSettingError("size", "a number of bytes is needed")


@dataclass(frozen=True, slots=True, kw_only=True)
class LedState:
    """What an LED shows; brightness and colours 0 to 255, None if the node does not tell."""

    on: bool
    brightness: int | None = None
    color: tuple[int, int, int] | None = None
    effect: str | None = None

    def after(self, older: LedState) -> LedState:
        """Return this state with the brightness and colour of an older one where it tells none."""
        return replace(
            self,
            brightness=older.brightness if self.brightness is None else self.brightness,
            color=older.color if self.color is None else self.color,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Installation:
    """Firmware on its way into a node; `percentage` 0 to 100, None while unknown."""

    version: str
    stage: str | None = None
    percentage: float | None = None


class StatusKey(StrEnum):
    """What a node says of itself."""

    ONLINE = "online"
    RELAY = "relay"
    LED = "led"
    FIRMWARE = "firmware"
    RSSI = "rssi"
    UPTIME = "uptime"
    MODEL = "model"
    MANUFACTURER = "manufacturer"
    HARDWARE = "hardware"
    CAPABILITIES = "capabilities"
    EFFECTS = "effects"
    AVAILABLE = "available"


type StatusValue = bool | int | str | LedState | Firmware | Installation | tuple[str, ...] | None


class StatusReport(NamedTuple):
    """Fields of one status message; a value of None takes the field back. A tuple as a Reading.

    `rssi` is in dBm, `uptime` in seconds, `relay` and `online` are booleans, `led` is a
    LedState, `available` a Firmware, `capabilities` and `effects` are names.
    """

    node_id: str
    fields: tuple[tuple[StatusKey, StatusValue], ...]
    at: float
    stamped: bool


@dataclass(frozen=True, slots=True)
class Publication:
    """One message to send, never retained unless it says so."""

    topic: str
    payload: bytes
    qos: int = 1
    retain: bool = False


class LeftOver(StrEnum):
    """Why nobody needs what a broker keeps."""

    COMMAND = "command"
    ANSWER = "answer"
    UNKNOWN_NODE = "unknown_node"
    UNKNOWN_TOPIC = "unknown_topic"
