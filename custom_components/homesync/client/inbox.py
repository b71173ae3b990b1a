"""What has arrived and waits to be applied: the newest payload per topic, in paced slices.

Reading the socket comes first. While the handler keeps up, everything is handed on in
the loop turn in which it came. When it cannot keep up, older payloads of a topic give
way to newer ones, and the rest is handed on in slices with pauses, so that the loop and
every browser stay responsive. While newer payloads keep coming the pauses are long, since
most of what would be handed on is about to be outdated: each topic has its turn about ten
times a second, and all together no more than browsers take. Urgent messages (status,
answers) are never dropped, overtake the others and cut such a pause short. They go round
by who sent them, and leave the others a share, so that whoever sends too many of them holds
up nobody but himself.
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

# So many urgent messages in a row at most while others wait.
_IN_A_ROW = 3

type Item[T, R] = tuple[T, bytes, bytes, bool, R | None]
"""Target, topic, payload, retained, and what was read of it already."""


class Inbox[T, R]:
    """Hands each item to `handle(item)`, which must not raise.

    `prefer(older, newer)` is asked which of two payloads of one topic counts; None if the
    newer one is of no use at all. It may add what it read, and must not raise either.
    `set_full(True)` asks for no more bytes while what waits takes 16 MiB of memory, about;
    `set_full(False)` ends that. `behind_since` is when, in the loop's time, a slice first
    left something over; None while none does, and then nothing waits between two `flush`es.
    `flooded` while newer payloads come than can be handed on.
    """

    def __init__(
        self,
        loop: AbstractEventLoop,
        handle: Callable[[Item[T, R]], None],
        prefer: Callable[[Item[T, R], Item[T, R]], Item[T, R] | None],
        set_full: Callable[[bool], None],
    ) -> None:
        self.superseded = 0
        self.flooded = False
        self._superseded_before = 0
        self.behind_since: float | None = None
        self._loop = loop
        self._now = loop.time
        self._handle = handle
        self._prefer = prefer
        self._set_full = set_full
        self._urgent: dict[str, deque[Item[T, R]]] = {}
        self._senders: deque[str] = deque()
        self._urgent_waiting = self._in_a_row = 0
        self._newest: dict[bytes, Item[T, R]] = {}
        self._order: deque[bytes] = deque()
        self._taken = 0
        self._full = False
        self._timer: TimerHandle | None = None
        # When the pause may end at the earliest, if it is longer than that.
        self._rested: float | None = None

    def __len__(self) -> int:
        return self._urgent_waiting + len(self._newest)

    @property
    def size(self) -> int:
        """Bytes of topics and payloads that wait."""
        return self._taken - len(self) * _OVERHEAD

    def put(self, item: Item[T, R]) -> None:
        """Add a message; nothing is handed on before `flush`."""
        topic = item[1]
        older = self._newest.get(topic)
        if older is None:
            self._newest[topic] = item
            self._order.append(topic)
            self._taken += len(topic) + len(item[2]) + _OVERHEAD
        elif (preferred := self._prefer(older, item)) is not None:
            self._newest[topic] = preferred
            self.superseded += 1
            self._taken += len(preferred[2]) - len(older[2])
        if self._taken > _FULL:
            self._fill()

    def put_urgent(self, item: Item[T, R], sender: str) -> None:
        """Add a message that overtakes; nothing is handed on before `flush`."""
        line = self._urgent.get(sender)
        if line is None:
            line = self._urgent[sender] = deque()
            self._senders.append(sender)
        line.append(item)
        self._urgent_waiting += 1
        self._taken += len(item[1]) + len(item[2]) + _OVERHEAD
        if self._taken > _FULL:
            self._fill()

    def flush(self) -> None:
        """Hand on what came, now if the last slice took all, else when its pause is over."""
        if self._timer is None:
            if self._order or self._senders:
                self._slice()
        elif self._senders and self._rested is not None:
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
        self._senders.clear()
        self._urgent_waiting = 0
        self._newest.clear()
        self._order.clear()
        self._taken = 0
        self.behind_since = self._rested = None
        self.flooded = False
        if self._full:
            self._full = False
            self._set_full(False)

    def _fill(self) -> None:
        if not self._full:
            self._full = True
            self._set_full(True)

    def _slice(self) -> None:
        self._timer = None
        begin = now = self._now()
        senders, order, newest = self._senders, self._order, self._newest
        waiting = len(order)
        for _ in range(_SLICE_MESSAGES):
            if senders and (self._in_a_row < _IN_A_ROW or not order):
                item = self._next_urgent()
                self._in_a_row += 1
            elif order:
                item = newest.pop(order.popleft())
                self._in_a_row = 0
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
        if order or senders:
            pause = self._pause(now - begin, waiting, waiting - len(order))
            self._timer = self._loop.call_later(pause, self._slice)
            if self.behind_since is None:
                self.behind_since = begin
        else:
            self.behind_since = None
            self.flooded = False
            self._superseded_before = self.superseded

    def _next_urgent(self) -> Item[T, R]:
        sender = self._senders.popleft()
        line = self._urgent[sender]
        if len(line) > 1:
            self._senders.append(sender)
        else:
            del self._urgent[sender]
        self._urgent_waiting -= 1
        return line.popleft()

    def _pause(self, seconds: float, waiting: int, taken: int) -> float:
        """For how many seconds to rest after a slice that took some of what waited."""
        self.flooded = self.superseded > self._superseded_before
        self._superseded_before = self.superseded
        self._rested = None
        if not self.flooded:
            return _SHORT_PAUSE * seconds
        least = _PAUSE * seconds
        pause = taken * max(_ROUND / max(waiting, 1), 1 / _MOST) - seconds
        if pause <= least or self._senders:
            return least
        self._rested = self._now() + least
        return pause
