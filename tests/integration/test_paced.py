"""Jobs in slices, with short pauses between them."""

from asyncio import get_running_loop
from collections.abc import Iterator
from unittest.mock import Mock, patch

import pytest

from custom_components.homesync.paced import Paced


class Clock:
    """A loop whose time passes only while a job is done."""

    def __init__(self) -> None:
        self.now = 0.0
        self.delay = 0.0

    def time(self) -> float:
        return self.now

    def call_later(self, delay: float, _: object) -> Mock:
        self.delay = delay
        return Mock()


@pytest.fixture
def slices_of_4_ms() -> Iterator[None]:
    with patch("custom_components.homesync.paced._SLICE_SECONDS", 0.004):
        yield


@pytest.mark.usefixtures("slices_of_4_ms")
async def test_a_slice_ends_in_time_and_the_pause_is_a_tenth() -> None:
    clock = Clock()
    paced = Paced(clock)  # type: ignore[arg-type]  # as much of a loop as it needs
    done: list[int] = []

    def job(number: int) -> None:
        clock.now += 0.003
        done.append(number)

    for number in range(5):
        paced.add(lambda number=number: job(number))  # type: ignore[misc]  # its default is its number
    paced.run()

    assert done == [0, 1]
    assert clock.delay == pytest.approx(0.0006)
    paced.run()
    assert done == [0, 1]
    paced._slice()
    assert done == [0, 1, 2, 3]
    paced.close()
    paced.run()
    assert done == [0, 1, 2, 3]


async def test_what_fits_into_a_slice_is_done_at_once() -> None:
    paced = Paced(get_running_loop())
    done: list[int] = []
    for number in range(3):
        paced.add(lambda number=number: done.append(number))  # type: ignore[misc]  # its default is its number

    paced.run()

    assert done == [0, 1, 2]
