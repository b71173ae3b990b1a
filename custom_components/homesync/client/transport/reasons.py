"""What a broker's refusal means, and what follows from it.

Codes are those of MQTT 3.1.1: CONNACK table 3.1, SUBACK section 3.9.3.
"""

from ..errors import Cause

CONNACK_CAUSES: dict[int, tuple[Cause, str]] = {
    1: (Cause.PROTOCOL_VERSION, "the broker does not speak MQTT 3.1.1"),
    2: (Cause.CLIENT_ID, "the broker does not accept the client id"),
    3: (Cause.SERVER_UNAVAILABLE, "the broker says that it is unavailable"),
    4: (Cause.CREDENTIALS, "the broker refuses the user name or password"),
    5: (Cause.NOT_AUTHORISED, "the broker does not authorise this user"),
}

SUBACK_FAILURE = 0x80

NEEDS_USER = frozenset(
    (
        Cause.PROTOCOL_VERSION,
        Cause.CLIENT_ID,
        Cause.CREDENTIALS,
        Cause.NOT_AUTHORISED,
        Cause.SUBSCRIPTION_REFUSED,
    )
)
"""Trying again soon is useless, and looks like an attack to the broker."""

ASKS_FOR_CREDENTIALS = frozenset((Cause.CREDENTIALS, Cause.NOT_AUTHORISED))


def connack_cause(code: int) -> tuple[Cause, str]:
    """Return the cause and the words for a refusing CONNACK."""
    return CONNACK_CAUSES.get(
        code, (Cause.PROTOCOL_ERROR, f"the broker refuses with unknown code {code}")
    )
