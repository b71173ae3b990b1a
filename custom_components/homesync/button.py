"""What a person wants to do at once: find a node, restart it, connect a household anew."""

from dataclasses import dataclass
from typing import override

from homeassistant.components.button import ButtonEntity, ButtonEntityDescription
from homeassistant.components.button.const import ButtonDeviceClass
from homeassistant.const import EntityCategory
from homeassistant.core import HomeAssistant
from homeassistant.helpers.entity import Entity
from homeassistant.helpers.entity_platform import AddConfigEntryEntitiesCallback

from .client import IDENTIFY, RESTART, Command, LedAction, LedCommand, NodeState, RestartCommand
from .coordinator import HomeSyncConfigEntry, HomeSyncCoordinator
from .entity import HouseholdEntity, NodeEntity

PARALLEL_UPDATES = 0


@dataclass(frozen=True, kw_only=True)
class NodeButtonDescription(ButtonEntityDescription):
    """A button that sends a command to a node."""

    command: Command


RECONNECT = ButtonEntityDescription(
    key="reconnect", translation_key="reconnect", entity_category=EntityCategory.CONFIG
)
NODE_BUTTONS = {
    description.key: description
    for description in (
        NodeButtonDescription(
            key=IDENTIFY,
            device_class=ButtonDeviceClass.IDENTIFY,
            entity_category=EntityCategory.DIAGNOSTIC,
            command=LedCommand(LedAction.IDENTIFY),
        ),
        NodeButtonDescription(
            key=RESTART,
            device_class=ButtonDeviceClass.RESTART,
            entity_category=EntityCategory.CONFIG,
            command=RestartCommand(),
        ),
    )
}


async def async_setup_entry(
    hass: HomeAssistant,
    entry: HomeSyncConfigEntry,
    async_add_entities: AddConfigEntryEntitiesCallback,
) -> None:
    """Add the household's button now and a node's when it says that it understands them."""
    async_add_entities([ReconnectButton(entry.runtime_data, RECONNECT)])
    entry.runtime_data.add_platform(_build, async_add_entities)


def _build(coordinator: HomeSyncCoordinator, node_id: str, key: str) -> Entity | None:
    if (description := NODE_BUTTONS.get(key)) is None:
        return None
    return NodeButton(coordinator, node_id, key, description)


class ReconnectButton(HouseholdEntity, ButtonEntity):
    """Connects a household anew."""

    @override
    async def async_press(self) -> None:
        self.coordinator.household.reconnect()

    @override
    def _take(self) -> None:
        """It shows nothing of the household."""


class NodeButton(NodeEntity, ButtonEntity):
    """Sends a command without further questions."""

    entity_description: NodeButtonDescription

    @override
    async def async_press(self) -> None:
        await self._command(self.entity_description.command)

    @override
    def _take(self, node: NodeState) -> None:
        """It shows nothing of the node but whether it is there."""

    @override
    async def _restore(self) -> None:
        """Home Assistant itself knows when it was last pressed."""
