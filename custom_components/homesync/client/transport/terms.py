"""What a connection is given: what to subscribe to, on which terms, whom to hand it to."""

from collections.abc import Callable
from dataclasses import dataclass

from ..errors import Cause, ConnectError, Step
from .packets import MqttVersion
from .reader import OnMessages
from .reasons import FAILURE
from .settings import Transport

HIGHEST_QOS = 2
"""Codes of SUBACK up to it are a granted QoS."""


@dataclass(frozen=True, slots=True)
class Subscriptions:
    """Filters with the QoS to ask for; `echo_topics` are (filter, topic of no node under it)."""

    filters: tuple[tuple[str, int], ...] = ()
    echo_topics: tuple[tuple[str, str], ...] = ()

    @property
    def names(self) -> tuple[str, ...]:
        """The filters alone."""
        return tuple(topic_filter for topic_filter, _ in self.filters)

    def without(self, left_out: frozenset[str]) -> Subscriptions:
        """The same but for some filters."""
        return Subscriptions(
            tuple(each for each in self.filters if each[0] not in left_out),
            tuple(each for each in self.echo_topics if each[0] not in left_out),
        )

    def check_granted(self, codes: tuple[int, ...]) -> None:
        """Raise ConnectError unless a SUBACK's codes grant every filter."""
        if len(codes) != len(self.filters):
            raise ConnectError(Cause.PROTOCOL_ERROR, Step.SUBSCRIBE, "SUBACK of the wrong length")
        for (topic_filter, _), code in zip(self.filters, codes, strict=True):
            if code >= FAILURE:
                raise ConnectError(
                    Cause.SUBSCRIPTION_REFUSED,
                    Step.SUBSCRIBE,
                    f"the broker does not allow to subscribe to {topic_filter}",
                )
            if code > HIGHEST_QOS:
                raise ConnectError(
                    Cause.PROTOCOL_ERROR,
                    Step.SUBSCRIBE,
                    f"SUBACK with the unknown code {code:#04x}",
                )


@dataclass(frozen=True, slots=True, kw_only=True)
class Receiver:
    """Where a connection hands what it received."""

    on_messages: OnMessages
    on_oversize: Callable[[bytes], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """What may differ from one attempt to the next.

    `listen_first` waits a moment before CONNECT: with TLS 1.3 a broker refuses our certificate
    after the handshake, and if it has not read what we sent its alert is lost in a reset.
    """

    version: MqttVersion
    transport: Transport
    keepalive: int
    window: int
    retain: bool = True
    qos: int = 1
    listen_first: bool = False
