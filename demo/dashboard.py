"""A dashboard with one section a household."""

from typing import Any

from .api import Api
from .households import PLANS, HouseholdPlan
from .nodes import Nodes
from .registry import Registry
from .state import State

URL_PATH = "homesync-demo"
TITLE = "HomeSync"

type Json = dict[str, Any]

_ICONS = {
    "fridge": "mdi:fridge",
    "heater": "mdi:radiator",
    "office": "mdi:desk",
    "washing_machine": "mdi:washing-machine",
    "lamp": "mdi:lamp",
}
_HOUSEHOLD_ICONS = {"villa": "mdi:home-city", "cabin": "mdi:home-variant"}


async def create(
    api: Api, state: State, registry: Registry, nodes: dict[str, Nodes], minutes: float
) -> None:
    """Make dashboard, device names and energy preferences, unless a former run did.

    Its graphs show the last `minutes`.
    """
    dashboards = await api.call("lovelace/dashboards/list")
    if any(each["url_path"] == URL_PATH for each in dashboards):
        return
    profiles = {home_id: await each.profiles() for home_id, each in nodes.items()}
    for plan in PLANS:
        for node_id, profile in profiles[plan.home_id].items():
            await api.call(
                "config/device_registry/update",
                device_id=registry.device(plan.home_id, node_id),
                name_by_user=_name(profile),
            )
    await _save_energy(api, registry, profiles)
    sections = [_section(registry, plan, profiles[plan.home_id], minutes) for plan in PLANS]
    view = {
        "type": "sections",
        "title": TITLE,
        "path": "homes",
        "max_columns": 2,
        "sections": sections,
    }
    await api.call(
        "lovelace/dashboards/create",
        url_path=URL_PATH,
        title=TITLE,
        icon="mdi:home-group",
        mode="storage",
    )
    await api.call("lovelace/config/save", url_path=URL_PATH, config={"views": [view]})
    await api.call("frontend/set_user_data", key="core", value={"default_panel": URL_PATH})


def _section(
    registry: Registry, plan: HouseholdPlan, profiles: dict[str, str], minutes: float
) -> Json:
    def own(key: str) -> str:
        return registry.entity(plan.home_id, None, key)

    heading = {
        "type": "heading",
        "heading": plan.name,
        "icon": _HOUSEHOLD_ICONS[plan.home_id],
        "badges": [
            {"type": "entity", "entity": own("connection_state"), "show_state": True},
            {"type": "entity", "entity": own("nodes_online"), "name": "nodes online"},
        ],
    }
    cards = [heading]
    for node_id, profile in profiles.items():
        cards += _node(registry, plan.home_id, node_id, profile)
    return {"type": "grid", "cards": [*cards, _history(registry, plan.home_id, profiles, minutes)]}


def _node(registry: Registry, home_id: str, node_id: str, profile: str) -> list[Json]:
    def of(key: str) -> str:
        return registry.entity(home_id, node_id, key)

    badges = [{"type": "entity", "entity": of(key)} for key in ("energy", "voltage", "online")]
    return [
        {
            "type": "heading",
            "heading": _name(profile),
            "heading_style": "subtitle",
            "icon": _ICONS.get(profile, "mdi:power-plug"),
            "badges": badges,
        },
        {
            "type": "tile",
            "entity": of("relay"),
            "name": "Relay",
            "tap_action": {"action": "toggle"},
        },
        {
            "type": "tile",
            "entity": of("power"),
            "name": "Power",
        },
    ]


def _history(registry: Registry, home_id: str, profiles: dict[str, str], minutes: float) -> Json:
    return {
        "type": "history-graph",
        "title": "Power",
        "hours_to_show": minutes / 60,
        # Lamps and heaters in one picture.
        "logarithmic_scale": True,
        "min_y_axis": 1,
        "max_y_axis": 10_000,
        "entities": [
            {"entity": registry.entity(home_id, node_id, "power"), "name": _name(profile)}
            for node_id, profile in profiles.items()
        ],
    }


async def _save_energy(api: Api, registry: Registry, profiles: dict[str, dict[str, str]]) -> None:
    """Let the energy dashboard show every node as a device of its own."""
    devices = [
        {
            "stat_consumption": registry.entity(plan.home_id, node_id, "energy"),
            "stat_rate": registry.entity(plan.home_id, node_id, "power"),
            "name": f"{plan.name} {_name(profile).lower()}",
        }
        for plan in PLANS
        for node_id, profile in profiles[plan.home_id].items()
    ]
    await api.call("energy/save_prefs", device_consumption=devices)


def _name(profile: str) -> str:
    return profile.replace("_", " ").capitalize()
