"""Runs one household's client for a config entry, and tells its entities what changed.

Push only: the client reports which keys of which node changed, and exactly the entities
of these keys write their state. A key that no platform knows yet is offered to all of
them, so new nodes and metrics appear without a reload.
"""

from collections.abc import Callable, Iterator
from functools import partial
from itertools import batched
import logging
import time

from homeassistant.config_entries import SOURCE_REAUTH, ConfigEntry
from homeassistant.core import CALLBACK_TYPE, Event, HomeAssistant, callback
from homeassistant.helpers import device_registry as dr, entity_registry as er
from homeassistant.helpers.device_registry import DeviceEntryType, DeviceInfo
from homeassistant.helpers.entity import Entity
from homeassistant.helpers.entity_platform import AddConfigEntryEntitiesCallback

from .broker import learned, learned_data, option, timing
from .client import (
    ASKS_FOR_CREDENTIALS,
    FIRMWARE,
    HARDWARE,
    LAST_SEEN,
    MANUFACTURER,
    MODEL,
    ONLINE,
    BrokerSettings,
    CommandResult,
    ConnectionState,
    Firmware,
    Household,
    HouseholdSettings,
    Limits,
    NodeState,
    Reason,
)
from .const import (
    CONF_COMMANDS_PER_HOUSEHOLD,
    CONF_COMMANDS_PER_NODE,
    CONF_GRACE_TIME,
    CONF_HOME_ID,
    CONF_LEARNED_TRANSPORT,
    CONF_LEARNED_VERSION,
    CONF_MAX_NODES,
    CONF_NEW_NODES,
    CONF_PARALLEL_UPDATES,
    CONF_PREFIX,
    DOMAIN,
    NEW_NODES_ASK,
)
from .firmware_updates import FirmwareUpdates
from .issues import HouseholdIssues
from .names import unique_id
from .new_nodes import NewNodes
from .outcomes import announce
from .paced import Paced
from .queued import QueuedCommands

_LOGGER = logging.getLogger(__name__)
_LEARNED = (CONF_LEARNED_TRANSPORT, CONF_LEARNED_VERSION)
_ENTITIES_AT_ONCE = 20  # Home Assistant needs 0.2 ms for each
_SPREAD_PER_HOUSEHOLD = 0.1
_WIDEST_SPREAD = 10.0

# What a node tells of itself → what the device registry calls it.
_DEVICE_FACTS = {
    FIRMWARE: "sw_version",
    HARDWARE: "hw_version",
    MODEL: "model",
    MANUFACTURER: "manufacturer",
}
_UNTOLD = {"manufacturer": "HomeSync", "model": "Node"}

type HomeSyncConfigEntry = ConfigEntry[HomeSyncCoordinator]
type Target = tuple[str, str]
"""A node's id and the key of one of its values."""
type EntityBuilder = Callable[[HomeSyncCoordinator, str, str], Entity | None]


def configuration(entry: ConfigEntry) -> tuple[object, ...]:
    """Return what a running household depends on: a change of it needs a reload."""
    data = {key: value for key, value in entry.data.items() if key not in _LEARNED}
    return entry.title, data, dict(entry.options)


def _spread(hass: HomeAssistant) -> float:
    """Return over how many seconds many households begin to connect."""
    households = len(
        hass.config_entries.async_entries(DOMAIN, include_ignore=False, include_disabled=False)
    )
    return min(_WIDEST_SPREAD, (households - 1) * _SPREAD_PER_HOUSEHOLD)


class _Platform:
    """One platform's way to add entities, a few at a time."""

    def __init__(self, build: EntityBuilder, add: AddConfigEntryEntitiesCallback) -> None:
        self.build = build
        self.add = add
        self.waiting: list[tuple[str, Entity]] = []

    def take_chunks(self) -> Iterator[list[tuple[str, Entity]]]:
        """Take what waits, with the id of each entity's node."""
        waiting, self.waiting = self.waiting, []
        return map(list, batched(waiting, _ENTITIES_AT_ONCE, strict=False))


class HomeSyncCoordinator:
    """The household of one config entry."""

    def __init__(
        self, hass: HomeAssistant, entry: HomeSyncConfigEntry, broker: BrokerSettings
    ) -> None:
        self.entry = entry
        self.configuration = configuration(entry)
        self.household = Household(
            HouseholdSettings(
                name=entry.title,
                home_id=entry.data[CONF_HOME_ID],
                prefix=entry.data[CONF_PREFIX],
                max_nodes=option(entry, CONF_MAX_NODES),
                grace_time=option(entry, CONF_GRACE_TIME),
                limits=Limits(
                    per_node=option(entry, CONF_COMMANDS_PER_NODE),
                    per_household=option(entry, CONF_COMMANDS_PER_HOUSEHOLD),
                    updates=option(entry, CONF_PARALLEL_UPDATES),
                ),
            ),
            broker,
            _LOGGER,
            learned=learned(entry.data),
            timing=timing(entry.options),
            spread=_spread(hass),
        )
        self._issues = HouseholdIssues(hass, entry)
        self._queued = QueuedCommands(hass, entry, self.household, self._issues)
        self.firmware = FirmwareUpdates(
            hass, entry, self.household, self._issues, self._on_catalogue
        )
        self._was_reachable = False
        self._hass = hass
        self._platforms: list[_Platform] = []
        self._announced: dict[Target, None] = {}
        self._listeners: dict[str, dict[str, CALLBACK_TYPE]] = {}
        self._household_listeners: list[CALLBACK_TYPE] = []
        self._flushing = False
        self._household_due = False
        self._paced = Paced(hass.loop)
        self.device = dr.async_get(hass).async_get_or_create(
            config_entry_id=entry.entry_id,
            identifiers={(DOMAIN, entry.entry_id)},
            entry_type=DeviceEntryType.SERVICE,
            manufacturer="HomeSync",
            model="Household",
            name=entry.title,
        )

    @property
    def reachable(self) -> bool:
        """Whether the nodes' values count."""
        return self.household.reachable

    def restore(self) -> None:
        """Take up the nodes and keys of the last run from the registries."""
        self._issues.clear()
        entry_id = self.entry.entry_id
        for entity in er.async_entries_for_config_entry(er.async_get(self._hass), entry_id):
            _, _, target = entity.unique_id.partition("/")
            node_id, _, key = target.partition("/")
            if key:
                self._announce(self.household.restore_node(node_id), (key,))
        for device in dr.async_entries_for_config_entry(dr.async_get(self._hass), entry_id):
            known = self.node_id_of(device)
            if known is None:
                continue
            self._register_device(known)
            self.household.restore_node(known)
            for key, fact in _DEVICE_FACTS.items():
                value = getattr(device, fact)
                if value is not None and value != _UNTOLD.get(fact):
                    self.household.restore_value(known, key, value)

    async def async_start(self) -> None:
        """Take up what was queued and begin to connect; the platforms listen already."""
        self.household.add_state_listener(self._on_state)
        self.household.add_change_listener(self._on_change)
        self.household.add_result_listener(self._on_result)
        self.household.on_node_refused = self._issues.report_node_limit
        if option(self.entry, CONF_NEW_NODES) == NEW_NODES_ASK:
            self.household.accepts = NewNodes(self._hass, self.entry).is_accepted
        await self._queued.async_restore()
        self.firmware.start()
        self.household.start()

    async def stop(self, _event: Event | None = None) -> None:
        """End the connection; nothing is left afterwards."""
        self.firmware.stop()
        await self.household.stop()
        self._paced.close()
        await self._queued.async_close()
        self._issues.clear()

    async def async_install(
        self, node_id: str, firmware: Firmware | None = None, *, queue: bool = False
    ) -> CommandResult:
        """Have a node install firmware, by default its newest, and wait for the outcome.

        With `queue` it waits for a node or a broker that is away.
        Raises a translated ServiceValidationError for what no node is told to install.
        """
        return await self.firmware.async_install(node_id, firmware, queue=queue)

    def add_platform(self, build: EntityBuilder, add: AddConfigEntryEntitiesCallback) -> None:
        """Let a platform build entities for every known key and for those to come."""
        platform = _Platform(build, add)
        self._platforms.append(platform)
        for node_id, key in self._announced:
            self._offer(platform, node_id, key)
        self._flush()

    def listen(self, node_id: str, key: str, update: CALLBACK_TYPE) -> CALLBACK_TYPE:
        """Call `update` when a node's value or its availability changed."""
        listeners = self._listeners.setdefault(node_id, {})
        listeners[key] = update

        def stop_listening() -> None:
            listeners.pop(key, None)

        return stop_listening

    def listen_household(self, update: CALLBACK_TYPE) -> CALLBACK_TYPE:
        """Call `update` when the household's own figures changed."""
        self._household_listeners.append(update)
        return partial(self._household_listeners.remove, update)

    def device_info(self, node_id: str) -> DeviceInfo:
        """Name the device of a node; it is there before any entity of it."""
        return DeviceInfo(identifiers={self._device_identifier(node_id)})

    def node_id_of(self, device: dr.AnyDeviceEntry) -> str | None:
        """Return the id of the node that a device is, None for other devices."""
        prefix = unique_id(self.entry.entry_id, "")
        return next(
            (
                identifier.removeprefix(prefix)
                for domain, identifier in device.identifiers
                if domain == DOMAIN and identifier.startswith(prefix)
            ),
            None,
        )

    async def async_remove_node(self, node_id: str) -> bool:
        """Forget a node that is gone, and all that its broker keeps; False while it is there."""
        if not self._is_there(node_id):
            await self.household.clear_node(node_id)
        if self._is_there(node_id):
            return False
        for target in [target for target in self._announced if target[0] == node_id]:
            del self._announced[target]
        self._listeners.pop(node_id, None)
        self.household.remove_node(node_id)
        self._issues.withdraw("node_limit")
        self._update_household()
        return True

    def _is_there(self, node_id: str) -> bool:
        node = self.household.nodes.get(node_id)
        return node is not None and self.reachable and node.is_there(time.time())

    @callback
    def _on_state(self, state: ConnectionState) -> None:
        if state is ConnectionState.CONNECTED:
            self._remember()
            for flow in list(self.entry.async_get_active_flows(self._hass, {SOURCE_REAUTH})):
                # The broker has come round; nobody needs to be asked any more.
                self._hass.config_entries.flow.async_abort(flow["flow_id"])
        self._tell_reachable()
        error = self.household.error
        if (
            state is ConnectionState.ERROR
            and error is not None
            and error.cause in ASKS_FOR_CREDENTIALS
        ):
            self.entry.async_start_reauth(self._hass)
        if state not in (ConnectionState.STOPPING, ConnectionState.STOPPED):
            self._issues.update(self.household)
        self._update_household()

    def _tell_reachable(self) -> None:
        if self.reachable == self._was_reachable:
            return
        self._was_reachable = self.reachable
        for node_id in self._listeners:
            self._paced.add(partial(self._update_node, node_id))
        self._paced.run()

    def _update_node(self, node_id: str) -> None:
        for update in tuple(self._listeners.get(node_id, {}).values()):
            update()

    @callback
    def _on_result(self, result: CommandResult) -> None:
        """Tell everybody how a command ended."""
        announce(self._hass, self.entry, result, self._device_identifier(result.node_id))
        if result.reason is Reason.POISONOUS:
            self._issues.report("dead_letter", {"node": result.node_id, "command": result.kind})

    @callback
    def _on_catalogue(self) -> None:
        """Let every node look whether there is newer firmware for it."""
        for listeners in self._listeners.values():
            if (update := listeners.get(FIRMWARE)) is not None:
                update()

    @callback
    def _on_change(self, node: NodeState, keys: tuple[str, ...]) -> None:
        listeners = self._listeners.get(node.node_id)
        if listeners is None:
            # Heard for the first time: these exist for every node.
            self._listeners[node.node_id] = listeners = {}
            self._register_device(node.node_id)
            self._announce(node, (ONLINE, LAST_SEEN))
            self._update_household()
        self._announce(node, keys)
        if ONLINE in keys:
            for update in dict.fromkeys(listeners.values()):
                update()
            self._update_household()
        else:
            # An entity may listen to several of the keys, and is told once.
            for update in dict.fromkeys(listeners[key] for key in keys if key in listeners):
                update()
        if any(key in _DEVICE_FACTS for key in keys):
            self._update_device(node)

    def _announce(self, node: NodeState, keys: tuple[str, ...]) -> None:
        for key in keys:
            if (node.node_id, key) in self._announced:
                continue
            self._announced[node.node_id, key] = None
            for platform in self._platforms:
                self._offer(platform, node.node_id, key)
            if self._platforms and not self._flushing:
                self._flushing = True
                self._hass.loop.call_soon(self._flush)

    def _offer(self, platform: _Platform, node_id: str, key: str) -> None:
        entity = platform.build(self, node_id, key)
        if entity is not None:
            platform.waiting.append((node_id, entity))

    def _flush(self) -> None:
        self._flushing = False
        for platform in self._platforms:
            for chunk in platform.take_chunks():
                self._paced.add(partial(self._add, platform, chunk))
        self._paced.run()

    def _add(self, platform: _Platform, chunk: list[tuple[str, Entity]]) -> None:
        # Nodes may have been removed since.
        platform.add([entity for node_id, entity in chunk if node_id in self.household.nodes])

    def _device_identifier(self, node_id: str) -> tuple[str, str]:
        return (DOMAIN, unique_id(self.entry.entry_id, node_id))

    def _register_device(self, node_id: str) -> None:
        registry, identifier = dr.async_get(self._hass), self._device_identifier(node_id)
        known = registry.async_get_device_by_identifier(identifier, self.entry.entry_id)
        registry.async_get_or_create(
            config_entry_id=self.entry.entry_id,
            identifiers={identifier},
            name=f"{self.entry.title} {node_id}",
            via_device_id=self.device.id,
            # What a node told of itself outlives a restart.
            **(_UNTOLD if known is None else {}),  # type: ignore[arg-type]  # texts all
        )

    def _update_device(self, node: NodeState) -> None:
        registry = dr.async_get(self._hass)
        device = registry.async_get_device_by_identifier(
            self._device_identifier(node.node_id), self.entry.entry_id
        )
        facts = {
            fact: value
            for key, fact in _DEVICE_FACTS.items()
            if isinstance(value := node.get(key), str)
        }
        if device is not None and facts:
            registry.async_update_device(device.id, **facts)  # type: ignore[arg-type]  # texts all

    def _update_household(self) -> None:
        """Have the household's entities look, once for all that changes in this loop turn."""
        if not self._household_due:
            self._household_due = True
            self._hass.loop.call_soon(self._tell_household)

    def _tell_household(self) -> None:
        self._household_due = False
        for update in tuple(self._household_listeners):
            update()

    def _remember(self) -> None:
        """Keep what the connection taught; that is no reason to reload."""
        data = {key: self.entry.data[key] for key in self.entry.data if key not in _LEARNED}
        data |= learned_data(self.household.learned)
        if data != self.entry.data:
            self._hass.config_entries.async_update_entry(self.entry, data=data)
