"""The blueprints in examples/ at work in the running demo: a step of the check."""

import asyncio
from dataclasses import dataclass
from typing import Any

from .households import PLANS
from .probe import Json, Probe
from .stage import ROOT, Stage
from .waiting import until

BLUEPRINTS = ROOT / "examples" / "blueprints"

_FOLDER = "homesync"
_PATIENCE = 1
_TOLD_WITHIN = 15.0


@dataclass(frozen=True, slots=True)
class AutomationsCheck:
    """Raises DemoError if a blueprint does not do what it is for."""

    stage: Stage

    async def blueprints(self) -> None:
        """Try all of them at once, each with a node of its own."""
        await self._save()
        capped, silent, failing = (
            Probe(self.stage, PLANS[0].home_id, node_id) for node_id in PLANS[0].node_ids[-3:]
        )
        await asyncio.gather(self._cap(capped), self._silence(silent), self._retry(failing))

    async def _save(self) -> None:
        for name, text in _texts().items():
            await self.stage.api.call(
                "blueprint/save",
                domain="automation",
                path=f"{_FOLDER}/{name}",
                yaml=text,
                allow_override=True,
            )

    async def _cap(self, node: Probe) -> None:
        relay = node.entity("relay")
        await self.stage.api.act("switch.turn_off", entity_id=relay)
        await node.wait_for("power", "0.0")
        await self._automate(
            "cap_power",
            power=node.entity("power"),
            limit=0.001,
            patience=_PATIENCE,
            relays=[relay],
            switched_off=_notify("capped", "{{ relay }}"),
        )
        await self.stage.api.act("switch.turn_on", entity_id=relay)
        await self._told("capped", relay)
        await node.wait_for("relay", "off")

    async def _silence(self, node: Probe) -> None:
        await self._automate(
            "notify_silent_node",
            nodes=[node.entity("online")],
            patience=_PATIENCE,
            silent=_notify("silent", "{{ node }} is silent"),
            back=_notify("silent", "{{ node }} is back"),
        )
        name = (await self.stage.api.get(f"states/{node.entity('online')}"))["attributes"]
        who = str(name["friendly_name"]).removesuffix(" Online")
        await node.nodes.on_node("die", node.node_id)
        await self._told("silent", f"{who} is silent")
        await node.nodes.on_node("start", node.node_id)
        await self._told("silent", f"{who} is back")

    async def _retry(self, node: Probe) -> None:
        device = self.stage.registry.device(node.home_id, node.node_id)
        await self._automate("retry_failed_relay", node=device, pause=_PATIENCE, patience=60)
        await node.nodes.on_node("behave", node.node_id, "deaf=yes")
        await node.send(action="off", timeout=0.5, retries=0)
        await node.nodes.on_node("behave", node.node_id)
        await node.wait_for("relay", "off")

    async def _automate(self, name: str, **inputs: Any) -> None:
        blueprint = {"path": f"{_FOLDER}/{name}.yaml", "input": inputs}
        config = {"alias": name, "use_blueprint": blueprint}
        await self.stage.api.post(f"config/automation/config/{name}", config)

        async def runs() -> bool:
            return (await self.stage.api.states()).get(f"automation.{name}") == "on"

        await until(runs, f"the automation {name} is on", _TOLD_WITHIN)

    async def _told(self, about: str, message: str) -> None:
        told: dict[str, str] = {}

        async def there() -> bool:
            found = await self.stage.api.call("persistent_notification/get")
            told.update({each["notification_id"]: each["message"] for each in found})
            return told.get(about) == message

        await until(there, lambda: f"“{message}” is told; told is {told}", _TOLD_WITHIN)


def _texts() -> dict[str, str]:
    return {path.name: path.read_text() for path in sorted(BLUEPRINTS.glob("*.yaml"))}


def _notify(about: str, message: str) -> list[Json]:
    data = {"notification_id": about, "message": message}
    return [{"action": "persistent_notification.create", "data": data}]
