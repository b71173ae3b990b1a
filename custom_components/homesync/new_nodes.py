"""Nodes that wait for the user's word before they are added."""

from homeassistant.config_entries import SOURCE_INTEGRATION_DISCOVERY, ConfigEntry
from homeassistant.core import HomeAssistant
from homeassistant.helpers import discovery_flow

from .const import CONF_ACCEPTED_NODES, DOMAIN
from .names import unique_id

_MOST_QUESTIONS = 25  # open discovery cards of one household; strangers may invent nodes


class NewNodes:
    """Asks for the nodes of one household, with a discovery card each."""

    def __init__(self, hass: HomeAssistant, entry: ConfigEntry) -> None:
        self._hass = hass
        self._entry = entry
        self._asked: set[str] = set()

    def is_accepted(self, node_id: str) -> bool:
        """Whether the user wants a node; of an unknown one he is asked, once."""
        if node_id in self._entry.data.get(CONF_ACCEPTED_NODES, ()):
            return True
        if node_id in self._asked or self._is_ignored(node_id):
            return False
        if len(self._asked) >= _MOST_QUESTIONS:
            self._asked = {each for each in self._asked if not self._is_ignored(each)}
        if len(self._asked) < _MOST_QUESTIONS:
            self._asked.add(node_id)
            discovery_flow.async_create_flow(
                self._hass,
                DOMAIN,
                context={"source": SOURCE_INTEGRATION_DISCOVERY},
                data={"entry_id": self._entry.entry_id, "node_id": node_id},
            )
        return False

    def _is_ignored(self, node_id: str) -> bool:
        """Whether the user does not want to be asked for a node again."""
        asked_as = unique_id(self._entry.entry_id, node_id)
        found = self._hass.config_entries.async_entry_for_domain_unique_id(DOMAIN, asked_as)
        return found is not None
