"""The demo without a person: what it promises is looked up, tried and told, step by step."""

from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
import json
from pathlib import Path
import re
import time
from typing import Any

from . import dashboard
from .errors import DemoError
from .households import PLANS
from .log_scan import complaints
from .stage import ROOT, SENSORS, Stage
from .waiting import until

_WITHIN = 20.0
# Who is switched and killed.
_HOME, _NODE = PLANS[0].home_id, PLANS[0].node_ids[0]
_GONE = {"unavailable", "unknown"}
_ENTITY_ID = re.compile(r'"([a-z_]+\.[a-z0-9_]+)"')


async def check(stage: Stage) -> bool:
    """Try everything; False after the first step that did not hold."""
    test = _Check(stage)
    steps: tuple[tuple[str, Callable[[], Awaitable[None]]], ...] = (
        (f"all sensors of {_count(PLANS)} nodes have values", test.sensors_have_values),
        ("both households are connected, all nodes online", test.households_are_connected),
        ("both tell their transport and its round trip", test.connections_are_measured),
        ("the dashboard shows entities that are there", test.dashboard_is_alive),
        ("switch.turn_off and switch.turn_on, each carried out once", test.switch_relay),
        ("homesync.send_command tells the outcome", test.send_command),
        ("a lost answer: sent again, carried out once", test.lose_answer),
        ("the button on the device changes the switch", test.press_button),
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

    async def sensors_have_values(self) -> None:
        for plan in PLANS:
            for node_id in plan.node_ids:
                await self._wait_for_values(plan.home_id, node_id)

    async def households_are_connected(self) -> None:
        for plan in PLANS:
            await self._wait_for_state(plan.home_id, None, "connection_state", "connected")
            await self._wait_for_state(plan.home_id, None, "connected", "on")
            await self._wait_for_state(plan.home_id, None, "nodes_online", str(plan.nodes))

    async def connections_are_measured(self) -> None:
        for plan in PLANS:
            await self._wait_for_state(plan.home_id, None, "transport", "tcp")
            await self._wait_for_numbers(plan.home_id, None, ("round_trip",))

    async def dashboard_is_alive(self) -> None:
        config = await self.stage.api.call("lovelace/config", url_path=dashboard.URL_PATH)
        states = await self.stage.api.states()
        shown = set(_ENTITY_ID.findall(json.dumps(config)))
        dead = sorted(each for each in shown if states.get(each, "unknown") in _GONE)
        if dead or len(shown) < _count(PLANS):
            raise DemoError(f"shown are {len(shown)}, of these without a state: {dead}")

    async def switch_relay(self) -> None:
        relay = self.stage.registry.entity(_HOME, _NODE, "relay")
        for action, state in (("turn_off", "off"), ("turn_on", "on")):
            before = await self._executed()
            await self.stage.api.act(f"switch.{action}", entity_id=relay)
            # The action ends when the node has answered; then the state is there.
            await self._wait_for_state(_HOME, _NODE, "relay", state, within=1)
            record = (await self._executed())[len(before) :]
            _expect(record, [{"action": state, "result": state, "receptions": 1}])

    async def send_command(self) -> None:
        before = await self._executed()
        response = await self._send("off")
        record = (await self._executed())[len(before) :]
        request = {"request_id": response["request_id"]}
        _expect([response], [{"outcome": "confirmed", "result": "off", "attempts": 1}])
        _expect(record, [{"action": "off", "result": "off", "receptions": 1} | request])
        await self._wait_for_state(_HOME, _NODE, "relay", "off", within=1)

    async def lose_answer(self) -> None:
        before = await self._executed()
        nodes = self.stage.nodes[_HOME]
        await nodes.on_node("behave", _NODE, "skip_first=1")
        response = await self._send("toggle", timeout=1)
        await nodes.on_node("behave", _NODE)
        record = (await self._executed())[len(before) :]
        request = {"request_id": response["request_id"]}
        _expect([response], [{"outcome": "confirmed", "result": "on", "attempts": 2}])
        _expect(record, [{"action": "toggle", "result": "on", "receptions": 2} | request])

    async def press_button(self) -> None:
        for state in ("off", "on"):
            await self.stage.nodes[_HOME].on_node("press", _NODE, state)
            await self._wait_for_state(_HOME, _NODE, "relay", state)

    async def kill_node(self) -> None:
        await self.stage.nodes[_HOME].on_node("die", _NODE)
        await self._wait_for_state(_HOME, _NODE, "online", "off")
        for entity in self.stage.registry.node(_HOME, _NODE):
            if entity.key not in {"online", "last_seen"}:
                await self._wait_for_state(_HOME, _NODE, entity.key, "unavailable")
        for plan in PLANS:
            alive = plan.nodes - (plan.home_id == _HOME)
            await self._wait_for_state(plan.home_id, None, "nodes_online", str(alive))
        other = PLANS[0].node_ids[1]
        await self._wait_for_state(_HOME, other, "online", "on", within=1)

    async def start_node(self) -> None:
        await self.stage.nodes[_HOME].on_node("start", _NODE)
        await self._wait_for_state(_HOME, _NODE, "online", "on")
        await self._wait_for_state(_HOME, _NODE, "relay", "on")
        await self._wait_for_values(_HOME, _NODE)
        await self._wait_for_state(_HOME, None, "nodes_online", str(PLANS[0].nodes))
        # The values from before its death are back at once and prove nothing; but no two
        # readings of a mains voltage are the same for long.
        back = datetime.now(UTC)
        voltage = self.stage.registry.entity(_HOME, _NODE, "voltage")

        async def measured_anew() -> bool:
            return await self.stage.api.changed_at(voltage) > back

        await until(measured_anew, "a new voltage", _WITHIN)

    async def _executed(self) -> list[dict[str, Any]]:
        return await self.stage.nodes[_HOME].executed(_NODE)

    async def _send(self, action: str, **more: Any) -> dict[str, Any]:
        device = self.stage.registry.device(_HOME, _NODE)
        return await self.stage.api.act_for_response(
            "homesync.send_command", device_id=device, command="relay", action=action, **more
        )

    async def _wait_for_state(
        self, home_id: str, node_id: str | None, key: str, wanted: str, within: float = _WITHIN
    ) -> None:
        entity_id = self.stage.registry.entity(home_id, node_id, key)
        seen = ""

        async def reached() -> bool:
            nonlocal seen
            seen = (await self.stage.api.states()).get(entity_id, "missing")
            return seen == wanted

        await until(reached, lambda: f"{entity_id} is {wanted}; it is {seen}", within)

    async def _wait_for_values(self, home_id: str, node_id: str) -> None:
        has = self.stage.registry.has
        keys = [each for each in (*SENSORS, "temperature") if has(home_id, node_id, each)]
        await self._wait_for_numbers(home_id, node_id, keys)

    async def _wait_for_numbers(
        self, home_id: str, node_id: str | None, keys: Iterable[str]
    ) -> None:
        ids = [self.stage.registry.entity(home_id, node_id, key) for key in keys]
        missing: list[str] = []

        async def complete() -> bool:
            states = await self.stage.api.states()
            missing[:] = [each for each in ids if not _is_number(states.get(each, ""))]
            return not missing

        await until(complete, lambda: f"numbers from {', '.join(missing)}", _WITHIN)


def _is_number(state: str) -> bool:
    try:
        float(state)
    except ValueError:
        return False
    return True


def _expect(found: list[dict[str, Any]], wanted: list[dict[str, Any]]) -> None:
    """Compare the wanted fields only."""
    narrowed = [
        {key: each.get(key) for key in wish} for each, wish in zip(found, wanted, strict=False)
    ]
    if len(found) != len(wanted) or narrowed != wanted:
        raise DemoError(f"expected {wanted}, found {found}")
