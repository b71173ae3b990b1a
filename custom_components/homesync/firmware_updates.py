"""Newer firmware for the nodes of a household: which there is, and its way into a node."""

from collections.abc import Callable
from dataclasses import replace

from homeassistant.config_entries import ConfigEntry
from homeassistant.core import HomeAssistant, callback

from .broker import option
from .client import (
    AVAILABLE,
    FIRMWARE,
    MODEL,
    CommandResult,
    Delivery,
    Firmware,
    Household,
    OtaCommand,
)
from .const import CONF_FIRMWARE_CATALOGUE, CONF_FIRMWARE_HOSTS
from .errors import firmware_not_newer, firmware_refused, no_newer_firmware
from .firmware import FirmwareRefusedError, check_firmware, is_allowed, is_newer
from .firmware_catalogue import FirmwareCatalogue
from .issues import HouseholdIssues

# One repeat, so that both sends are within what a node remembers; hours in line behind
# the installations of others.
INSTALL = Delivery(timeout=30.0, retries=1, ttl=6 * 3600.0)


class FirmwareUpdates:
    """The firmware of one household's nodes; `on_change` hears that the catalogue changed."""

    def __init__(
        self,
        hass: HomeAssistant,
        entry: ConfigEntry,
        household: Household,
        issues: HouseholdIssues,
        on_change: Callable[[], None],
    ) -> None:
        self._entry = entry
        self._household = household
        self._issues = issues
        self._on_change = on_change
        self._hosts: list[str] = list(option(entry, CONF_FIRMWARE_HOSTS))
        self.catalogue: FirmwareCatalogue | None = None
        if url := option(entry, CONF_FIRMWARE_CATALOGUE):
            self.catalogue = FirmwareCatalogue(hass, url, entry.title, self._on_catalogue)
            if (host := self.catalogue.host) is not None:
                self._hosts.append(host)

    @callback
    def start(self) -> None:
        """Begin to keep the catalogue up to date."""
        if self.catalogue is not None:
            self.catalogue.start()

    @callback
    def stop(self) -> None:
        """Leave nothing behind."""
        if self.catalogue is not None:
            self.catalogue.stop()

    def newest(self, node_id: str) -> Firmware | None:
        """Return the newest firmware that is an update for a node, None if none is known.

        What comes from an allowed host counts before all else: nobody who can publish as
        a node may hide the household's own firmware behind one that nobody can install.
        """
        node = self._household.nodes[node_id]
        installed, model, announced = node.get(FIRMWARE), node.get(MODEL), node.get(AVAILABLE)
        version = installed if isinstance(installed, str) else None
        known = []
        if self.catalogue is not None and isinstance(model, str):
            known.append(self.catalogue.latest(model, version))
        if isinstance(announced, Firmware) and is_newer(announced.version, version):
            known.append(announced)
        found = [each for each in known if each is not None]
        found = [each for each in found if is_allowed(each.url, self._hosts)] or found
        if len(found) == 2 and not _is_surely_newer(found[1], found[0]):
            return found[0]
        return found[-1] if found else None

    async def async_install(
        self, node_id: str, firmware: Firmware | None = None, *, queue: bool = False
    ) -> CommandResult:
        """Have a node install firmware, by default its newest, and wait for the outcome.

        With `queue` it waits for a node or a broker that is away.
        Raises a translated ServiceValidationError for what no node is told to install.
        """
        household = self._entry.title
        chosen = self.newest(node_id) if firmware is None else firmware
        if chosen is None:
            raise no_newer_firmware(node_id, household)
        try:
            check_firmware(chosen, self._hosts)
        except FirmwareRefusedError as err:
            raise firmware_refused(err, chosen.version, node_id, household) from err
        installed = self._household.nodes[node_id].get(FIRMWARE)
        if isinstance(installed, str) and not is_newer(chosen.version, installed):
            raise firmware_not_newer(chosen.version, installed, node_id)
        delivery = replace(INSTALL, queue=queue)
        return await self._household.commands.execute(node_id, OtaCommand(chosen), delivery)

    @callback
    def _on_catalogue(self) -> None:
        error = None if self.catalogue is None else self.catalogue.error
        if error is None:
            self._issues.withdraw("firmware_catalogue")
        else:
            self._issues.report("firmware_catalogue", {"reason": error})
        self._on_change()


def _is_surely_newer(firmware: Firmware, other: Firmware) -> bool:
    """Whether the versions can be compared, and the first is newer."""
    return is_newer(firmware.version, other.version) and not is_newer(
        other.version, firmware.version
    )
