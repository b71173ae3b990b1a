"""Runs one household's client for a config entry, and tells its entities what changed.

Push only: the client reports which keys of which node changed, and exactly the entities
of these keys write their state. A key that no platform knows yet is offered to all of
them, so new nodes and metrics appear without a reload.
"""

from collections.abc import Callable
from functools import partial
import logging
import time

from homeassistant.config_entries import SOURCE_REAUTH, ConfigEntry
from homeassistant.const import CONF_HOST, CONF_PASSWORD, CONF_PORT, CONF_USERNAME
from homeassistant.core import CALLBACK_TYPE, Event, HomeAssistant, callback
from homeassistant.helpers import device_registry as dr, entity_registry as er
from homeassistant.helpers.device_registry import DeviceEntryType, DeviceInfo
from homeassistant.helpers.entity import Entity
from homeassistant.helpers.entity_platform import AddConfigEntryEntitiesCallback
from homeassistant.helpers.event import async_call_later
from homeassistant.util.ssl import get_default_context

from .client import (
    ASKS_FOR_CREDENTIALS,
    FIRMWARE,
    LAST_SEEN,
    ONLINE,
    BrokerSettings,
    ConnectionState,
    Household,
    HouseholdSettings,
    NodeState,
)
from .const import (
    CONF_CLIENT_ID,
    CONF_GRACE_TIME,
    CONF_HOME_ID,
    CONF_MAX_NODES,
    CONF_PREFIX,
    CONF_TLS,
    DEFAULT_GRACE_TIME,
    DEFAULT_MAX_NODES,
    DOMAIN,
)
from .issues import clear_node_limit, report_node_limit

_LOGGER = logging.getLogger(__name__)

# A planned end is none: values must stay for the restart to come.
_LOST = frozenset((ConnectionState.DISCONNECTED, ConnectionState.ERROR))

type HomeSyncConfigEntry = ConfigEntry[HomeSyncCoordinator]
type Target = tuple[str, str]
"""A node's id and the key of one of its values."""
type EntityBuilder = Callable[[HomeSyncCoordinator, str, str], Entity | None]


def unique_id(entry_id: str, *parts: str) -> str:
    """Join what makes an entity or device unique; no part holds a slash but the last."""
    return "/".join((entry_id, *parts))


def broker_settings(data: dict[str, object] | ConfigEntry) -> BrokerSettings:
    """Return the client's view of an entry's data."""
    values = data.data if isinstance(data, ConfigEntry) else data
    return BrokerSettings(
        host=str(values[CONF_HOST]),
        port=int(str(values[CONF_PORT])),
        client_id=str(values[CONF_CLIENT_ID]),
        username=_text(values.get(CONF_USERNAME)),
        password=_text(values.get(CONF_PASSWORD)),
        tls=get_default_context() if values[CONF_TLS] else None,
    )


def _text(value: object) -> str | None:
    return str(value) if value else None


class _Platform:
    """One platform's way to add entities, all of a loop turn at once."""

    def __init__(self, build: EntityBuilder, add: AddConfigEntryEntitiesCallback) -> None:
        self.build = build
        self.waiting: list[Entity] = []
        self._add = add

    def flush(self) -> None:
        """Add what waits."""
        if self.waiting:
            entities, self.waiting = self.waiting, []
            self._add(entities)


class HomeSyncCoordinator:
    """The household of one config entry.

    `reachable` tells whether the nodes' values count: the link is there, or was there
    no longer ago than the grace time.
    """

    def __init__(self, hass: HomeAssistant, entry: HomeSyncConfigEntry) -> None:
        self.entry = entry
        self.reachable = False
        self.household = Household(
            HouseholdSettings(
                name=entry.title,
                home_id=entry.data[CONF_HOME_ID],
                prefix=entry.data[CONF_PREFIX],
                max_nodes=entry.options.get(CONF_MAX_NODES, DEFAULT_MAX_NODES),
            ),
            broker_settings(entry),
            _LOGGER,
        )
        self._hass = hass
        self._platforms: list[_Platform] = []
        self._announced: dict[Target, None] = {}
        self._listeners: dict[str, dict[str, CALLBACK_TYPE]] = {}
        self._household_listeners: list[CALLBACK_TYPE] = []
        self._grace: CALLBACK_TYPE | None = None
        self._flushing = False
        self.device = dr.async_get(hass).async_get_or_create(
            config_entry_id=entry.entry_id,
            identifiers={(DOMAIN, entry.entry_id)},
            entry_type=DeviceEntryType.SERVICE,
            manufacturer="HomeSync",
            name=entry.title,
        )

    def restore(self) -> None:
        """Take up the nodes and keys of the last run from the registries."""
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
            if device.sw_version is not None:
                self.household.restore_value(known, FIRMWARE, device.sw_version)

    def start(self) -> None:
        """Begin to connect; the platforms listen already."""
        clear_node_limit(self._hass, self.entry)
        self.household.add_state_listener(self._on_state)
        self.household.add_change_listener(self._on_change)
        self.household.on_node_refused = self._on_node_refused
        self.household.start()

    async def stop(self, _event: Event | None = None) -> None:
        """End the connection; nothing is left afterwards."""
        self._cancel_grace()
        await self.household.stop()
        clear_node_limit(self._hass, self.entry)

    def add_platform(self, build: EntityBuilder, add: AddConfigEntryEntitiesCallback) -> None:
        """Let a platform build entities for every known key and for those to come."""
        platform = _Platform(build, add)
        self._platforms.append(platform)
        for node_id, key in self._announced:
            self._offer(platform, node_id, key)
        platform.flush()

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

    def remove_node(self, node_id: str) -> bool:
        """Forget a node that is gone; False while it is there."""
        node = self.household.nodes.get(node_id)
        if node is not None and self.reachable and node.is_there(time.time()):
            return False
        for target in [target for target in self._announced if target[0] == node_id]:
            del self._announced[target]
        self._listeners.pop(node_id, None)
        self.household.remove_node(node_id)
        clear_node_limit(self._hass, self.entry)
        self._update_household()
        return True

    @callback
    def _on_state(self, state: ConnectionState) -> None:
        if state is ConnectionState.CONNECTED:
            self._cancel_grace()
            self._set_reachable(True)
            for flow in list(self.entry.async_get_active_flows(self._hass, {SOURCE_REAUTH})):
                # The broker has come round; nobody needs to be asked any more.
                self._hass.config_entries.flow.async_abort(flow["flow_id"])
        elif state in _LOST and self.reachable and self._grace is None:
            grace = self.entry.options.get(CONF_GRACE_TIME, DEFAULT_GRACE_TIME)
            self._grace = async_call_later(self._hass, grace, self._on_grace_over)
        error = self.household.error
        if (
            state is ConnectionState.ERROR
            and error is not None
            and error.cause in ASKS_FOR_CREDENTIALS
        ):
            self.entry.async_start_reauth(self._hass)
        self._update_household()

    @callback
    def _on_grace_over(self, _now: object) -> None:
        self._grace = None
        self._set_reachable(False)
        self._update_household()

    def _cancel_grace(self) -> None:
        if self._grace is not None:
            self._grace()
            self._grace = None

    def _set_reachable(self, reachable: bool) -> None:
        if reachable == self.reachable:
            return
        self.reachable = reachable
        for listeners in self._listeners.values():
            for notify in tuple(listeners.values()):
                notify()

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
            for update in tuple(listeners.values()):
                update()
            self._update_household()
        else:
            for key in keys:
                if (listener := listeners.get(key)) is not None:
                    listener()
        if FIRMWARE in keys:
            self._update_firmware(node)

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
            platform.waiting.append(entity)

    def _flush(self) -> None:
        self._flushing = False
        for platform in self._platforms:
            platform.flush()

    def _device_identifier(self, node_id: str) -> tuple[str, str]:
        return (DOMAIN, unique_id(self.entry.entry_id, node_id))

    def _register_device(self, node_id: str) -> None:
        dr.async_get(self._hass).async_get_or_create(
            config_entry_id=self.entry.entry_id,
            identifiers={self._device_identifier(node_id)},
            manufacturer="HomeSync",
            name=f"{self.entry.title} {node_id}",
            via_device_id=self.device.id,
        )

    def _update_firmware(self, node: NodeState) -> None:
        registry = dr.async_get(self._hass)
        device = registry.async_get_device_by_identifier(
            self._device_identifier(node.node_id), self.entry.entry_id
        )
        firmware = node.get(FIRMWARE)
        if device is not None and isinstance(firmware, str):
            registry.async_update_device(device.id, sw_version=firmware)

    def _update_household(self) -> None:
        for update in tuple(self._household_listeners):
            update()

    @callback
    def _on_node_refused(self, node_id: str) -> None:
        report_node_limit(self._hass, self.entry, node_id)
