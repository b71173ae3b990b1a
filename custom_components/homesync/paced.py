"""Many small jobs without a stutter: slices of a few milliseconds, with short pauses."""

from asyncio import AbstractEventLoop, TimerHandle
from collections import deque
from collections.abc import Callable

_SLICE_SECONDS = 0.004
_PAUSE = 0.1  # of a slice; everybody else has a turn in each pause


class Paced:
    """Does jobs in order; none of them may take longer than a slice."""

    def __init__(self, loop: AbstractEventLoop) -> None:
        self._loop = loop
        self._jobs: deque[Callable[[], None]] = deque()
        self._timer: TimerHandle | None = None

    def add(self, job: Callable[[], None]) -> None:
        """Put a job at the end; nothing is done before `run`."""
        self._jobs.append(job)

    def run(self) -> None:
        """Do what there is: now, as far as a slice goes, and the rest soon."""
        if self._timer is None:
            self._slice()

    def close(self) -> None:
        """Forget what is left."""
        self._jobs.clear()
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _slice(self) -> None:
        self._timer = None
        begin = now = self._loop.time()
        while self._jobs and now - begin <= _SLICE_SECONDS:
            self._jobs.popleft()()
            now = self._loop.time()
        if self._jobs:
            self._timer = self._loop.call_later(_PAUSE * (now - begin), self._slice)
