"""Many small jobs without a stutter: slices of a few milliseconds, between which others have a turn."""

from asyncio import AbstractEventLoop
from collections import deque
from collections.abc import Callable

from homeassistant.core import HomeAssistant
from homeassistant.util.hass_dict import HassKey

from .const import DOMAIN

_SLICE_SECONDS = 0.004


class Pace:
    """Lets those who have jobs left do a slice in turn, one in each turn of the loop.

    All households share it, as all of them may have something to do at once.
    """

    def __init__(self, loop: AbstractEventLoop) -> None:
        self.now = loop.time
        self._call_soon = loop.call_soon
        self._waiting: deque[Paced] = deque()
        self._scheduled = False

    def wait(self, paced: Paced) -> None:
        """Let it go on when its turn has come."""
        self._waiting.append(paced)
        self._schedule()

    def _schedule(self) -> None:
        if self._waiting and not self._scheduled:
            self._scheduled = True
            # A pause of however short a time would take a millisecond.
            self._call_soon(self._next)

    def _next(self) -> None:
        self._scheduled = False
        paced = self._waiting.popleft()
        # Before a job that fails can keep the others from their turn.
        self._schedule()
        paced.go_on()


class Paced:
    """Does jobs in order; none of them may take longer than a slice."""

    def __init__(self, pace: Pace) -> None:
        self._pace = pace
        self._jobs: deque[Callable[[], None]] = deque()
        self._waits = False

    def add(self, job: Callable[[], None]) -> None:
        """Put a job at the end; nothing is done before `run`."""
        self._jobs.append(job)

    def run(self) -> None:
        """Do what there is: now, as far as a slice goes, and the rest soon."""
        if not self._waits:
            self.go_on()

    def close(self) -> None:
        """Forget what is left."""
        self._jobs.clear()

    def go_on(self) -> None:
        """Do a slice."""
        begin = self._pace.now()
        try:
            while self._jobs and self._pace.now() - begin <= _SLICE_SECONDS:
                self._jobs.popleft()()
        finally:
            self._waits = bool(self._jobs)
            if self._waits:
                self._pace.wait(self)


_PACE: HassKey[Pace] = HassKey(f"{DOMAIN}_pace")


def pace_of(hass: HomeAssistant) -> Pace:
    """Return the one that all households share."""
    return hass.data.setdefault(_PACE, Pace(hass.loop))
