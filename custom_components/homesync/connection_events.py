"""How a household's connection changes, told on Home Assistant's event bus.

An outage is told once, however many attempts fail; within it, each cause that only a
person can mend is told once more.
"""

import logging

from homeassistant.config_entries import ConfigEntry
from homeassistant.core import HomeAssistant

from .broker import timing
from .client import ConnectError, ConnectionState, Link
from .const import CONF_HOME_ID, EVENT_CONNECTION

_LOGGER = logging.getLogger(__name__)

# What a listener is told; a household that stops or tries is none of it.
_TOLD = frozenset(
    (
        ConnectionState.CONNECTED,
        ConnectionState.DISCONNECTED,
        ConnectionState.ERROR,
        ConnectionState.STOPPED,
    )
)


class ConnectionEvents:
    """Fires `homesync_connection` for one household."""

    def __init__(self, hass: HomeAssistant, entry: ConfigEntry, link: Link, device_id: str) -> None:
        self._hass = hass
        self._entry = entry
        self._link = link
        self._device_id = device_id
        self._state = ConnectionState.STOPPED
        self._last = ConnectionState.STOPPED
        self._causes: set[str] = set()
        self._transport: str | None = None
        self._first_attempts = timing(entry.options).first_attempts

    def on_state(self, state: ConnectionState) -> None:
        """Take a state of the household; it may be the same as before."""
        if state is self._last:
            return
        self._last = state
        error = self._link.error
        _LOGGER.debug("Household %s: %s (%s)", self._entry.title, state.value, error)
        if state in _TOLD and self._is_news(state, error):
            self._tell(state, error)

    def _is_news(self, state: ConnectionState, error: ConnectError | None) -> bool:
        if state is ConnectionState.DISCONNECTED:
            # At the start some failures are usual: the machine or its broker is not up yet,
            # or the version of MQTT is still being found out.
            self._first_attempts -= 1
            return self._state is ConnectionState.CONNECTED or (
                self._state is ConnectionState.STOPPED and self._first_attempts <= 0
            )
        if state is ConnectionState.ERROR:
            return error is not None and error.cause not in self._causes
        return state is not self._state

    def _tell(self, state: ConnectionState, error: ConnectError | None) -> None:
        if state is ConnectionState.CONNECTED:
            terms = self._link.terms
            self._transport = None if terms is None else terms.transport.value
            self._causes.clear()
            error = None
        elif state is ConnectionState.STOPPED:
            error = None
        elif error is not None:
            self._causes.add(error.cause)
        previous, self._state = self._state, state
        self._hass.bus.async_fire(
            EVENT_CONNECTION,
            {
                "entry_id": self._entry.entry_id,
                "device_id": self._device_id,
                "household": self._entry.title,
                "home_id": self._entry.data[CONF_HOME_ID],
                "state": state.value,
                "previous": previous.value,
                "cause": None if error is None else error.cause.value,
                "reason": None if error is None else str(error),
                "transport": self._transport,
            },
        )
