"""What one session has carried and lived through: plain numbers that only grow.

Bytes are those of MQTT packets, as they come from and go to the stream: what TLS, TCP and
WebSocket add is not among them, but what a lost connection could not deliver any more is.
"""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass

from ..errors import Cause, CongestedError, HomeSyncError, NotConnectedError, TooLargeError

LEFT = "left"
"""Why a connection ended: we connect anew, as asked."""
STOPPED = "stopped"
"""Why a connection ended: the session does."""
DISCONNECT_REASONS = (*(cause.value for cause in Cause), LEFT, STOPPED)
"""Every reason for which a connection may have ended."""


@dataclass(slots=True)
class Traffic:
    """Counts of a session over all its connections.

    `received` and `sent` are PUBLISH packets of any QoS, `…_qos1` those of QoS 1. Of the
    sent ones, `acknowledged` and `refused` were answered so by the broker; `unanswered` are
    QoS 1 messages, sent or waiting, whose connection ended first.
    """

    bytes_in: int = 0
    bytes_out: int = 0
    received: int = 0
    received_qos1: int = 0
    sent: int = 0
    sent_qos1: int = 0
    acknowledged: int = 0
    refused: int = 0
    unanswered: int = 0
    not_connected: int = 0
    congested: int = 0
    too_large: int = 0

    def unsent(self, error: HomeSyncError) -> None:
        """A message was not even taken."""
        match error:
            case TooLargeError():
                self.too_large += 1
            case CongestedError():
                self.congested += 1
            case NotConnectedError():
                self.not_connected += 1


class LinkHistory:
    """How attempts and connections of one session went.

    `clock` gives monotonic seconds, `wall_clock` those since the epoch, in which
    `since`, `ended` and `next_attempt` are; None where there is none. Spans follow `clock`.
    """

    def __init__(self, clock: Callable[[], float], wall_clock: Callable[[], float]) -> None:
        self.connects = 0
        self.failures: Counter[str] = Counter()
        self.disconnects: Counter[str] = Counter()
        self.since: float | None = None
        self.ended: float | None = None
        self.last_reason: str | None = None
        self.next_attempt: float | None = None
        self._clock = clock
        self._wall_clock = wall_clock
        self._connected_at: float | None = None
        self._away_since = clock()
        self._before = 0.0

    @property
    def seconds(self) -> float:
        """For how long the present connection has stood; 0 without one."""
        return 0.0 if self._connected_at is None else self._clock() - self._connected_at

    @property
    def seconds_away(self) -> float:
        """For how long there has been none, since the last or the beginning; 0 with one."""
        return self._clock() - self._away_since if self._connected_at is None else 0.0

    @property
    def seconds_in_all(self) -> float:
        """For how long there was a connection, the present one included."""
        return self._before + self.seconds

    def attempt(self) -> None:
        """An attempt begins."""
        self.next_attempt = None

    def failed(self, cause: Cause) -> None:
        """An attempt failed."""
        self.failures[cause] += 1

    def connected(self) -> None:
        """An attempt succeeded."""
        self.connects += 1
        self.since = self._wall_clock()
        self._connected_at = self._clock()

    def disconnected(self, reason: str) -> None:
        """The present connection ended; nothing happens without one."""
        if self._connected_at is None:
            return
        self._before += self.seconds
        self._connected_at = self.since = None
        self._away_since = self._clock()
        self.disconnects[reason] += 1
        self.last_reason = reason
        self.ended = self._wall_clock()

    def waits(self, seconds: float) -> None:
        """The next attempt comes in so many seconds."""
        self.next_attempt = self._wall_clock() + seconds

    def stopped(self) -> None:
        """There will be no further attempt."""
        self.next_attempt = None
        self.disconnected(STOPPED)
