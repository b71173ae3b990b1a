"""Where a broker is and how long to wait for it."""

from dataclasses import dataclass, field
from ssl import SSLContext


@dataclass(frozen=True, slots=True, kw_only=True)
class BrokerSettings:
    """One client's way to one broker; secrets do not show in `repr`.

    `tls` is the context to verify the broker with, None for a plain connection.
    `keepalive` is in seconds.
    """

    host: str
    port: int
    client_id: str
    username: str | None = None
    password: str | None = field(default=None, repr=False)
    tls: SSLContext | None = None
    keepalive: int = 60


@dataclass(frozen=True, slots=True, kw_only=True)
class Timing:
    """Every wait of a session, in seconds."""

    first_attempts: int = 3
    first_gap: float = 2.0
    first_deadline: float = 5.0
    deadline: float = 10.0
    refused_gap: float = 900.0
    goodbye: float = 2.0
