"""Looks whether a way to the broker that was blocked is open again."""

from collections.abc import Awaitable, Callable
from dataclasses import replace

from ..errors import ConnectError
from .connection import Connection
from .settings import BrokerSettings, Timing, Transport
from .statistics import Traffic
from .terms import Receiver, Subscriptions, Terms


async def direct_way_is_open(
    settings: BrokerSettings,
    terms: Terms,
    timing: Timing,
    traffic: Traffic,
    sleep: Callable[[float], Awaitable[None]],
) -> None:
    """Return when the direct way is open; looks from time to time."""
    is_open = False
    while not is_open:
        await sleep(timing.way_back_every)
        is_open = await _reaches_broker(settings, terms, timing, traffic)


async def _reaches_broker(
    settings: BrokerSettings, terms: Terms, timing: Timing, traffic: Traffic
) -> bool:
    """Connect over TCP under another client id, and leave again."""
    scout = Connection(
        settings.as_guest(),
        replace(terms, transport=Transport.TCP),
        Subscriptions(),
        Receiver(on_messages=_ignore, on_oversize=_ignore),
        traffic,
    )
    try:
        await scout.open(timing.deadline)
    except ConnectError:
        return False
    finally:
        await scout.close(timing.goodbye)
    return True


def _ignore(*_: object) -> None:
    """Nobody's business."""
