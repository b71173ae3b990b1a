"""What a broker's code means and what follows from it: one table.

Codes are those of MQTT 5 (section 2.4); those of MQTT 3.1.1 are translated on arrival.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum, auto

from ..errors import Cause, Step


class Action(Enum):
    """What happens after a connection ended."""

    RETRY = auto()
    """Try again with back-off."""
    WAIT = auto()
    """Try again after a minute at the earliest."""
    SLOW = auto()
    """Try every 15 minutes: only the broker's side can change it."""
    ASK = auto()
    """Ask the user; try every 15 minutes meanwhile."""
    OTHER_PROTOCOL = auto()
    """Try the other version of MQTT at once, unless one was chosen; else as ASK."""
    FASTER_PINGS = auto()
    """Try again with half the keep-alive."""
    SMALLER_WINDOW = auto()
    """Try again with half the open messages."""
    NO_RETAIN = auto()
    """Try again and retain nothing."""
    LOWER_QOS = auto()
    """Try again with QoS 0."""


@dataclass(frozen=True, slots=True)
class Reason:
    """A code's meaning."""

    cause: Cause
    words: str
    action: Action = Action.RETRY


NO_SUBSCRIBERS = 0x10
FAILURE = 0x80
NOT_AUTHORISED = 0x87

_REASONS: dict[int, Reason] = {
    0x00: Reason(Cause.CLOSED, "the broker said goodbye"),
    0x80: Reason(Cause.SERVER_UNAVAILABLE, "the broker gives no reason"),
    0x81: Reason(Cause.PROTOCOL_ERROR, "the broker calls a packet malformed"),
    0x82: Reason(Cause.PROTOCOL_ERROR, "the broker sees a protocol error"),
    0x83: Reason(Cause.SERVER_UNAVAILABLE, "the broker has a reason of its own"),
    0x84: Reason(
        Cause.PROTOCOL_VERSION,
        "the broker does not speak this version of MQTT",
        Action.OTHER_PROTOCOL,
    ),
    0x85: Reason(Cause.CLIENT_ID, "the broker does not accept the client id", Action.ASK),
    0x86: Reason(Cause.CREDENTIALS, "the broker refuses the user name or password", Action.ASK),
    0x87: Reason(Cause.NOT_AUTHORISED, "the broker does not authorise this user", Action.ASK),
    0x88: Reason(Cause.SERVER_UNAVAILABLE, "the broker says that it is unavailable"),
    0x89: Reason(Cause.SERVER_UNAVAILABLE, "the broker says that it is busy"),
    0x8A: Reason(Cause.BANNED, "the broker has banned this client", Action.SLOW),
    0x8B: Reason(Cause.SERVER_UNAVAILABLE, "the broker is shutting down"),
    0x8C: Reason(Cause.CREDENTIALS, "the broker wants another way to log in", Action.ASK),
    0x8D: Reason(Cause.KEEPALIVE, "the broker missed our pings in time", Action.FASTER_PINGS),
    0x8E: Reason(Cause.TAKEN_OVER, "another client uses the same client id"),
    0x93: Reason(
        Cause.RECEIVE_MAXIMUM, "too many messages were open at once", Action.SMALLER_WINDOW
    ),
    0x95: Reason(Cause.PACKET_TOO_LARGE, "a packet was too large for the broker"),
    0x96: Reason(Cause.RATE, "the broker's message rate was exceeded", Action.WAIT),
    0x97: Reason(Cause.QUOTA, "the broker's plan or quota is used up", Action.SLOW),
    0x98: Reason(Cause.BANNED, "the broker's administrator ended the connection", Action.SLOW),
    0x9A: Reason(Cause.NO_RETAIN, "the broker does not keep messages (retain)", Action.NO_RETAIN),
    0x9B: Reason(Cause.NO_QOS, "the broker does not offer this QoS", Action.LOWER_QOS),
    0x9C: Reason(Cause.OTHER_SERVER, "the broker asks to use another server", Action.SLOW),
    0x9D: Reason(Cause.OTHER_SERVER, "the broker has moved to another server", Action.SLOW),
    0x9F: Reason(Cause.RATE, "the broker's connection rate was exceeded", Action.WAIT),
    0xA0: Reason(Cause.CLOSED, "the broker's longest connection time was reached"),
}

_ACTIONS: Mapping[Cause, Action] = {
    reason.cause: reason.action for reason in _REASONS.values() if reason.action is not Action.RETRY
} | {
    Cause.SUBSCRIPTION_REFUSED: Action.ASK,
    Cause.TLS_EXPIRED: Action.SLOW,
    Cause.TLS_NOT_YET_VALID: Action.SLOW,
    Cause.TLS_WRONG_HOST: Action.SLOW,
    Cause.TLS_UNKNOWN_ISSUER: Action.SLOW,
    Cause.TLS_SELF_SIGNED: Action.SLOW,
    Cause.TLS_CLIENT_CERTIFICATE: Action.SLOW,
}

# The broker says that we broke the rules, and often means a corner of MQTT 5 that it lacks.
OBJECTIONS = frozenset((0x81, 0x82))
ASKS_FOR_CREDENTIALS = frozenset((Cause.CREDENTIALS, Cause.NOT_AUTHORISED))


def reason_of(code: int) -> Reason:
    """Return what a code that ended or refused a connection means."""
    return _REASONS.get(code) or Reason(
        Cause.PROTOCOL_ERROR, f"the broker gives the unknown code {code:#04x}"
    )


def action_of(cause: Cause) -> Action:
    """Return what follows from a cause."""
    return _ACTIONS.get(cause, Action.RETRY)


TIMEOUT_WORDS: Mapping[Step, str] = {
    Step.RESOLVE: "the broker's host name was not resolved in time",
    Step.TCP: "the broker does not answer",
    Step.TLS: "the broker did not finish the TLS handshake",
    Step.WEBSOCKET: "the broker did not finish the WebSocket handshake",
    Step.CONNACK: "the broker did not answer the CONNECT; is this an MQTT port?",
    Step.SUBSCRIBE: "the broker did not answer the SUBSCRIBE",
    Step.LINK: "the broker does not answer",
}
"""What it means that a step of connecting took too long."""
