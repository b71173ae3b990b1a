"""Households side by side: what ails one is no trouble to the other."""

import asyncio
from collections.abc import Callable

import pytest

from custom_components.homesync.client import Outcome, RelayAction, RelayCommand
from simulator import Broker, Node, NodeConfig
from tests.broker import Mosquitto

from ..transport.link import until
from .home import Home, Stranger

ON = RelayCommand(RelayAction.ON)


async def flood(stranger: Stranger, enough: asyncio.Event) -> None:
    number = 0
    while not enough.is_set():
        stranger.publish_all(
            (f"chalet/nodes/plug-{each % 10}/telemetry/power", f'{{"value": {number + each}}}')
            for each in range(200)
        )
        number += 200
        await asyncio.sleep(0.01)


@pytest.mark.parametrize("trouble", ["dead", "flooding"])
async def test_f17_a_households_commands_are_confirmed_whatever_ails_its_neighbour(
    trouble: str, start_mosquitto: Callable[..., Mosquitto]
) -> None:
    healthy, ailing = start_mosquitto(), start_mosquitto()
    node = Node(
        NodeConfig(home_id="villa", node_id="plug-1", interval=None),
        Broker(host=healthy.host, port=healthy.port),
    )
    await node.start()
    enough = asyncio.Event()
    async with Home(healthy) as villa, Home(ailing, "chalet") as chalet, Stranger(ailing) as other:
        await villa.knows("status/online", True)
        flooding = asyncio.create_task(flood(other, enough))
        await until(lambda: chalet.changes)
        if trouble == "dead":
            enough.set()
            await flooding
            ailing.freeze()
        seen = len(chalet.changes)
        for _ in range(20):
            result = await villa.household.commands.execute("plug-1", ON)
            assert result.outcome is Outcome.CONFIRMED
        enough.set()
        await flooding
        if trouble == "flooding":
            await until(lambda: len(chalet.changes) > seen)
        ailing.thaw()
    await node.stop()
