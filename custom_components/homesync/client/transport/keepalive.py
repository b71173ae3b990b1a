"""When to ping and when to give a silent connection up (MQTT 3.1.1 section 3.1.2.10)."""

from enum import Enum, auto

_ANSWER_WITHIN = 10.0


class Verdict(Enum):
    """What to do now."""

    WAIT = auto()
    PING = auto()
    DEAD = auto()


class KeepAlive:
    """Judges one connection; `interval` in seconds, all times in monotonic seconds.

    `received` and `sent` are when bytes last came and went; whoever sees them sets them.

    A ping is due when nothing came for half an interval or nothing went for three
    quarters. The connection is dead when no byte came within 10 s of the ping, or bytes
    came but no answer to the ping within one interval.
    """

    def __init__(self, interval: float, now: float) -> None:
        self.received = self.sent = now
        self._interval = interval
        self._pinged: float | None = None

    def pinged(self, now: float) -> None:
        """A PINGREQ went."""
        self.sent = self._pinged = now

    def answered(self) -> None:
        """A PINGRESP came."""
        self._pinged = None

    def due(self) -> float:
        """When to judge next."""
        if self._pinged is None:
            return min(self.received + self._interval / 2, self.sent + self._interval * 0.75)
        if self.received > self._pinged:
            return self._pinged + self._interval
        return self._pinged + min(_ANSWER_WITHIN, self._interval)

    def judge(self, now: float) -> Verdict:
        """What to do at `now`."""
        if now < self.due():
            return Verdict.WAIT
        return Verdict.PING if self._pinged is None else Verdict.DEAD
