"""Waiting for something that only asking can tell."""

import asyncio
from collections.abc import Awaitable, Callable

from .errors import DemoError

_PAUSE = 0.1


async def until[T](
    ask: Callable[[], Awaitable[T | None]], what: Callable[[], str] | str, timeout: float
) -> T:
    """Ask until the answer is neither None nor False; DemoError names `what` did not come."""
    loop = asyncio.get_running_loop()
    deadline = loop.time() + timeout
    while (answer := await ask()) is None or answer is False:
        if loop.time() > deadline:
            text = what if isinstance(what, str) else what()
            raise DemoError(f"not within {timeout:g} s: {text}")
        await asyncio.sleep(_PAUSE)
    return answer
