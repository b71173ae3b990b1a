"""Watches a connection that stands: whether the broker lives, and acknowledges."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass

from .keepalive import KeepAlive, Verdict

# Bytes that came while the loop was blocked, or reading rested, are read before a silence is
# judged.
_SECOND_LOOK = 0.05
# Longer than a slow plan delays acknowledgements: EMQX's is said to take half as long.
_PUBACK_WITHIN = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Watched:
    """What a watch needs of its connection.

    `ping()` sends PINGREQ, `give_up(words)` ends the connection, `reading()` tells whether
    bytes are taken within a second look and `window_full()` whether the next message must wait.
    """

    ping: Callable[[], None]
    give_up: Callable[[str], None]
    reading: Callable[[], bool]
    window_full: Callable[[], bool]


class Watch:
    """Two timers of one connection; `keepalive` knows when bytes last came and went."""

    def __init__(self, watched: Watched, interval: float) -> None:
        self._loop = asyncio.get_running_loop()
        self.keepalive = KeepAlive(interval, self._loop.time())
        self._watched = watched
        self._silence: asyncio.TimerHandle | None = None
        self._window: asyncio.TimerHandle | None = None
        self._doubted = False
        self._stopped = False

    def change_interval(self, interval: float) -> None:
        """Take the broker's keep-alive instead of ours; before `start`."""
        self.keepalive = KeepAlive(interval, self._loop.time())

    def start(self) -> None:
        """Judge the silence now, and again when it is next due."""
        self._silence = None
        if self._stopped:
            return
        now = self._loop.time()
        verdict = self._judge(now)
        wait = 0.0
        if verdict is Verdict.DEAD and self._doubted:
            self._watched.give_up("the broker does not answer pings any more")
            return
        self._doubted = verdict is Verdict.DEAD
        if verdict is Verdict.DEAD:
            wait = _SECOND_LOOK
        elif verdict is Verdict.PING:
            self._watched.ping()
            self.keepalive.pinged(now)
        self._silence = self._loop.call_at(max(now + wait, self.keepalive.due()), self.start)

    def sent(self) -> None:
        """A message may have filled the window; one never acknowledged would block it for ever."""
        if self._window is None and self._watched.window_full() and not self._stopped:
            self._window = self._loop.call_later(_PUBACK_WITHIN, self._look_again)

    def acknowledged(self) -> None:
        """The broker acknowledged a message."""
        if self._window is not None:
            self._window.cancel()
            self._window = None
        self.sent()

    def stop(self) -> None:
        """End both timers for good."""
        self._stopped = True
        for timer in (self._silence, self._window):
            if timer is not None:
                timer.cancel()
        self._silence = self._window = None

    def _judge(self, now: float) -> Verdict:
        verdict = self.keepalive.judge(now)
        if verdict is Verdict.DEAD and not self._watched.reading():
            # The answer waits where we do not read; the broker wants pings all the same.
            return Verdict.PING
        return verdict

    def _look_again(self) -> None:
        self._window = self._loop.call_later(_SECOND_LOOK, self._judge_window)

    def _judge_window(self) -> None:
        self._window = None
        if self._watched.reading():
            self._watched.give_up("the broker does not acknowledge messages any more")
        else:
            # The acknowledgements may wait where we do not read.
            self.sent()
