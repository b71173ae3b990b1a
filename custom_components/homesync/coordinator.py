"""Runs one household's client for a config entry, and tells its entities what changed.

Push only: the client reports which keys of which node changed, and exactly the entities
of these keys write their state. A key that no platform knows yet is offered to all of
them, so new nodes and metrics appear without a reload.
"""

from collections.abc import Callable
from functools import partial
import logging
from sys import intern
import time

from homeassistant.config_entries import SOURCE_REAUTH, ConfigEntry
from homeassistant.core import CALLBACK_TYPE, Event, HomeAssistant, callback
from homeassistant.helpers import entity_registry as er
from homeassistant.helpers.entity import Entity
from homeassistant.helpers.entity_platform import AddConfigEntryEntitiesCallback

from .alerts import HouseholdAlerts
from .broker import learned, learned_data, option, timing
from .client import (
    ASKS_FOR_CREDENTIALS,
    FIRMWARE,
    LAST_SEEN,
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
from .connection_events import ConnectionEvents
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
    CONF_THIN_AT_LIMIT,
    DOMAIN,
    NEW_NODES_ASK,
)
from .devices import DEVICE_FACTS, Devices
from .entity_hub import EntityHub
from .firmware_updates import FirmwareUpdates
from .issues import HouseholdIssues
from .new_nodes import NewNodes
from .outcomes import announce
from .plan import chosen_plan, month_of
from .queued import QueuedCommands
from .statistics_store import StatisticsStore

_LOGGER = logging.getLogger(__name__)
_LEARNED = (CONF_LEARNED_TRANSPORT, CONF_LEARNED_VERSION)
_SPREAD_PER_HOUSEHOLD = 0.1
_WIDEST_SPREAD = 10.0

# A change of these concerns more than who listens to them.
_FAR_REACHING = DEVICE_FACTS | {ONLINE}

type HomeSyncConfigEntry = ConfigEntry[HomeSyncCoordinator]
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
                plan=chosen_plan(entry),
                thin_at_limit=option(entry, CONF_THIN_AT_LIMIT),
            ),
            broker,
            _LOGGER,
            learned=learned(entry.data),
            timing=timing(entry.options),
            spread=_spread(hass),
            month_of=month_of,
        )
        self._issues = HouseholdIssues(hass, entry)
        self.alerts = HouseholdAlerts(
            hass, entry, self.household, self._issues, self._update_household
        )
        self._queued = QueuedCommands(hass, entry, self.household, self._issues)
        self._statistics = StatisticsStore(hass, entry, self.household.statistics, self._issues)
        self.firmware = FirmwareUpdates(
            hass, entry, self.household, self._issues, self._on_catalogue
        )
        self.reachable = False
        """Whether the nodes' values count."""
        self.nodes = self.household.nodes
        self._hass = hass
        self.entities = EntityHub(hass, self.household.nodes.__contains__)
        self.devices = Devices(hass, entry, self.household.nodes.__contains__)
        self._household_listeners: list[CALLBACK_TYPE] = []
        self._household_due = False
        self._events = ConnectionEvents(hass, entry, self.household.link, self.devices.household.id)

    async def async_restore(self) -> None:
        """Take up the nodes and keys of the last run from the registries, and its statistics."""
        await self._statistics.async_restore()
        entry_id = self.entry.entry_id
        for entity in er.async_entries_for_config_entry(er.async_get(self._hass), entry_id):
            _, _, target = entity.unique_id.partition("/")
            node_id, _, key = target.partition("/")
            if key:
                node = self.household.restore_node(node_id)
                self.entities.announce(node.node_id, (intern(key),))
        for node_id, told in self.devices.known():
            self.devices.register(node_id)
            self.household.restore_node(node_id)
            for key, value in told.items():
                self.household.restore_value(node_id, key, value)
        self.alerts.judge()

    async def async_start(self) -> None:
        """Take up what was queued and begin to connect; the platforms listen already."""
        self.household.link.add_listener(self._on_state)
        self.household.add_change_listener(self._on_change)
        self.household.add_result_listener(self._on_result)
        self.household.on_node_refused = self._issues.report_node_limit
        if option(self.entry, CONF_NEW_NODES) == NEW_NODES_ASK:
            self.household.accepts = NewNodes(self._hass, self.entry).is_accepted
        await self._queued.async_restore()
        self.firmware.start()
        self._statistics.start()
        self.alerts.start()
        self.household.start()

    async def stop(self, _event: Event | None = None) -> None:
        """End the connection; nothing is left afterwards."""
        self.firmware.stop()
        self.alerts.stop()
        await self.household.stop()
        self.entities.close()
        await self._queued.async_close()
        await self._statistics.async_close()
        self._issues.close()

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
        self.entities.add_platform(partial(build, self), add)

    def listen_household(self, update: CALLBACK_TYPE) -> CALLBACK_TYPE:
        """Call `update` when the household's own figures changed."""
        self._household_listeners.append(update)
        return partial(self._household_listeners.remove, update)

    async def async_remove_node(self, node_id: str) -> bool:
        """Forget a node that is gone, and all that its broker keeps; False while it is there."""
        if not self._is_there(node_id):
            await self.household.left_overs.clear_node(node_id)
        if self._is_there(node_id):
            return False
        self.entities.forget(node_id)
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
        self._events.on_state(state)
        self._tell_reachable()
        error = self.household.link.error
        if (
            state is ConnectionState.ERROR
            and error is not None
            and error.cause in ASKS_FOR_CREDENTIALS
        ):
            self.entry.async_start_reauth(self._hass)
        if state not in (ConnectionState.STOPPING, ConnectionState.STOPPED):
            self._issues.update(self.household)
            self.alerts.look()
        self._update_household()

    def _tell_reachable(self) -> None:
        if self.reachable == self.household.link.reachable:
            return
        self.reachable = self.household.link.reachable
        self.entities.tell_everybody()

    @callback
    def _on_result(self, result: CommandResult) -> None:
        """Tell everybody how a command ended."""
        announce(self._hass, self.entry, result, self.devices.identifier(result.node_id))
        if result.reason is Reason.POISONOUS:
            self._issues.report("dead_letter", {"node": result.node_id, "command": result.kind})

    @callback
    def _on_catalogue(self) -> None:
        """Let every node look whether there is newer firmware for it."""
        self.entities.tell_all_of(FIRMWARE)

    @callback
    def _on_change(self, node: NodeState, keys: tuple[str, ...]) -> None:
        key = keys[0]
        if len(keys) == 1 and key not in _FAR_REACHING:
            listeners = self.entities.listeners.get(node.node_id)
            if listeners is not None and (update := listeners.get(key)) is not None:
                # The usual case: one value of an entity that is there.
                update()
                return
        self._on_more(node, keys)

    def _on_more(self, node: NodeState, keys: tuple[str, ...]) -> None:
        if not self.entities.knows(node.node_id):
            # Heard for the first time: these exist for every node.
            self.devices.register(node.node_id)
            self.entities.announce(node.node_id, (ONLINE, LAST_SEEN))
            self._update_household()
        self.entities.announce(node.node_id, keys)
        self.entities.tell(node.node_id, keys)
        if ONLINE in keys:
            self._update_household()
        if not DEVICE_FACTS.isdisjoint(keys):
            self.devices.update(node)

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
        data |= learned_data(self.household.link.learned)
        if data != self.entry.data:
            self._hass.config_entries.async_update_entry(self.entry, data=data)
