"""The households of the demo, configured as a person would do it."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from .api import Api
from .errors import DemoError
from .ports import LOOPBACK
from .state import State
from .waiting import until

_FLOW = "config/config_entries/flow"
_OPTIONS = "config/config_entries/options/flow"
_ENTRY = "config/config_entries/entry"
_PROGRESSED = "data_entry_flow_progressed"
_FLOW_WITHIN = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class HouseholdPlan:
    """A household and how many nodes it has; its user at the broker is called `home_id`."""

    home_id: str
    name: str
    nodes: int

    @property
    def node_ids(self) -> tuple[str, ...]:
        """As the simulator names them."""
        return tuple(f"plug-{number + 1}" for number in range(self.nodes))


PLANS = (
    HouseholdPlan(home_id="villa", name="Villa", nodes=5),
    HouseholdPlan(home_id="cabin", name="Cabin", nodes=3),
)


async def add_missing(api: Api, state: State, plans: Iterable[HouseholdPlan] = PLANS) -> None:
    """Add the households that Home Assistant does not have (any more)."""
    known = {entry["entry_id"] for entry in await api.get(f"{_ENTRY}?domain=homesync")}
    for plan in plans:
        if state.entries.get(plan.home_id) not in known:
            state.entries[plan.home_id] = await _add(api, form_values(plan, state))
            state.firmware_hosts.pop(plan.home_id, None)
            state.save()


async def allow_firmware(api: Api, state: State, **options: Any) -> None:
    """Let all households' nodes fetch firmware from the demo's own server, through Configure."""
    host = f"{LOOPBACK}:{state.firmware_port}"
    for home_id, entry in state.entries.items():
        if state.firmware_hosts.get(home_id) == host:
            continue
        step = await api.post(_OPTIONS, {"handler": entry})
        answers = {"firmware": {"firmware_hosts": [host], **options}}
        step = await api.post(f"{_OPTIONS}/{step['flow_id']}", answers)
        if step["type"] != "create_entry":
            raise DemoError(f"Home Assistant did not take {home_id}'s options: {step['errors']}")
        state.firmware_hosts[home_id] = host
        state.save()


async def states(api: Api, state: State) -> dict[str, str]:
    """Give each household's entry state, such as `loaded`, by `home_id`."""
    entries = {
        entry["entry_id"]: entry["state"] for entry in await api.get(f"{_ENTRY}?domain=homesync")
    }
    return {home_id: entries.get(entry, "missing") for home_id, entry in state.entries.items()}


def form_values(plan: HouseholdPlan, state: State) -> dict[str, Any]:
    """Give what a person would type to add this household."""
    return {
        "name": plan.name,
        "home_id": plan.home_id,
        "host": LOOPBACK,
        "port": state.broker_port,
        "tls": False,
        "username": plan.home_id,
        "password": state.broker_password(plan.home_id),
        "protocol": {"prefix": "homesync"},
    }


async def _add(api: Api, values: Mapping[str, Any]) -> str:
    """Go through the config flow; return the new entry's id."""
    # Asked for again only when it has gone on, as a browser does: who asks in the moment
    # in which it goes on by itself has it end twice.
    async with api.watched(_PROGRESSED) as events:
        step = await api.post(_FLOW, {"handler": "homesync"})
        address = f"{_FLOW}/{step['flow_id']}"
        if step["type"] == "menu":
            step = await api.post(address, {"next_step_id": "other"})
        if step["type"] == "form":
            step = await api.post(address, dict(values))
        if step["type"] == "progress":
            await until(lambda: _has_any(events), f"{values['name']} is tried", _FLOW_WITHIN)
            step = await api.get(address)
    if step["type"] != "create_entry":
        reason = step.get("errors") or step.get("reason") or step["type"]
        raise DemoError(f"Home Assistant did not add {values['name']}: {reason}")
    entry: str = step["result"]["entry_id"]
    return entry


async def _has_any(events: list[dict[str, Any]]) -> bool:
    return bool(events)
