"""Jobs in slices, between which others have a turn."""

from asyncio import get_running_loop
from collections.abc import Callable, Iterator
from functools import partial
from unittest.mock import patch

import pytest

from custom_components.homesync.paced import Pace, Paced


class Clock:
    """A loop whose time passes only while a job is done."""

    def __init__(self) -> None:
        self.now = 0.0
        self.soon: list[Callable[[], None]] = []
        self.pace = Pace(self)  # type: ignore[arg-type]  # as much of a loop as it needs
        self.done: list[str] = []

    def time(self) -> float:
        return self.now

    def call_soon(self, callback: Callable[[], None]) -> None:
        self.soon.append(callback)

    def turn(self) -> None:
        """Let the loop turn once: nobody may ask for two."""
        (following,) = self.soon
        self.soon.clear()
        following()

    def paced(self, name: str, jobs: int) -> Paced:
        """Two of its jobs make a slice."""
        paced = Paced(self.pace)
        for number in range(jobs):
            paced.add(partial(self._work, f"{name}{number}"))
        return paced

    def _work(self, name: str) -> None:
        self.now += 0.003
        self.done.append(name)


@pytest.fixture
def clock() -> Iterator[Clock]:
    with patch("custom_components.homesync.paced._SLICE_SECONDS", 0.004):
        yield Clock()


def test_a_slice_ends_in_time_and_the_next_is_for_the_next_turn(clock: Clock) -> None:
    paced = clock.paced("a", 5)
    paced.run()
    assert clock.done == ["a0", "a1"]
    paced.run()
    assert clock.done == ["a0", "a1"]
    clock.turn()
    assert clock.done == ["a0", "a1", "a2", "a3"]
    paced.close()
    clock.turn()
    assert clock.done == ["a0", "a1", "a2", "a3"]
    assert not clock.soon


def test_households_that_have_much_to_do_share_the_turns_of_the_loop(clock: Clock) -> None:
    for name in "ab":
        clock.paced(name, 5).run()
    clock.done.clear()
    for _ in range(4):
        before = clock.now
        clock.turn()
        assert clock.now - before < 0.008
    assert clock.done == ["a2", "a3", "b2", "b3", "a4", "b4"]
    assert not clock.soon


def test_a_job_that_fails_keeps_nobody_from_his_turn(clock: Clock) -> None:
    def fail() -> None:
        clock.now += 0.005
        raise ZeroDivisionError

    first, second = clock.paced("a", 2), clock.paced("b", 3)
    first.add(fail)
    first.add(partial(clock.done.append, "after"))
    first.run()
    second.run()
    with pytest.raises(ZeroDivisionError):
        clock.turn()
    clock.turn()
    clock.turn()
    assert clock.done == ["a0", "a1", "b0", "b1", "b2", "after"]


async def test_what_fits_into_a_slice_is_done_at_once() -> None:
    done: list[int] = []
    paced = Paced(Pace(get_running_loop()))
    for number in range(3):
        paced.add(partial(done.append, number))
    paced.run()
    assert done == [0, 1, 2]
