"""A switch with a bare paho client behind it: what a command takes in any Home Assistant."""

import asyncio
from datetime import UTC, datetime
import json
import secrets
from typing import Any, override

from homeassistant.components.switch import SwitchEntity
from homeassistant.components.switch.const import DOMAIN as SWITCH
from homeassistant.core import HomeAssistant
from paho.mqtt.client import MQTTMessage

from benchmarks.bare import BareClient
from benchmarks.plant import topic

_HOME, _NODE = "bare", "node0000"


class BareSwitch(SwitchEntity):
    """Sends a command and shows what its answer says; no deadline, no repeat, no check."""

    entity_id = "switch.bare"
    _attr_should_poll = False
    _attr_is_on = False

    def __init__(self, port: int) -> None:
        self._loop = asyncio.get_running_loop()
        self._answers: dict[str, asyncio.Future[None]] = {}
        self._client = BareClient(
            port, "bench-bare-switch", topic(_HOME, _NODE, "response/command")
        )
        self._client.paho.on_message = self._on_message
        self._loop.add_reader(self._client.socket, self._client.read)

    @override
    async def async_turn_on(self, **kwargs: Any) -> None:
        await self._command("on")

    @override
    async def async_turn_off(self, **kwargs: Any) -> None:
        await self._command("off")

    @override
    async def async_will_remove_from_hass(self) -> None:
        self._loop.remove_reader(self._client.socket)
        self._client.paho.disconnect()

    async def _command(self, action: str) -> None:
        request_id = secrets.token_hex(16)
        answered = self._answers[request_id] = self._loop.create_future()
        command = {
            "action": action,
            "request_id": request_id,
            "timestamp": datetime.now(UTC).isoformat(timespec="milliseconds"),
        }
        self._client.paho.publish(topic(_HOME, _NODE, "command/relay"), json.dumps(command), qos=1)
        await answered

    def _on_message(self, _client: object, _data: object, message: MQTTMessage) -> None:
        answer = json.loads(message.payload)
        answered = self._answers.pop(answer["request_id"], None)
        if answered is not None:
            self._attr_is_on = answer["result"] == "on"
            self.async_write_ha_state()
            answered.set_result(None)


async def add(hass: HomeAssistant, port: int) -> str:
    """Add it; return its entity id."""
    await hass.data["entity_components"][SWITCH].async_add_entities([BareSwitch(port)])
    return BareSwitch.entity_id


async def remove(hass: HomeAssistant) -> None:
    """Take it away again."""
    await hass.data["entity_components"][SWITCH].async_remove_entity(BareSwitch.entity_id)
