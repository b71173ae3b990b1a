"""What all entities of a household and of a node share."""

from abc import abstractmethod
from typing import override

from homeassistant.const import STATE_OFF, STATE_ON, EntityCategory
from homeassistant.core import callback
from homeassistant.helpers.device_registry import DeviceInfo
from homeassistant.helpers.entity import Entity, EntityDescription
from homeassistant.helpers.restore_state import RestoreEntity

from .client import LAST_SEEN, ONLINE, Command, NodeState
from .const import DOMAIN
from .coordinator import HomeSyncCoordinator
from .errors import raise_unless_confirmed
from .names import unique_id


class HouseholdEntity(Entity):
    """An entity of the household itself; available whatever happens."""

    _attr_has_entity_name = True
    _attr_should_poll = False

    def __init__(self, coordinator: HomeSyncCoordinator, description: EntityDescription) -> None:
        self.coordinator = coordinator
        self.entity_description = description
        self._attr_unique_id = unique_id(coordinator.entry.entry_id, description.key)
        self._attr_device_info = DeviceInfo(identifiers={(DOMAIN, coordinator.entry.entry_id)})

    @override
    async def async_added_to_hass(self) -> None:
        self.async_on_remove(self.coordinator.listen_household(self._changed))
        self._take()

    @callback
    def _changed(self) -> None:
        self._take()
        self.async_write_ha_state()

    @abstractmethod
    def _take(self) -> None:
        """Take the household's present figures over."""


class NodeEntity(Entity):
    """An entity of one value of a node; the values of the keys in `_also` concern it, too.

    Available while the household is reachable and the node has not said that it is
    offline; what tells of the offline node itself stays available.

    There are thousands. Home Assistant keeps what it asked an entity once in the entity's
    `__dict__`, which takes 0.5 kB with up to 21 keys, what was forgotten included, 0.8 with
    42, and then 1.6. So what is ours has slots, what is the same for all of them is an
    attribute of the class, and what the description tells is asked of it.
    """

    __slots__ = (
        "_available",
        "_key",
        "_outlives_node",
        "_unique_id",
        "coordinator",
        "device_entry",
        "entity_description",
        "node_id",
        "parallel_updates",
    )
    _also: tuple[str, ...] = ()
    assumed_state = False
    attribution = None
    device_info = None
    entity_registry_visible_default = True
    force_update = False
    has_entity_name = True
    icon = None
    should_poll = False

    def __init__(
        self,
        coordinator: HomeSyncCoordinator,
        node_id: str,
        key: str,
        description: EntityDescription,
    ) -> None:
        # One that shares its keys with others at first grows to twice or four times the size.
        self.__dict__ = {}
        self.device_entry = self.parallel_updates = None
        self.coordinator = coordinator
        self.entity_description = description
        self.node_id = node_id
        self._key = key
        self._outlives_node = key in (ONLINE, LAST_SEEN)
        self._available = True
        self._unique_id = unique_id(coordinator.entry.entry_id, node_id, key)

    @property
    @override
    def available(self) -> bool:
        return self._available

    @property
    @override
    def unique_id(self) -> str:
        return self._unique_id

    @property
    @override
    def entity_category(self) -> EntityCategory | None:
        return self.entity_description.entity_category

    @property
    @override
    def translation_key(self) -> str | None:
        return self.entity_description.translation_key

    @property
    def node(self) -> NodeState:
        """What is known of the node."""
        return self.coordinator.nodes[self.node_id]

    @override
    async def async_prepare_to_add_to_hass(self) -> None:
        # Told as a description, every entity would have the device looked up and compared.
        self.device_entry = self.coordinator.devices.of_node(self.node_id)

    @override
    async def async_added_to_hass(self) -> None:
        await self._restore()
        self.coordinator.entities.listen(self.node_id, (self._key, *self._also), self._changed)
        self.async_on_remove(self._stop_listening)
        self._take_all()

    @callback
    def _stop_listening(self) -> None:
        keys = (self._key, *self._also)
        self.coordinator.entities.ignore(self.node_id, keys, self._changed)

    @callback
    def _changed(self) -> None:
        self._take_all()
        self.async_write_ha_state()

    def _take_all(self) -> None:
        node = self.node
        self._available = self.coordinator.reachable and self._counts(node)
        self._take(node)

    def _counts(self, node: NodeState) -> bool:
        """Whether what is known of the node holds while its household is reachable."""
        return self._outlives_node or not node.offline

    async def _command(self, command: Command) -> None:
        """Send a command and wait for the node's answer, which also changes the state."""
        result = await self.coordinator.household.commands.execute(self.node_id, command)
        raise_unless_confirmed(result, self.coordinator.entry.title)

    @abstractmethod
    def _take(self, node: NodeState) -> None:
        """Take the node's present value over."""

    @abstractmethod
    async def _restore(self) -> None:
        """Give the value of the last run to the household, for as long as no other comes."""


class NodeOnOffEntity(NodeEntity, RestoreEntity):
    """An entity of a value that is on or off."""

    _attr_is_on: bool | None

    @override
    def _take(self, node: NodeState) -> None:
        value = node.get(self._key)
        self._attr_is_on = value if isinstance(value, bool) else None

    @override
    async def _restore(self) -> None:
        last = await self.async_get_last_state()
        if last is not None and last.state in (STATE_ON, STATE_OFF):
            self.coordinator.household.restore_value(
                self.node_id, self._key, last.state == STATE_ON
            )
