"""A policy on a clock in the test's hand."""

from typing import Any

from custom_components.homesync.client import (
    Cause,
    ConnectError,
    Learned,
    MqttVersion,
    Step,
    Timing,
    WebSocketSettings,
    build_context,
)
from custom_components.homesync.client.transport.policy import NOTHING_LEARNED, Policy
from custom_components.homesync.client.transport.terms import Terms
from custom_components.homesync.client.transport.tls import TlsSettings

from .link import settings

V311, V5 = MqttVersion.V311, MqttVersion.V5
TLS = build_context(TlsSettings(verify=False))
SLOW = 900.0
CERTIFICATE_CAUSES = [
    Cause.TLS_EXPIRED,
    Cause.TLS_NOT_YET_VALID,
    Cause.TLS_WRONG_HOST,
    Cause.TLS_UNKNOWN_ISSUER,
    Cause.TLS_SELF_SIGNED,
    Cause.TLS_CLIENT_CERTIFICATE,
]


class Desk:
    """A policy after its first tries; random numbers are always 1."""

    def __init__(self, learned: Learned = NOTHING_LEARNED, **changes: Any) -> None:
        self.now = 1000.0
        self.policy = Policy(
            settings(8883, **changes),
            Timing(first_attempts=0),
            learned,
            lambda: 1.0,
            lambda: self.now,
        )

    def terms(self) -> Terms:
        return self.policy.next()[0]

    def fail(self, cause: Cause, step: Step = Step.CONNACK, code: int | None = None) -> float:
        self.policy.next()
        return self.policy.failed(ConnectError(cause, step, "words", code=code))

    def live(self, held: float, cause: Cause = Cause.CLOSED, code: int | None = None) -> float:
        """Connect, hold so long, lose."""
        self.policy.next()
        self.policy.connected()
        self.now += held
        return self.policy.lost(ConnectError(cause, Step.LINK, "words", code=code), held)


def secured(**changes: Any) -> Desk:
    websocket = WebSocketSettings(port=8884)
    return Desk(**{"tls": TLS, "websocket": websocket, "version": V5, **changes})
