"""The demo without a person: what it promises is looked up, tried and told, step by step."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime
import json
from pathlib import Path
import re
import time
from typing import Any

from . import dashboard
from .check_automations import AutomationsCheck
from .check_commands import CommandsCheck
from .errors import DemoError
from .households import PLANS
from .log_scan import complaints
from .probe import WITHIN, Probe, expect, wait_for_numbers, wait_for_state
from .stage import ROOT, Stage
from .waiting import until

# Who is switched and killed.
_HOME, _NODE = PLANS[0].home_id, PLANS[0].node_ids[0]
_GONE = {"unavailable", "unknown"}
_ENTITY_ID = re.compile(r'"([a-z_]+\.[a-z0-9_]+)"')


async def check(stage: Stage) -> bool:
    """Try everything; False after the first step that did not hold."""
    test = _Check(stage, Probe(stage, _HOME, _NODE))
    commands = CommandsCheck(stage, Probe(stage, _HOME, PLANS[0].node_ids[1]))
    steps: tuple[tuple[str, Callable[[], Awaitable[None]]], ...] = (
        (f"all sensors of {_count(PLANS)} nodes have values", test.sensors_have_values),
        ("both households are connected, all nodes online", test.households_are_connected),
        ("both tell their transport and its round trip", test.connections_are_measured),
        ("the dashboard shows entities that are there", test.dashboard_is_alive),
        ("switch.turn_off and switch.turn_on, each carried out once", test.switch_relay),
        ("homesync.send_command tells the outcome", test.send_command),
        ("a lost answer: sent again, carried out once", test.lose_answer),
        ("the button on the device changes the switch", test.press_button),
        *commands.steps(),
        ("the blueprints in examples/ act", AutomationsCheck(stage).blueprints),
        ("a node that dies is offline, its entities unavailable", test.kill_node),
        ("it comes back with all its values", test.start_node),
    )
    for text, step in steps:
        started = time.monotonic()
        try:
            await step()
        except DemoError as error:
            print(f"✗ {text}: {error}", flush=True)
            return False
        print(f"✓ {text} ({time.monotonic() - started:.2f} s)", flush=True)
    return True


def check_log(logs: Path) -> bool:
    """Look at all that Home Assistant wrote until its end; tell what does not belong there."""
    found = complaints((logs / "home-assistant.log").read_text(errors="replace"), ROOT)
    mark = "✗" if found else "✓"
    print(f"{mark} nothing unexpected in Home Assistant's log", *found, sep="\n", flush=True)
    return not found


def _count(plans: Any) -> int:
    return sum(plan.nodes for plan in plans)


@dataclass(frozen=True, slots=True)
class _Check:
    """Each method is a step; it raises DemoError if the step does not hold."""

    stage: Stage
    node: Probe

    async def sensors_have_values(self) -> None:
        for plan in PLANS:
            for node_id in plan.node_ids:
                await Probe(self.stage, plan.home_id, node_id).wait_for_values()

    async def households_are_connected(self) -> None:
        for plan in PLANS:
            await self._wait_for_household(plan.home_id, "connection_state", "connected")
            await self._wait_for_household(plan.home_id, "connected", "on")
            await self._wait_for_household(plan.home_id, "nodes_online", str(plan.nodes))

    async def connections_are_measured(self) -> None:
        for plan in PLANS:
            await self._wait_for_household(plan.home_id, "transport", "tcp")
            await wait_for_numbers(self.stage, plan.home_id, None, ("round_trip",))

    async def dashboard_is_alive(self) -> None:
        config = await self.stage.api.call("lovelace/config", url_path=dashboard.URL_PATH)
        states = await self.stage.api.states()
        shown = set(_ENTITY_ID.findall(json.dumps(config)))
        dead = sorted(each for each in shown if states.get(each, "unknown") in _GONE)
        if dead or len(shown) < _count(PLANS):
            raise DemoError(f"shown are {len(shown)}, of these without a state: {dead}")

    async def switch_relay(self) -> None:
        for action, state in (("turn_off", "off"), ("turn_on", "on")):
            before = await self.node.executed()
            await self.stage.api.act(f"switch.{action}", entity_id=self.node.entity("relay"))
            # The action ends when the node has answered; then the state is there.
            await self.node.wait_for("relay", state, within=1)
            record = (await self.node.executed())[len(before) :]
            expect(record, [{"action": state, "result": state, "receptions": 1}])

    async def send_command(self) -> None:
        before = await self.node.executed()
        response = await self.node.send(action="off")
        record = (await self.node.executed())[len(before) :]
        request = {"request_id": response["request_id"]}
        expect([response], [{"outcome": "confirmed", "result": "off", "attempts": 1}])
        expect(record, [{"action": "off", "result": "off", "receptions": 1} | request])
        await self.node.wait_for("relay", "off", within=1)

    async def lose_answer(self) -> None:
        before = await self.node.executed()
        await self.node.nodes.on_node("behave", _NODE, "skip_first=1")
        response = await self.node.send(action="toggle", timeout=1)
        await self.node.nodes.on_node("behave", _NODE)
        record = (await self.node.executed())[len(before) :]
        request = {"request_id": response["request_id"]}
        expect([response], [{"outcome": "confirmed", "result": "on", "attempts": 2}])
        expect(record, [{"action": "toggle", "result": "on", "receptions": 2} | request])

    async def press_button(self) -> None:
        for state in ("off", "on"):
            await self.node.nodes.on_node("press", _NODE, state)
            await self.node.wait_for("relay", state)

    async def kill_node(self) -> None:
        await self.node.nodes.on_node("die", _NODE)
        await self.node.wait_for("online", "off")
        for entity in self.stage.registry.node(_HOME, _NODE):
            if entity.key not in {"online", "last_seen"}:
                await self.node.wait_for(entity.key, "unavailable")
        for plan in PLANS:
            alive = plan.nodes - (plan.home_id == _HOME)
            await self._wait_for_household(plan.home_id, "nodes_online", str(alive))
        other = Probe(self.stage, _HOME, PLANS[0].node_ids[1])
        await other.wait_for("online", "on", within=1)

    async def start_node(self) -> None:
        await self.node.nodes.on_node("start", _NODE)
        await self.node.wait_for("online", "on")
        await self.node.wait_for("relay", "on")
        await self.node.wait_for_values()
        await self._wait_for_household(_HOME, "nodes_online", str(PLANS[0].nodes))
        # The values from before its death are back at once and prove nothing; but no two
        # readings of a mains voltage are the same for long.
        back = datetime.now(UTC)
        voltage = self.node.entity("voltage")

        async def measured_anew() -> bool:
            return await self.stage.api.changed_at(voltage) > back

        await until(measured_anew, "a new voltage", WITHIN)

    async def _wait_for_household(self, home_id: str, key: str, wanted: str) -> None:
        await wait_for_state(self.stage, home_id, None, key, wanted)
