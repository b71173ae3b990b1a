"""Tries a broker once, as a household would use it, and says which step failed."""

from dataclasses import replace
import secrets

from .connection import Connection, Filters, Receiver
from .settings import BrokerSettings, Timing


def _ignore(*_: object) -> None:
    """What arrives during a try is nobody's."""


async def preflight(settings: BrokerSettings, filters: Filters, timing: Timing) -> None:
    """Connect, subscribe and leave again, or raise ConnectError.

    Goes under a client id of its own: the household's own would end the connection of
    the household that is being reconfigured.
    """
    own_id = f"{settings.client_id}_{secrets.token_hex(3)}"
    connection = Connection(
        replace(settings, client_id=own_id), filters, Receiver(_ignore, _ignore, _ignore)
    )
    await connection.open(timing.deadline)
    await connection.close(timing.goodbye)
