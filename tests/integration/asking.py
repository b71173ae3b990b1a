"""Asking the HTTP API and the WebSocket commands."""

import asyncio
from pathlib import Path
from typing import Any

from pytest_homeassistant_custom_component.typing import MockHAClientWebSocket

CANARY = "canary-5e1f0c"
PAGE = (Path(__file__).parents[2] / "docs" / "api.md").read_text()
# They change while a test looks.
_CLOCKS = {"at", "seconds", "connected_seconds", "away_seconds", "uptime", "forecast"}


def steady(value: Any) -> Any:
    """Leave out what goes with the clock."""
    if isinstance(value, dict):
        return {key: steady(each) for key, each in value.items() if key not in _CLOCKS}
    return [steady(each) for each in value] if isinstance(value, list) else value


async def ask(client: MockHAClientWebSocket, **message: Any) -> Any:
    """Return what a command is answered."""
    await client.send_json_auto_id(message)
    answer = await client.receive_json()
    assert answer["success"], answer
    return answer["result"]


async def refused(client: MockHAClientWebSocket, **message: Any) -> dict[str, Any]:
    """Return why a command is refused."""
    await client.send_json_auto_id(message)
    answer = await client.receive_json()
    assert not answer["success"]
    error = answer["error"]
    assert isinstance(error, dict)
    return error


async def event(client: MockHAClientWebSocket) -> Any:
    """Return the next event of a subscription."""
    async with asyncio.timeout(60):
        return (await client.receive_json())["event"]
