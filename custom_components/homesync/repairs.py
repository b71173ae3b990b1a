"""Repairs that can be made with a click."""

from abc import abstractmethod
from collections.abc import Callable
from typing import Any, override
from urllib.parse import urlsplit

from homeassistant.components.repairs import ConfirmRepairFlow, RepairsFlow, RepairsFlowResult
from homeassistant.config_entries import ConfigEntry, ConfigEntryState
from homeassistant.const import CONF_HOST, CONF_PORT
from homeassistant.core import HomeAssistant
from homeassistant.helpers import issue_registry as ir

from .broker import entry_unique_id, new_client_id
from .client import HomeSyncError
from .const import CONF_CLIENT_ID, CONF_VERSION, VERSION_311
from .coordinator import HomeSyncConfigEntry


async def async_create_fix_flow(
    hass: HomeAssistant, issue_id: str, data: dict[str, Any] | None
) -> RepairsFlow:
    """Return the flow that mends an issue."""
    entry = hass.config_entries.async_get_entry(data["entry_id"]) if data else None
    if data is None or entry is None:
        return ConfirmRepairFlow()
    return _FLOWS[data["kind"]](entry)


class _EntryRepairFlow(ConfirmRepairFlow):
    """Changes a household's settings once the user agrees; its listener reloads it."""

    def __init__(self, entry: ConfigEntry) -> None:
        self._entry = entry

    @override
    async def async_step_confirm(
        self, user_input: dict[str, str] | None = None
    ) -> RepairsFlowResult:
        if user_input is not None:
            data = {**self._entry.data, **self._changes()}
            self.hass.config_entries.async_update_entry(
                self._entry, data=data, unique_id=entry_unique_id(data)
            )
        return await super().async_step_confirm(user_input)

    @abstractmethod
    def _changes(self) -> dict[str, Any]:
        """Return what changes in the settings."""


class RivalRepairFlow(_EntryRepairFlow):
    """Gives a household a new client id, so that nobody else has the same."""

    @override
    def _changes(self) -> dict[str, Any]:
        return {CONF_CLIENT_ID: new_client_id(self._entry.data)}


class OtherServerRepairFlow(_EntryRepairFlow):
    """Follows a broker to another server, which then learns the credentials."""

    @override
    def _changes(self) -> dict[str, Any]:
        issue = ir.async_get(self.hass).async_get_issue(self.handler, self.issue_id)
        placeholders = issue.translation_placeholders if issue is not None else None
        return _address((placeholders or {}).get("server", ""))


class OlderMqttRepairFlow(_EntryRepairFlow):
    """Has a household speak MQTT 3.1.1 and nothing else."""

    @override
    def _changes(self) -> dict[str, Any]:
        return {CONF_VERSION: VERSION_311}


class RetainedCommandsRepairFlow(ConfirmRepairFlow):
    """Has a household's broker forget the commands that it keeps."""

    def __init__(self, entry: HomeSyncConfigEntry) -> None:
        self._entry = entry

    @override
    async def async_step_confirm(
        self, user_input: dict[str, str] | None = None
    ) -> RepairsFlowResult:
        if user_input is not None:
            if self._entry.state is not ConfigEntryState.LOADED:
                return self.async_abort(reason="not_cleared")
            household = self._entry.runtime_data.household
            try:
                household.left_overs.clear(household.left_overs.commands)
            except HomeSyncError:
                return self.async_abort(reason="not_cleared")
        return await super().async_step_confirm(user_input)


def _address(servers: str) -> dict[str, Any]:
    """Return the first of the servers that a broker names (MQTT 5 section 4.11)."""
    first = next(iter(servers.split()), "")
    if first.count(":") > 1 and not first.startswith("["):
        return {CONF_HOST: first}
    try:
        parts = urlsplit(f"//{first}")
        found = {CONF_HOST: parts.hostname, CONF_PORT: parts.port}
    except ValueError:
        return {}
    return {key: value for key, value in found.items() if value}


_FLOWS: dict[str, Callable[[HomeSyncConfigEntry], RepairsFlow]] = {
    "rival": RivalRepairFlow,
    "other_server": OtherServerRepairFlow,
    "older_mqtt": OlderMqttRepairFlow,
    "retained_commands": RetainedCommandsRepairFlow,
}
