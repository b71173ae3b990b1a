"""What has arrived and waits to be applied: the newest payload per topic, in paced slices.

Reading the socket comes first. While the handler keeps up, everything is handed on in
the loop turn in which it came. When it cannot keep up, older payloads of a topic give
way to newer ones before anybody parses them, and the rest is handed on in slices with
pauses, so that the loop and every browser stay responsive. While newer payloads keep
coming the pauses are long, since most of what would be handed on is about to be outdated:
each topic has its turn about ten times a second, and all together no more than browsers
take. Messages marked urgent (status, answers) are never dropped, overtake the others and cut
such a pause short.
"""

from asyncio import AbstractEventLoop, TimerHandle
from collections import deque
from collections.abc import Callable

_SLICE_SECONDS = 0.001
_SLICE_MESSAGES = 256
# Of a slice's time: at least, while payloads are being superseded, and when no newer ones come.
_PAUSE, _SHORT_PAUSE = 2.0, 0.25
# While payloads are being superseded: how often each topic has its turn, and how many messages
# a second at most. Home Assistant drops a browser that lags behind by 4,096 of them.
_ROUND = 0.1
_MOST = 7_000
# For how long nothing more needs to be read then: what is urgent waits no longer.
_REST = 0.002
_FULL = 16 * 1024 * 1024
_ROOM = _FULL // 4
# What a message takes besides its bytes, so that many tiny ones do not fill the memory either.
_OVERHEAD = 300

type Item[T] = tuple[T, bytes, bytes, bool]
"""Target, topic, payload, retained."""


class Inbox[T]:
    """Hands each item to `handle(item)`, which must not raise.

    `set_full(True)` asks for no more bytes while what waits takes 16 MiB of memory, about;
    `set_full(False)` ends that. `behind_since` is when, in the loop's time, a slice first
    left something over; None while none does, and then nothing waits between two `flush`es.
    `flooded` while newer payloads come than can be handed on.
    """

    def __init__(
        self,
        loop: AbstractEventLoop,
        handle: Callable[[Item[T]], None],
        set_full: Callable[[bool], None],
    ) -> None:
        self.superseded = 0
        self.flooded = False
        self._superseded_before = 0
        self.behind_since: float | None = None
        self._loop = loop
        self._now = loop.time
        self._handle = handle
        self._set_full = set_full
        self._urgent: deque[Item[T]] = deque()
        self._newest: dict[bytes, Item[T]] = {}
        self._order: deque[bytes] = deque()
        self._taken = 0
        self._full = False
        self._timer: TimerHandle | None = None
        # When the pause may end at the earliest, if it is longer than that.
        self._rested: float | None = None

    def __len__(self) -> int:
        return len(self._urgent) + len(self._newest)

    @property
    def size(self) -> int:
        """Bytes of topics and payloads that wait."""
        return self._taken - len(self) * _OVERHEAD

    def put(self, item: Item[T], *, urgent: bool) -> None:
        """Add a message; nothing is handed on before `flush`."""
        _, topic, payload, _ = item
        if urgent:
            self._urgent.append(item)
            self._taken += len(topic) + len(payload) + _OVERHEAD
        else:
            older = self._newest.get(topic)
            self._newest[topic] = item
            if older is None:
                self._order.append(topic)
                self._taken += len(topic) + len(payload) + _OVERHEAD
            else:
                self.superseded += 1
                self._taken += len(payload) - len(older[2])
        if self._taken > _FULL and not self._full:
            self._full = True
            self._set_full(True)

    def flush(self) -> None:
        """Hand on what came, now if the last slice took all, else when its pause is over."""
        if self._timer is None:
            if self._order or self._urgent:
                self._slice()
        elif self._urgent and self._rested is not None:
            self._timer.cancel()
            rest = max(0.0, self._rested - self._now())
            self._rested = None
            self._timer = self._loop.call_later(rest, self._slice)

    def rest(self) -> float:
        """For how many seconds nothing more needs to come, as nothing would be handed on."""
        if self._timer is None:
            return 0.0
        return max(0.0, min(_REST, self._timer.when() - self._now()))

    def close(self) -> None:
        """Forget what waits."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self._urgent.clear()
        self._newest.clear()
        self._order.clear()
        self._taken = 0
        self.behind_since = self._rested = None
        self.flooded = False

    def _slice(self) -> None:
        self._timer = None
        begin = now = self._now()
        urgent, order, newest = self._urgent, self._order, self._newest
        waiting = len(order)
        for _ in range(_SLICE_MESSAGES):
            if urgent:
                item = urgent.popleft()
            elif order:
                item = newest.pop(order.popleft())
            else:
                break
            self._taken -= len(item[1]) + len(item[2]) + _OVERHEAD
            self._handle(item)
            now = self._now()
            if now - begin > _SLICE_SECONDS:
                break
        if self._full and self._taken < _ROOM:
            self._full = False
            self._set_full(False)
        if order or urgent:
            pause = self._pause(now - begin, waiting, waiting - len(order))
            self._timer = self._loop.call_later(pause, self._slice)
            if self.behind_since is None:
                self.behind_since = begin
        else:
            self.behind_since = None
            self.flooded = False

    def _pause(self, seconds: float, waiting: int, taken: int) -> float:
        """For how many seconds to rest after a slice that took some of what waited."""
        self.flooded = self.superseded > self._superseded_before
        self._superseded_before = self.superseded
        self._rested = None
        if not self.flooded:
            return _SHORT_PAUSE * seconds
        least = _PAUSE * seconds
        pause = taken * max(_ROUND / max(waiting, 1), 1 / _MOST) - seconds
        if pause <= least or self._urgent:
            return least
        self._rested = self._now() + least
        return pause
