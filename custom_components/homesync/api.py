"""What the HTTP API, the WebSocket commands and the action tell: frozen records as JSON.

The one place that decides what administrators are told of households; no secret is in it.
"""

from collections.abc import Iterable, Mapping
from dataclasses import fields, is_dataclass
from enum import Enum
from typing import Any
from urllib.parse import urlsplit

from homeassistant.config_entries import SOURCE_IGNORE, ConfigEntryState
from homeassistant.core import HomeAssistant

from .client import ConnectionState, Household, HouseholdStatistics, NodeState, overall
from .const import CONF_HOME_ID, CONF_PRESET, DEFAULT_PRESET, DOMAIN
from .coordinator import HomeSyncConfigEntry

NOT_LOADED = "not_loaded"
"""The state of a household that does not run."""
_SEVERAL = "several"

type Json = dict[str, Any]


class HouseholdError(Exception):
    """The household that is asked for cannot answer; `code` is for programs."""

    code: str


class UnknownHouseholdError(HouseholdError):
    """No household has this id."""

    code = "unknown_household"


class AmbiguousHouseholdError(HouseholdError):
    """Households on several brokers have this home id; the entry id tells them apart."""

    code = "ambiguous_household"


class NotLoadedError(HouseholdError):
    """The household does not run."""

    code = NOT_LOADED


def entries(hass: HomeAssistant) -> list[HomeSyncConfigEntry]:
    """Return all households, also those that do not run."""
    found = hass.config_entries.async_entries(DOMAIN, include_ignore=True)
    return [entry for entry in found if entry.source != SOURCE_IGNORE]


def find(hass: HomeAssistant, household_id: str) -> HomeSyncConfigEntry:
    """Return a household by the id of its config entry or else its home id.

    Raises UnknownHouseholdError or AmbiguousHouseholdError.
    """
    known = entries(hass)
    found = [entry for entry in known if entry.entry_id == household_id] or [
        entry for entry in known if entry.data[CONF_HOME_ID] == household_id
    ]
    if not found:
        raise UnknownHouseholdError("No household has this id")
    if len(found) > 1:
        raise AmbiguousHouseholdError(
            "Several households have this home id; use the id of the config entry"
        )
    return found[0]


def snapshot(entry: HomeSyncConfigEntry) -> HouseholdStatistics | None:
    """Return the figures of now, None of a household that does not run."""
    client = running(entry)
    return None if client is None else client.statistics.snapshot()


def chosen(hass: HomeAssistant, household_id: str | None) -> list[HomeSyncConfigEntry]:
    """Return the one household that is asked for, or all; raises as `find` does."""
    return entries(hass) if household_id is None else [find(hass, household_id)]


def running(entry: HomeSyncConfigEntry) -> Household | None:
    """Return the client of a household, None if it does not run."""
    return entry.runtime_data.household if entry.state is ConfigEntryState.LOADED else None


def stats(chosen: Iterable[HomeSyncConfigEntry]) -> Json:
    """Tell all of some households: broker, summary, connections and each of them."""
    snapshots = {entry: snapshot(entry) for entry in chosen}
    return {
        "broker": _common_broker(snapshots),
        "summary": summary(snapshots.values()),
        "connections": [
            _connection(entry, each) for entry, each in snapshots.items() if each is not None
        ],
        "households": [household_statistics(entry, each) for entry, each in snapshots.items()],
    }


def summary(snapshots: Iterable[HouseholdStatistics | None]) -> Json:
    """Add up the households that run."""
    figures: Json = plain(overall(each for each in snapshots if each is not None))
    return figures


def brief(entry: HomeSyncConfigEntry) -> Json:
    """Tell what a list of households shows."""
    return _brief(entry, snapshot(entry))


def household(entry: HomeSyncConfigEntry) -> Json:
    """Tell all of one household, its nodes included."""
    client = running(entry)
    nodes = [] if client is None else [_node(each) for each in client.nodes.values()]
    return {**household_statistics(entry, snapshot(entry)), "node_list": nodes}


def household_statistics(entry: HomeSyncConfigEntry, now: HouseholdStatistics | None) -> Json:
    """Tell a household and its figures."""
    figures = None if now is None else plain(now)
    if figures is not None:
        figures["connection"]["url"] = shown_url(figures["connection"]["url"])
    return {**_brief(entry, now), "statistics": figures}


def connections(chosen: Iterable[HomeSyncConfigEntry]) -> list[Json]:
    """Tell the connections of the households that run."""
    seen = ((entry, snapshot(entry)) for entry in chosen)
    return [_connection(entry, now) for entry, now in seen if now is not None]


def status(entry: HomeSyncConfigEntry) -> Json:
    """Tell whether a household is connected, and if not, why."""
    client, now = running(entry), snapshot(entry)
    error = None if client is None else client.link.error
    link = None if now is None else now.connection
    return {
        **_identity(entry),
        "state": NOT_LOADED if link is None else link.state,
        "connected": _connected(now),
        "reachable": client is not None and client.link.reachable,
        "rival": client is not None and client.link.rival,
        "since": None if link is None else link.since,
        "round_trip": None if link is None else link.round_trip,
        "next_attempt": None if link is None else link.next_attempt,
        "last_disconnect": None if link is None else link.last_disconnect,
        "last_disconnect_at": None if link is None else link.last_disconnect_at,
        "error": None
        if error is None
        else {"cause": error.cause, "step": error.step, "message": str(error)},
    }


def left_overs(client: Household, found: Mapping[str, int]) -> list[Json]:
    """Tell what a broker keeps for nobody, and why nobody needs it."""
    return [
        {"topic": topic, "bytes": size, "reason": client.left_overs.why(topic)}
        for topic, size in sorted(found.items())
    ]


def plain(value: Any) -> Any:
    """Turn a frozen record into what JSON knows."""
    if is_dataclass(value):
        return {each.name: plain(getattr(value, each.name)) for each in fields(value)}
    if isinstance(value, Mapping):
        return {str(key): plain(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [plain(each) for each in value]
    return value.value if isinstance(value, Enum) else value


def shown_url(url: str) -> str:
    """Leave out of an address what may be secret: user, password, query."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return ""
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"


def _connected(now: HouseholdStatistics | None) -> bool:
    return now is not None and now.connection.state is ConnectionState.CONNECTED


def _identity(entry: HomeSyncConfigEntry) -> Json:
    return {
        "household_id": entry.data[CONF_HOME_ID],
        "entry_id": entry.entry_id,
        "name": entry.title,
    }


def _broker(entry: HomeSyncConfigEntry, now: HouseholdStatistics | None) -> Json:
    return {
        "url": None if now is None else shown_url(now.connection.url),
        "type": entry.data.get(CONF_PRESET, DEFAULT_PRESET),
        "connected": _connected(now),
    }


def _common_broker(
    snapshots: Mapping[HomeSyncConfigEntry, HouseholdStatistics | None],
) -> Json:
    """Tell the broker of all households: what they have in common, and whether all is well."""
    brokers = [_broker(entry, each) for entry, each in snapshots.items()]
    urls = {each["url"] for each in brokers}
    types = {each["type"] for each in brokers}
    return {
        "url": urls.pop() if len(urls) == 1 else None,
        "type": types.pop() if len(types) == 1 else _SEVERAL if types else None,
        "connected": bool(brokers) and all(each["connected"] for each in brokers),
    }


def _brief(entry: HomeSyncConfigEntry, now: HouseholdStatistics | None) -> Json:
    return {
        **_identity(entry),
        "loaded": now is not None,
        "state": NOT_LOADED if now is None else now.connection.state,
        "broker": _broker(entry, now),
        "nodes": None if now is None else plain(now.nodes),
    }


def _connection(entry: HomeSyncConfigEntry, now: HouseholdStatistics) -> Json:
    link = plain(now.connection)
    return {
        **_identity(entry),
        **link,
        "url": shown_url(link["url"]),
        "type": _broker(entry, now)["type"],
        "connected": _connected(now),
    }


def _node(node: NodeState) -> Json:
    return {"node_id": node.node_id, "online": node.online, "last_seen": node.last_seen}
