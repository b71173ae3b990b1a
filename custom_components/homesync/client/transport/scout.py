"""Looks whether a way to the broker that was blocked is open again."""

from dataclasses import replace

from ..errors import ConnectError
from .connection import Connection
from .settings import BrokerSettings, Timing, Transport
from .statistics import Traffic
from .terms import Receiver, Subscriptions, Terms


async def is_direct_way_open(
    settings: BrokerSettings, terms: Terms, timing: Timing, traffic: Traffic
) -> bool:
    """Connect over TCP under another client id, and leave again."""
    scout = Connection(
        settings.as_guest(),
        replace(terms, transport=Transport.TCP),
        Subscriptions(),
        Receiver(on_publish=_ignore, on_batch=_ignore, on_oversize=_ignore),
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
