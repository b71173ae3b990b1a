"""A small soak: misbehaving nodes, a broker that breaks, a household that is reloaded."""

import asyncio
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from homeassistant.core import HomeAssistant
from homeassistant.exceptions import HomeAssistantError
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry

from demo.soak.conductor import Conductor, RefusedError
from demo.soak.ledger import Ledger
from demo.soak.plan import OWN_COMMAND, Scale, Send, make_plan
from simulator import Node
from tests.broker import Mosquitto

from .actions import Events, respond, send as send_command
from .conftest import SetUp, StartNode
from .lookup import device_id, state
from .waiting import until

HOMES = ("north", "east")
NODES = [(home_id, f"plug-{number}") for home_id in HOMES for number in (1, 2, 3)]
SCALE = Scale(commands=60, seconds=6, broker_breaks=1, reloads=1, longest=0.6, retries=1)


@dataclass(slots=True)
class Stage:
    """Home Assistant in this process."""

    hass: HomeAssistant
    mosquitto: Mosquitto
    entries: Mapping[str, MockConfigEntry]
    running: Mapping[tuple[str, str], Node]

    def shown(self, home_id: str, node_id: str) -> str | None:
        """What Home Assistant thinks that a relay is."""
        return state(self.hass, self.entries[home_id], "switch", node_id, "status/relay")

    def node(self, home_id: str, node_id: str) -> Node:
        return self.running[home_id, node_id]

    def nodes(self) -> Iterable[Node]:
        return self.running.values()

    async def call(self, send: Send) -> dict[str, Any]:
        if send.kind == "ota":
            raise RefusedError("no images here")
        device = device_id(self.hass, self.entries[send.home_id], send.node_id)
        try:
            return await send_command(self.hass, device, **send.fields)
        except HomeAssistantError as error:
            raise RefusedError(str(error)) from error

    async def cancel(self, home_id: str, node_id: str) -> None:
        device = device_id(self.hass, self.entries[home_id], node_id)
        await respond(self.hass, "cancel_commands", device_id=device)

    async def reload(self, home_id: str) -> None:
        await self.hass.config_entries.async_reload(self.entries[home_id].entry_id)

    async def break_broker(self, *, kill: bool, away: float) -> None:
        end = self.mosquitto.kill if kill else self.mosquitto.stop
        end()
        await asyncio.sleep(min(away, 1))
        self.mosquitto.start()

    async def kill(self) -> Iterable[str]:
        raise NotImplementedError

    async def revive(self) -> None:
        raise NotImplementedError


@pytest.fixture
async def stage(
    hass: HomeAssistant, mosquitto: Mosquitto, set_up: SetUp, start_node: StartNode
) -> Stage:
    running = {
        (home_id, node_id): await start_node(node_id, home_id, own_commands={OWN_COMMAND: None})
        for home_id, node_id in NODES
    }
    entries = {each: await set_up(mosquitto.port, each, title=each) for each in HOMES}
    stage = Stage(hass, mosquitto, entries, running)
    await until(hass, lambda: all(stage.shown(*node) for node in NODES))
    return stage


@pytest.mark.parametrize("seed", [1])
async def test_sixty_commands_end_once_each_and_leave_equal_states(
    hass: HomeAssistant, stage: Stage, seed: int
) -> None:
    events = Events(hass)
    ledger = Ledger(events=events.told)
    conductor = Conductor(stage, ledger)
    try:
        await conductor.play(make_plan(seed, SCALE, NODES))
        await conductor.calm(60)
    finally:
        await conductor.close()

    assert ledger.verify(conductor.records()) == []
    assert len(ledger.calls) == SCALE.commands
    assert ledger.outcomes()["confirmed"] > SCALE.commands / 4
    truth = {address: "on" if node.relay else "off" for address, node in stage.running.items()}
    await until(hass, lambda: {each: stage.shown(*each) for each in NODES} == truth)
