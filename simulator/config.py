"""What a node is told before it starts."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cache
import math
from pathlib import Path
import re
import ssl
from typing import Literal

from .curves import PROFILES, Profile
from .info import Info

_ID = re.compile(r"[A-Za-z0-9_-]{1,64}")
_LEVEL = re.compile(r"[^+#\0]+")
_RESERVED_NODE_IDS = frozenset({"_echo"})
_KNOWN_KINDS = frozenset({"relay", "led", "config", "ota", "restart"})

# Makes a result of the fields, or raises Refused; None: the fields themselves are the result.
type OwnCommand = Callable[[Mapping[str, object]], str] | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Broker:
    """Where and how to connect; a `tls_ca` (a PEM file) implies `tls`."""

    host: str = "127.0.0.1"
    port: int = 1883
    username: str | None = None
    password: str | None = field(default=None, repr=False)
    tls: bool = False
    tls_ca: Path | None = None

    def __post_init__(self) -> None:
        if not 0 < self.port < 65_536:
            raise ValueError(f"{self.port} is no port: 1-65535")

    def ssl_context(self) -> ssl.SSLContext | None:
        """None for a connection without TLS."""
        if not self.tls and self.tls_ca is None:
            return None
        return _ssl_context(self.tls_ca)


@cache
def _ssl_context(ca: Path | None) -> ssl.SSLContext:
    return ssl.create_default_context(cafile=ca)


@dataclass(frozen=True, slots=True, kw_only=True)
class Updates:
    """How images are fetched; `ca` is a PEM file, `max_size` in bytes, times in seconds."""

    ca: Path | None = None
    max_size: int = 16 * 1024 * 1024
    # The protocol's longest silence.
    progress_every: float = 30.0
    timeout: float = 30.0

    def ssl_context(self) -> ssl.SSLContext:
        """Verifies, with the system's certificates if there is no `ca`."""
        return _ssl_context(self.ca)


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeConfig:
    """One node. Times in seconds; no `interval` means telemetry only on demand.

    Without `info` it is a node of old: it announces nothing and does not report its LED,
    unless `reports_led` says otherwise. Without `updates` it knows no OTA.
    """

    home_id: str
    node_id: str
    prefix: str = "homesync"
    firmware: str = "1.2.3"
    profile: Profile = PROFILES[0]
    has_relay: bool = True
    relay_on: bool = True
    has_led: bool = True
    reports_led: bool | None = None
    info: Info | None = None
    updates: Updates | None = None
    own_commands: Mapping[str, OwnCommand] = field(default_factory=dict)
    identify_seconds: float = 3.0
    # How long a sleepy node listens after it woke up or had a command.
    awake: float = 1.0
    interval: float | None = 10.0
    seed: int = 0
    keepalive: int = 60
    mqtt_version: Literal[4, 5] = 4
    # Long enough that hundreds of nodes do not trample a broker that just came back.
    backoff_min: float = 0.5
    backoff_max: float = 5.0

    def __post_init__(self) -> None:
        for name in (self.home_id, self.node_id):
            if not _ID.fullmatch(name):
                raise ValueError(f"{name!r} is no id: 1-64 of A-Z a-z 0-9 _ -")
        if self.node_id in _RESERVED_NODE_IDS:
            raise ValueError(f"{self.node_id} is reserved")
        if not all(_LEVEL.fullmatch(level) for level in self.prefix.split("/")):
            raise ValueError(f"{self.prefix!r} is no prefix: levels without + and #")
        if self.interval is not None and not 0 <= self.interval < math.inf:
            raise ValueError(f"{self.interval} s is no interval: 0 or more")
        for kind in self.own_commands:
            if not _ID.fullmatch(kind) or kind in _KNOWN_KINDS:
                raise ValueError(f"{kind!r} cannot be a command of one's own")

    @property
    def led_reported(self) -> bool:
        """Whether it sends status/led."""
        wanted = self.info is not None if self.reports_led is None else self.reports_led
        return self.has_led and wanted

    @property
    def client_id(self) -> str:
        """MQTT client id, unique since ids contain no dot."""
        return f"{self.home_id}.{self.node_id}"

    def topic(self, leaf: str) -> str:
        """Full topic of e.g. `status/relay`."""
        return f"{self.prefix}/{self.home_id}/nodes/{self.node_id}/{leaf}"


@dataclass(frozen=True, slots=True)
class Event:
    """Something that happened to a node, for people and logs."""

    name: str
    home_id: str
    node_id: str
    details: Mapping[str, object]
    time: datetime


def timestamp(when: datetime | None = None) -> str:
    """ISO 8601 in UTC, with milliseconds."""
    text = (when or datetime.now(UTC)).isoformat(timespec="milliseconds")
    return text.replace("+00:00", "Z")
