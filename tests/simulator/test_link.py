"""A node's connection that ends at the wrong moment."""

import asyncio
from unittest.mock import Mock

from gmqtt.mqtt import connection  # type: ignore[import-untyped] # it has no types
from gmqtt.mqtt.utils import ConnectionState, IdGenerator  # type: ignore[import-untyped] # as above

from simulator import link


async def test_a_connection_lost_before_anybody_had_it_ends_in_silence() -> None:
    assert connection.MQTTProtocol is link._Protocol
    before = asyncio.all_tasks()
    protocol = connection.MQTTProtocol(
        connection_state=ConnectionState(), id_generator=IdGenerator()
    )
    protocol.connection_made(Mock(spec=asyncio.Transport))

    protocol.connection_lost(None)

    await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert asyncio.all_tasks() == before
