"""Calling the integration's actions, and hearing what they led to."""

from typing import Any

from homeassistant.core import Event, HomeAssistant, callback
from pytest_homeassistant_custom_component.common import MockConfigEntry

from custom_components.homesync.const import DOMAIN, EVENT_COMMAND

from .lookup import device_id


async def respond(
    hass: HomeAssistant, name: str, /, *, context: Any = None, **data: Any
) -> dict[str, Any]:
    """Call an action and return its response."""
    response = await hass.services.async_call(
        DOMAIN, name, data, blocking=True, context=context, return_response=True
    )
    assert isinstance(response, dict)
    return response


async def act(hass: HomeAssistant, name: str, /, *, context: Any = None, **data: Any) -> None:
    """Call an action without taking its response."""
    await hass.services.async_call(DOMAIN, name, data, blocking=True, context=context)


async def send(hass: HomeAssistant, device_id: str, /, **data: Any) -> dict[str, Any]:
    """Send a command to one node and return its outcome."""
    response = await respond(hass, "send_command", device_id=device_id, **data)
    (result,) = response["results"]
    assert isinstance(result, dict)
    return result


class Events:
    """The outcomes that are told on the bus, as they come."""

    def __init__(self, hass: HomeAssistant) -> None:
        self.told: list[dict[str, Any]] = []
        hass.bus.async_listen(EVENT_COMMAND, self._hear)

    @callback
    def _hear(self, event: Event[dict[str, Any]]) -> None:
        self.told.append(dict(event.data))

    def of(self, request_id: str) -> list[dict[str, Any]]:
        """All that was told of one command."""
        return [each for each in self.told if each["request_id"] == request_id]

    @property
    def outcomes(self) -> list[str]:
        """How they ended, in order."""
        return [each["outcome"] for each in self.told]


def ids(hass: HomeAssistant, entry: MockConfigEntry) -> list[str]:
    """Return the devices of the two nodes."""
    return [device_id(hass, entry, node_id) for node_id in ("plug-1", "plug-2")]
