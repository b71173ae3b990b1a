"""The devices of a household and its nodes in Home Assistant's registry."""

from collections.abc import Callable, Iterator

from homeassistant.config_entries import ConfigEntry
from homeassistant.core import HomeAssistant
from homeassistant.helpers import device_registry as dr
from homeassistant.helpers.device_registry import DeviceEntryType

from .client import FIRMWARE, HARDWARE, MANUFACTURER, MODEL, NodeState
from .const import DOMAIN
from .names import unique_id

# What a node tells of itself → what the device registry calls it.
_FACTS = {
    FIRMWARE: "sw_version",
    HARDWARE: "hw_version",
    MODEL: "model",
    MANUFACTURER: "manufacturer",
}
_UNTOLD = {"manufacturer": "HomeSync", "model": "Node"}

DEVICE_FACTS = frozenset(_FACTS)
"""The keys of values that a device shows."""


class Devices:
    """The devices of one config entry; `household` is the one that the nodes hang on.

    `is_known` tells whether a node still is one.
    """

    def __init__(
        self, hass: HomeAssistant, entry: ConfigEntry, is_known: Callable[[str], bool]
    ) -> None:
        self._entry = entry
        self._is_known = is_known
        self._registry = dr.async_get(hass)
        self.household = self._registry.async_get_or_create(
            config_entry_id=entry.entry_id,
            identifiers={(DOMAIN, entry.entry_id)},
            entry_type=DeviceEntryType.SERVICE,
            manufacturer="HomeSync",
            model="Household",
            name=entry.title,
        )

    def identifier(self, node_id: str) -> tuple[str, str]:
        """Return what a node's device is found by."""
        return (DOMAIN, unique_id(self._entry.entry_id, node_id))

    def node_id_of(self, device: dr.AnyDeviceEntry) -> str | None:
        """Return the id of the node that a device is, None for other devices."""
        prefix = unique_id(self._entry.entry_id, "")
        return next(
            (
                identifier.removeprefix(prefix)
                for domain, identifier in device.identifiers
                if domain == DOMAIN and identifier.startswith(prefix)
            ),
            None,
        )

    def known(self) -> Iterator[tuple[str, dict[str, str]]]:
        """Give each node that has a device, with what it told of itself, by key."""
        for device in dr.async_entries_for_config_entry(self._registry, self._entry.entry_id):
            node_id = self.node_id_of(device)
            if node_id is not None:
                told = {key: getattr(device, fact) for key, fact in _FACTS.items()}
                yield (
                    node_id,
                    {
                        key: value
                        for key, value in told.items()
                        if value is not None and value != _UNTOLD.get(_FACTS[key])
                    },
                )

    def of_node(self, node_id: str) -> dr.DeviceEntry:
        """Return a node's device; LookupError for a node that was removed."""
        if not self._is_known(node_id):
            raise LookupError(f"{self._entry.title} {node_id} was removed")
        return self._find(node_id) or self.register(node_id)

    def register(self, node_id: str) -> dr.DeviceEntry:
        """See that a node has a device; what it told of itself outlives a restart."""
        known = self._find(node_id)
        return self._registry.async_get_or_create(
            config_entry_id=self._entry.entry_id,
            identifiers={self.identifier(node_id)},
            name=f"{self._entry.title} {node_id}",
            via_device_id=self.household.id,
            **(_UNTOLD if known is None else {}),  # type: ignore[arg-type]  # texts all
        )

    def update(self, node: NodeState) -> None:
        """Show what a node tells of itself."""
        device = self._find(node.node_id)
        facts = {
            fact: value for key, fact in _FACTS.items() if isinstance(value := node.get(key), str)
        }
        if device is not None and facts:
            self._registry.async_update_device(device.id, **facts)  # type: ignore[arg-type]  # texts all

    def _find(self, node_id: str) -> dr.DeviceEntry | None:
        return self._registry.async_get_device_by_identifier(
            self.identifier(node_id), self._entry.entry_id
        )
