"""What a bug report needs, and nothing secret or personal: people publish it.

Whatever is told is named here; what nobody named stays where it is. Numbers, switches and
words of our own are told as they are. Of names, hosts, topics, ids and credentials, only
whether there is one; nodes are numbered. The one text of strangers is what a node says of
its make.
"""

from collections import Counter
import ssl
import time
from typing import Any, Final

from homeassistant.config_entries import ConfigEntryState
from homeassistant.core import HomeAssistant
from homeassistant.helpers import entity_registry as er, issue_registry as ir
from homeassistant.helpers.device_registry import DeviceEntry
from homeassistant.loader import async_get_integration

from ..client import Household, Link, MqttVersion
from ..const import CONF_VERIFY, DOMAIN
from ..coordinator import HomeSyncConfigEntry
from ..issues import client_certificate_expires
from ..versions import async_paho_version
from .nodes import node_of
from .plain import figures
from .settings import options_of, settings_of

_DAY: Final = 86_400.0
_LIMITS: Final = (
    "maximum_packet",
    "receive_maximum",
    "maximum_qos",
    "retain_available",
    "wildcards_available",
    "subscription_ids_available",
    "shared_available",
    "topic_aliases",
    "keepalive",
)
_BRANCHES: Final = ("telemetry", "status", "response")


async def async_get_config_entry_diagnostics(
    hass: HomeAssistant, entry: HomeSyncConfigEntry
) -> dict[str, Any]:
    """Return all that may be told of a household."""
    told: dict[str, Any] = {
        "versions": {
            "homesync": str((await async_get_integration(hass, DOMAIN)).version),
            "paho_mqtt": await async_paho_version(hass),
            "openssl": ssl.OPENSSL_VERSION,
        },
        "entry_state": entry.state.value,
        "settings": settings_of(entry),
        "options": options_of(entry),
        "issues": _issues(hass, entry),
        "entities": _entities(hass, entry),
    }
    if entry.state is not ConfigEntryState.LOADED:
        return told
    household = entry.runtime_data.household
    return told | {
        "connection": _connection(household),
        "tls": _tls(entry, household.link),
        "counts": household.counts,
        "commands": {"waiting": household.commands.waiting, "sent": household.commands.sent},
        "statistics": _statistics(household),
        "nodes": [node_of(household, node_id) for node_id in sorted(household.nodes)],
    }


async def async_get_device_diagnostics(
    hass: HomeAssistant, entry: HomeSyncConfigEntry, device: DeviceEntry
) -> dict[str, Any]:
    """Return what may be told of a household, and of its nodes the one that the device is."""
    told = await async_get_config_entry_diagnostics(hass, entry)
    if entry.state is not ConfigEntryState.LOADED:
        return told
    household = entry.runtime_data.household
    node_id = entry.runtime_data.devices.node_id_of(device)
    known = node_id is not None and node_id in household.nodes
    told["nodes"] = [node_of(household, node_id)] if node_id is not None and known else []
    told["entities"] = _entities(hass, entry, device.id)
    return told


def _issues(hass: HomeAssistant, entry: HomeSyncConfigEntry) -> list[str]:
    return sorted(
        str(issue.translation_key)
        for (domain, _), issue in ir.async_get(hass).issues.items()
        if domain == DOMAIN
        and issue.active
        and (issue.data or {}).get("entry_id") == entry.entry_id
    )


def _entities(
    hass: HomeAssistant, entry: HomeSyncConfigEntry, device_id: str | None = None
) -> dict[str, dict[str, int]]:
    """Count entities by platform."""
    registry = er.async_get(hass)
    entities = [
        entity
        for entity in er.async_entries_for_config_entry(registry, entry.entry_id)
        if device_id in (None, entity.device_id)
    ]
    enabled = Counter(each.domain for each in entities if not each.disabled)
    disabled = Counter(each.domain for each in entities if each.disabled)
    return {"enabled": dict(sorted(enabled.items())), "disabled": dict(sorted(disabled.items()))}


def _connection(household: Household) -> dict[str, Any]:
    link = household.link
    error, terms, limits = link.error, link.terms, link.limits
    return {
        "state": link.state.value,
        "reachable": link.reachable,
        "rival": link.rival,
        "error": None
        if error is None
        else {
            "cause": error.cause.value,
            "step": error.step.value,
            "code": error.code,
            "other_server": bool(error.server),
        },
        "terms": None
        if terms is None
        else {
            "version": _version(terms.version),
            "transport": terms.transport.value,
            "keepalive": terms.keepalive,
            "window": terms.window,
            "retain": terms.retain,
            "qos": terms.qos,
        },
        "learned": {
            "version": _version(link.learned.version),
            "transport": None if link.learned.transport is None else link.learned.transport.value,
        },
        "limits": None if limits is None else {name: getattr(limits, name) for name in _LIMITS},
        "echo": _echo(link),
        "retained_commands": len(household.left_overs.commands),
    }


def _version(version: MqttVersion | None) -> str | None:
    return None if version is None else version.name


def _echo(link: Link) -> dict[str, Any] | None:
    if link.echo is None:
        return None
    return {
        "round_trip_ms": None
        if link.echo.round_trip is None
        else round(link.echo.round_trip * 1000, 1),
        "unproven": [
            branch
            for branch in _BRANCHES
            if any(f"/{branch}/" in silent for silent in link.echo.unproven)
        ],
    }


def _tls(entry: HomeSyncConfigEntry, link: Link) -> dict[str, Any]:
    return {
        "secured": link.secured,
        "verified": link.secured and entry.data.get(CONF_VERIFY, True),
        "broker_certificate_days": _days_until(link.certificate_expires),
        "client_certificate_days": _days_until(client_certificate_expires(entry)),
    }


def _days_until(moment: float | None) -> float | None:
    return None if moment is None else round((moment - time.time()) / _DAY, 1)


def _statistics(household: Household) -> dict[str, Any]:
    """Return all figures; of what others count, only how many they are: their names are theirs."""
    snapshot = household.statistics.snapshot()
    return {**figures(snapshot), "others": len(snapshot.others)}
