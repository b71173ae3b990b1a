"""How all households are, in numbers only: people paste it where everybody reads."""

from typing import Any

from homeassistant.components.system_health import SystemHealthRegistration
from homeassistant.core import HomeAssistant, callback
from homeassistant.loader import async_get_integration

from .client import ConnectionState, Link
from .const import DOMAIN
from .coordinator import HomeSyncConfigEntry
from .versions import async_paho_version


@callback
def async_register(hass: HomeAssistant, register: SystemHealthRegistration) -> None:
    """Offer our part of the system's health."""
    register.async_register_info(_info, "/config/integrations/integration/homesync")


async def _info(hass: HomeAssistant) -> dict[str, Any]:
    entries: list[HomeSyncConfigEntry] = hass.config_entries.async_loaded_entries(DOMAIN)
    households = [entry.runtime_data.household for entry in entries]
    links = [household.link for household in households]
    nodes = [node for household in households for node in household.nodes.values()]
    return {
        "version": str((await async_get_integration(hass, DOMAIN)).version),
        "paho_version": await async_paho_version(hass),
        "households": len(hass.config_entries.async_entries(DOMAIN)),
        "loaded": len(households),
        "connected": _in_state(links, ConnectionState.CONNECTED),
        "need_user": _in_state(links, ConnectionState.ERROR),
        "reachable": f"{sum(link.reachable for link in links)}/{len(links)}",
        "nodes_online": f"{sum(node.online for node in nodes)}/{len(nodes)}",
        "slowest_round_trip": _slowest(links),
        "commands_waiting": sum(household.commands.waiting for household in households),
    }


def _in_state(links: list[Link], state: ConnectionState) -> int:
    return sum(link.state is state for link in links)


def _slowest(links: list[Link]) -> str:
    """Return the longest of the last round trips of those that are connected."""
    trips = [
        link.echo.round_trip
        for link in links
        if link.state is ConnectionState.CONNECTED
        and link.echo is not None
        and link.echo.round_trip is not None
    ]
    return f"{max(trips) * 1000:.1f} ms" if trips else "-"
