"""Waiting for what happens in its own time."""

import asyncio
from collections.abc import Callable
import time

from homeassistant.core import HomeAssistant

_LONGEST = 60.0
_POLL = 0.005


async def until(hass: HomeAssistant, condition: Callable[[], object]) -> None:
    """Return when `condition` holds and Home Assistant has digested it, or raise TimeoutError."""
    await reached(condition)
    await hass.async_block_till_done()


async def reached(condition: Callable[[], object]) -> None:
    """Return when `condition` holds, whatever is under way, or raise TimeoutError.

    No timer is set for the deadline: a test that moves the clock would let it ring.
    """
    give_up_at = time.monotonic() + _LONGEST
    while not condition():
        if time.monotonic() > give_up_at:
            raise TimeoutError(f"did not happen within {_LONGEST:g} s: {condition}")
        await asyncio.sleep(_POLL)
