"""WebSocket commands for administrators; described in docs/api.md."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from homeassistant.components.websocket_api import async_register_command
from homeassistant.components.websocket_api.connection import ActiveConnection
from homeassistant.components.websocket_api.const import ERR_HOME_ASSISTANT_ERROR
from homeassistant.components.websocket_api.decorators import (
    async_response,
    require_admin,
    websocket_command,
)
from homeassistant.components.websocket_api.messages import event_message
from homeassistant.core import HomeAssistant, callback
from homeassistant.exceptions import HomeAssistantError
import voluptuous as vol

from . import api
from .client import Household, Publication
from .coordinator import HomeSyncConfigEntry
from .errors import failure, translated
from .live_statistics import live_statistics
from .message_monitor import MessageMonitor, topic_filter

_HOUSEHOLD = "household_id"
_TOPIC, _PAYLOAD, _QOS, _RETAIN = "topic", "payload", "qos", "retain"
_PAYLOAD_BYTES = "payload_bytes"
_HOUSEHOLD_ID = vol.All(str, vol.Match(r"[A-Za-z0-9_-]{1,64}\Z"))


def _topic_filter(text: str) -> Callable[[str], bool]:
    try:
        return topic_filter(text)
    except ValueError as err:
        raise vol.Invalid(str(err)) from None


@require_admin
@websocket_command(
    {vol.Required("type"): "homesync/stats", vol.Optional(_HOUSEHOLD): _HOUSEHOLD_ID}
)
@callback
def _stats(hass: HomeAssistant, connection: ActiveConnection, msg: dict[str, Any]) -> None:
    """Tell everything, or all of one household."""
    with _errors_told(connection, msg):
        connection.send_result(msg["id"], api.stats(api.chosen(hass, msg.get(_HOUSEHOLD))))


@require_admin
@websocket_command(
    {vol.Required("type"): "homesync/connections", vol.Optional(_HOUSEHOLD): _HOUSEHOLD_ID}
)
@callback
def _connections(hass: HomeAssistant, connection: ActiveConnection, msg: dict[str, Any]) -> None:
    """Tell the connections of all households, or of one."""
    with _errors_told(connection, msg):
        chosen = api.chosen(hass, msg.get(_HOUSEHOLD))
        connection.send_result(msg["id"], api.connections(chosen))


@require_admin
@websocket_command({vol.Required("type"): "homesync/households"})
@callback
def _households(hass: HomeAssistant, connection: ActiveConnection, msg: dict[str, Any]) -> None:
    """Tell which households there are."""
    connection.send_result(msg["id"], [api.brief(entry) for entry in api.entries(hass)])


@require_admin
@websocket_command(
    {vol.Required("type"): "homesync/household", vol.Required(_HOUSEHOLD): _HOUSEHOLD_ID}
)
@callback
def _household(hass: HomeAssistant, connection: ActiveConnection, msg: dict[str, Any]) -> None:
    """Tell one household with its figures and nodes."""
    with _errors_told(connection, msg):
        connection.send_result(msg["id"], api.household(api.find(hass, msg[_HOUSEHOLD])))


@require_admin
@websocket_command(
    {vol.Required("type"): "homesync/status", vol.Required(_HOUSEHOLD): _HOUSEHOLD_ID}
)
@callback
def _status(hass: HomeAssistant, connection: ActiveConnection, msg: dict[str, Any]) -> None:
    """Tell whether one household is connected."""
    with _errors_told(connection, msg):
        connection.send_result(msg["id"], api.status(api.find(hass, msg[_HOUSEHOLD])))


@require_admin
@websocket_command(
    {vol.Required("type"): "homesync/stats/subscribe", vol.Optional(_HOUSEHOLD): _HOUSEHOLD_ID}
)
@callback
def _subscribe_stats(
    hass: HomeAssistant, connection: ActiveConnection, msg: dict[str, Any]
) -> None:
    """Tell everything, and then what changes."""
    with _errors_told(connection, msg):
        one = api.find(hass, msg[_HOUSEHOLD]).entry_id if _HOUSEHOLD in msg else None
        connection.send_result(msg["id"])
        connection.subscriptions[msg["id"]] = live_statistics(hass).subscribe(
            _events(connection, msg), one
        )


@require_admin
@websocket_command(
    {
        vol.Required("type"): "homesync/messages/subscribe",
        vol.Required(_HOUSEHOLD): _HOUSEHOLD_ID,
        vol.Optional(_TOPIC, default="#"): vol.All(str, _topic_filter),
        vol.Optional(_PAYLOAD_BYTES, default=256): vol.All(int, vol.Range(min=1, max=4096)),
    }
)
@callback
def _subscribe_messages(
    hass: HomeAssistant, connection: ActiveConnection, msg: dict[str, Any]
) -> None:
    """Show messages of one household as they come in."""
    with _errors_told(connection, msg):
        monitor = MessageMonitor(
            hass,
            api.find(hass, msg[_HOUSEHOLD]),
            msg[_TOPIC],
            msg[_PAYLOAD_BYTES],
            _events(connection, msg),
        )
        connection.subscriptions[msg["id"]] = monitor.start()
        connection.send_result(msg["id"])


@require_admin
@websocket_command(
    {
        vol.Required("type"): "homesync/publish",
        vol.Required(_HOUSEHOLD): _HOUSEHOLD_ID,
        vol.Required(_TOPIC): str,
        vol.Optional(_PAYLOAD, default=""): str,
        vol.Optional(_QOS, default=0): vol.All(int, vol.In((0, 1))),
        vol.Optional(_RETAIN, default=False): bool,
    }
)
@callback
def _publish(hass: HomeAssistant, connection: ActiveConnection, msg: dict[str, Any]) -> None:
    """Send a raw message that is no command through a household's connection."""
    with _errors_told(connection, msg):
        entry, household = _running(hass, msg)
        with translated(entry.title):
            household.publish(
                Publication(msg[_TOPIC], msg[_PAYLOAD].encode(), msg[_QOS], msg[_RETAIN])
            )
        connection.send_result(msg["id"])


@require_admin
@websocket_command(
    {vol.Required("type"): "homesync/reconnect", vol.Required(_HOUSEHOLD): _HOUSEHOLD_ID}
)
@callback
def _reconnect(hass: HomeAssistant, connection: ActiveConnection, msg: dict[str, Any]) -> None:
    """Connect a household anew, or try at once if it is not connected."""
    with _errors_told(connection, msg):
        _, household = _running(hass, msg)
        household.reconnect()
        connection.send_result(msg["id"])


@require_admin
@websocket_command(
    {vol.Required("type"): "homesync/retained/scan", vol.Required(_HOUSEHOLD): _HOUSEHOLD_ID}
)
@async_response
async def _scan_retained(
    hass: HomeAssistant, connection: ActiveConnection, msg: dict[str, Any]
) -> None:
    """List what a broker keeps for nobody; nothing is cleared."""
    with _errors_told(connection, msg):
        entry, household = _running(hass, msg)
        with translated(entry.title):
            found = await household.left_overs.find()
        if found is None:
            raise failure("cannot_look", household=entry.title)
        connection.send_result(msg["id"], {"found": api.left_overs(household, found)})


COMMANDS = (
    _stats,
    _connections,
    _households,
    _household,
    _status,
    _subscribe_stats,
    _subscribe_messages,
    _publish,
    _scan_retained,
    _reconnect,
)


@callback
def async_setup_websocket_api(hass: HomeAssistant) -> None:
    """Register the commands, once."""
    for command in COMMANDS:
        async_register_command(hass, command)


def _running(hass: HomeAssistant, msg: dict[str, Any]) -> tuple[HomeSyncConfigEntry, Household]:
    entry = api.find(hass, msg[_HOUSEHOLD])
    household = api.running(entry)
    if household is None:
        raise api.NotLoadedError("The household does not run")
    return entry, household


def _events(connection: ActiveConnection, msg: dict[str, Any]) -> Callable[[api.Json], None]:
    """Return what sends events of a subscription."""

    def tell(event: api.Json) -> None:
        connection.send_message(event_message(msg["id"], event))

    return tell


@contextmanager
def _errors_told(connection: ActiveConnection, msg: dict[str, Any]) -> Iterator[None]:
    """Answer with what is raised inside; left to Home Assistant, it would be logged as an error."""
    try:
        yield
    except api.HouseholdError as err:
        connection.send_error(msg["id"], err.code, str(err))
    except HomeAssistantError as err:
        connection.send_error(
            msg["id"],
            ERR_HOME_ASSISTANT_ERROR,
            str(err),
            translation_key=err.translation_key,
            translation_domain=err.translation_domain,
            translation_placeholders=err.translation_placeholders,
        )
