"""Nodes' firmware: what runs, what is newer, and its way into the node."""

import re
from typing import Any, override

from homeassistant.components.update import UpdateDeviceClass, UpdateEntity, UpdateEntityDescription
from homeassistant.components.update.const import UpdateEntityFeature
from homeassistant.core import HomeAssistant
from homeassistant.helpers.entity import Entity
from homeassistant.helpers.entity_platform import AddConfigEntryEntitiesCallback

from .client import (
    AVAILABLE,
    CAPABILITIES,
    FIRMWARE,
    INSTALLATION,
    MODEL,
    Firmware,
    Installation,
    NodeState,
)
from .coordinator import HomeSyncConfigEntry, HomeSyncCoordinator
from .entity import NodeEntity
from .errors import raise_unless_confirmed
from .firmware import is_newer

PARALLEL_UPDATES = 0

ATTR_STAGE = "stage"
_UNDERSTANDS = "ota"
_LONGEST_SUMMARY = 255
# Home Assistant takes notes for Markdown; these come from whoever can publish as a node.
_MARKUP = re.compile(r"([\\`*_\[\]<>#!|~])")

NODE_FIRMWARE = UpdateEntityDescription(
    key="firmware", translation_key="firmware", device_class=UpdateDeviceClass.FIRMWARE
)


async def async_setup_entry(
    hass: HomeAssistant,
    entry: HomeSyncConfigEntry,
    async_add_entities: AddConfigEntryEntitiesCallback,
) -> None:
    """Add a node's firmware when the node first tells which it runs."""
    entry.runtime_data.add_platform(_build, async_add_entities)


def _build(coordinator: HomeSyncCoordinator, node_id: str, key: str) -> Entity | None:
    if key != FIRMWARE:
        return None
    return FirmwareUpdate(coordinator, node_id, key, NODE_FIRMWARE)


class FirmwareUpdate(NodeEntity, UpdateEntity):
    """The firmware of a node."""

    _also = (AVAILABLE, MODEL, CAPABILITIES, INSTALLATION)
    _unrecorded_attributes = frozenset({ATTR_STAGE})
    _newest: Firmware | None = None

    @override
    async def async_install(self, version: str | None, backup: bool, **kwargs: Any) -> None:
        result = await self.coordinator.async_install(self.node_id, self._newest)
        raise_unless_confirmed(result, self.coordinator.entry.title)

    @override
    async def async_release_notes(self) -> str | None:
        return None if self._newest is None else _as_text(self._newest.notes)

    @override
    def version_is_newer(self, latest_version: str, installed_version: str) -> bool:
        return is_newer(latest_version, installed_version)

    @override
    def _counts(self, node: NodeState) -> bool:
        # It restarts on the way to its new firmware.
        return super()._counts(node) or node.get(INSTALLATION) is not None

    @override
    def _take(self, node: NodeState) -> None:
        installed, model, installation = node.get(FIRMWARE), node.get(MODEL), node.get(INSTALLATION)
        newest = self._newest = self.coordinator.firmware.newest(self.node_id)
        self._attr_installed_version = installed if isinstance(installed, str) else None
        self._attr_latest_version = (
            self._attr_installed_version if newest is None else newest.version
        )
        self._attr_title = model if isinstance(model, str) else None
        notes = _as_text(None if newest is None else newest.notes)
        self._attr_release_summary = None if notes is None else notes[:_LONGEST_SUMMARY]
        self._show_progress(installation if isinstance(installation, Installation) else None)
        self._attr_supported_features = self._features(node)

    def _show_progress(self, installation: Installation | None) -> None:
        self._attr_in_progress = installation is not None
        self._attr_update_percentage = None if installation is None else installation.percentage
        self._attr_extra_state_attributes = {
            ATTR_STAGE: None if installation is None else installation.stage
        }

    def _features(self, node: NodeState) -> UpdateEntityFeature:
        features = UpdateEntityFeature(0)
        understood = node.get(CAPABILITIES)
        deaf = isinstance(understood, tuple) and _UNDERSTANDS not in understood
        if self._newest is not None and not deaf:
            features |= UpdateEntityFeature.INSTALL
        if features or self._attr_in_progress:
            features |= UpdateEntityFeature.PROGRESS
        if self._newest is not None and self._newest.notes:
            features |= UpdateEntityFeature.RELEASE_NOTES
        return features

    @override
    async def _restore(self) -> None:
        """The version is restored with the device, what is newer is told again."""


def _as_text(notes: str | None) -> str | None:
    """Return notes such that they are shown as they are written."""
    return None if notes is None else _MARKUP.sub(r"\\\1", notes)
