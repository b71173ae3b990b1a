"""Where a broker is, how to speak to it, and how long to wait for it."""

from dataclasses import dataclass, field, replace
from enum import StrEnum
import secrets
from ssl import SSLContext
from typing import TYPE_CHECKING

from ..records import Publication
from .packets import MqttVersion

if TYPE_CHECKING:
    from aiohttp import ClientSession


class Transport(StrEnum):
    """How bytes get to a broker."""

    TCP = "tcp"
    WEBSOCKET = "websocket"


@dataclass(frozen=True, slots=True, kw_only=True)
class WebSocketSettings:
    """An MQTT broker's WebSocket address; `path` and `headers` may hold secrets."""

    port: int
    path: str = field(default="/mqtt", repr=False)
    headers: dict[str, str] = field(default_factory=dict, repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class BrokerSettings:
    """One client's way to one broker; neither user name nor secrets show in `repr`.

    `tls` is the context to verify the broker with, None for a plain connection.
    `version` None means MQTT 5 first and 3.1.1 if the broker knows no 5. A `websocket`
    is the only way if `transport` says so, else what is tried when TCP does not get
    through. `keepalive` and `session_expiry` are in seconds; an expiry of 0 is a clean
    session. `will` is published by the broker when the connection is lost, `birth` by
    us at each connection, `farewell` before a clean end.
    """

    host: str
    port: int
    client_id: str
    username: str | None = field(default=None, repr=False)
    password: str | None = field(default=None, repr=False)
    tls: SSLContext | None = None
    transport: Transport = Transport.TCP
    websocket: WebSocketSettings | None = None
    http: ClientSession | None = field(default=None, repr=False)
    version: MqttVersion | None = None
    keepalive: int = 60
    session_expiry: int = 0
    maximum_packet: int | None = None
    will: Publication | None = None
    birth: Publication | None = None
    farewell: Publication | None = None

    def url(self, transport: Transport) -> str:
        """The broker's address one way, without secrets."""
        secured = self.tls is not None
        if transport is Transport.TCP or self.websocket is None:
            return f"mqtt{'s' if secured else ''}://{self.host}:{self.port}"
        path = self.websocket.path.lstrip("/")
        return f"ws{'s' if secured else ''}://{self.host}:{self.websocket.port}/{path}"

    def as_guest(self) -> BrokerSettings:
        """The same way under an id of its own, no longer than ours, that leaves nothing behind."""
        return replace(
            self,
            client_id=f"{self.client_id[:-6]}{secrets.token_hex(3)}",
            session_expiry=0,
            will=None,
            birth=None,
            farewell=None,
        )

    def lowered(self, *, retain: bool, qos: int) -> BrokerSettings:
        """The same with messages that a lesser broker takes."""

        def lower(message: Publication | None) -> Publication | None:
            if message is None:
                return None
            kept = message.retain and retain
            return replace(message, qos=min(message.qos, qos), retain=kept)

        return replace(
            self,
            will=lower(self.will),
            birth=lower(self.birth),
            farewell=lower(self.farewell),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Timing:
    """Every wait of a session, in seconds."""

    first_attempts: int = 3
    first_gap: float = 2.0
    first_deadline: float = 5.0
    deadline: float = 10.0
    longest_gap: float = 60.0
    slow_gap: float = 900.0
    rate_gap: float = 60.0
    goodbye: float = 2.0
    echo_every: float = 300.0
    echo_within: float = 10.0
    way_back_every: float = 1800.0
