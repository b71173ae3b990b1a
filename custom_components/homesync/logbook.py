"""Connection changes in words for the logbook."""

from collections.abc import Callable

from homeassistant.components.logbook.const import LOGBOOK_ENTRY_MESSAGE, LOGBOOK_ENTRY_NAME
from homeassistant.core import Event, HomeAssistant, callback

from .client import ConnectionState
from .const import DOMAIN, EVENT_CONNECTION

# With the state that was told before, where it makes a difference.
_WORDS = {
    ConnectionState.CONNECTED: "connected to its broker",
    ConnectionState.DISCONNECTED: "has no connection to its broker",
    ConnectionState.ERROR: "is refused by its broker, or does not trust it",
    ConnectionState.STOPPED: "ended its connection",
}
_LOST = "lost the connection to its broker"


@callback
def async_describe_events(
    hass: HomeAssistant,
    async_describe_event: Callable[[str, str, Callable[[Event], dict[str, str]]], None],
) -> None:
    """Tell the logbook which events are ours."""
    async_describe_event(DOMAIN, EVENT_CONNECTION, _describe)


@callback
def _describe(event: Event) -> dict[str, str]:
    state, reason = event.data["state"], event.data["reason"]
    lost = event.data["previous"] == ConnectionState.CONNECTED and reason is not None
    words = _LOST if lost else _WORDS[ConnectionState(state)]
    return {
        LOGBOOK_ENTRY_NAME: event.data["household"],
        LOGBOOK_ENTRY_MESSAGE: words if reason is None else f"{words}: {reason}",
    }
