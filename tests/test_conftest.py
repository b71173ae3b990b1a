"""What the fixtures of all tests promise."""

import asyncio

import pytest


async def test_the_loop_of_a_test_refuses_calls_from_other_threads() -> None:
    loop = asyncio.get_running_loop()
    with pytest.raises(RuntimeError, match="Non-thread-safe"):
        await asyncio.to_thread(loop.call_soon, print)
