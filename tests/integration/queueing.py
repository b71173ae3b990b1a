"""Queueing commands, and the file in which they rest."""

import asyncio
import json
from pathlib import Path
from typing import Any

from homeassistant.core import HomeAssistant
from homeassistant.helpers import issue_registry as ir
from pytest_homeassistant_custom_component.common import MockConfigEntry

from custom_components.homesync.const import DOMAIN
from tests.broker import Mosquitto

from .actions import send
from .conftest import entry_data
from .lookup import device_id

# A node that comes back after Home Assistant misses the first send.
SOON = {"queue": True, "ttl": 3600, "timeout": 0.5}


def queue(
    hass: HomeAssistant, entry: MockConfigEntry, node_id: str = "plug-1", **data: Any
) -> asyncio.Task[dict[str, Any]]:
    wanted = {"action": "on", **SOON, **data}
    return asyncio.create_task(send(hass, device_id(hass, entry, node_id), **wanted))


def file_of(hass: HomeAssistant, entry: MockConfigEntry) -> Path:
    return Path(hass.config.path(".storage", f"homesync.outbox.{entry.entry_id}"))


def stored(hass: HomeAssistant, entry: MockConfigEntry) -> list[dict[str, Any]]:
    try:
        commands: list[dict[str, Any]] = json.loads(file_of(hass, entry).read_bytes())["commands"]
    except FileNotFoundError:
        return []
    return commands


def issue(hass: HomeAssistant, entry: MockConfigEntry, kind: str) -> ir.IssueEntry | None:
    return ir.async_get(hass).async_get_issue(DOMAIN, f"{kind}_{entry.entry_id}")


def write(hass: HomeAssistant, entry: MockConfigEntry, content: Any) -> None:
    file = file_of(hass, entry)
    file.parent.mkdir(exist_ok=True)
    file.write_bytes(content if isinstance(content, bytes) else json.dumps(content).encode())


def unstarted(hass: HomeAssistant, mosquitto: Mosquitto) -> MockConfigEntry:
    entry = MockConfigEntry(
        domain=DOMAIN, entry_id="entry_villa", title="Villa", data=entry_data(mosquitto.port)
    )
    entry.add_to_hass(hass)
    return entry
