"""Home Assistant's REST and WebSocket API, as far as the demo needs it."""

from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from datetime import datetime
from typing import Any

import aiohttp

from .errors import DemoError
from .watch import watched

_TIMEOUT = aiohttp.ClientTimeout(total=60)


class ApiError(DemoError):
    """Home Assistant refused a request."""


class Api:
    """Both interfaces with one access token, short- or long-lived."""

    def __init__(self, session: aiohttp.ClientSession, token: str) -> None:
        self._session = session
        self._token = token

    async def get(self, path: str) -> Any:
        """GET what is below /api/."""
        return await self._request("GET", path, None)

    async def post(self, path: str, data: dict[str, Any]) -> Any:
        """POST JSON to what is below /api/."""
        return await self._request("POST", path, data)

    async def call(self, command: str, /, **fields: Any) -> Any:
        """Send a WebSocket command and return its result."""
        # A connection each: one that is kept would have to be read all the time.
        async with self._session.ws_connect("/api/websocket") as socket:
            await _receive(socket)
            await socket.send_json({"type": "auth", "access_token": self._token})
            if (await _receive(socket))["type"] != "auth_ok":
                raise ApiError("Home Assistant refuses the access token; use --fresh")
            await socket.send_json({"id": 1, "type": command, **fields})
            answer = await _receive(socket)
        if not answer["success"]:
            raise ApiError(f"{command}: {answer['error']['message']}")
        return answer["result"]

    def watched(self, *event_types: str) -> AbstractAsyncContextManager[list[dict[str, Any]]]:
        """Give a list that grows by each event of these types."""
        return watched(self._session, self._token, *event_types)

    async def act(self, action: str, /, **data: Any) -> None:
        """Perform an action such as `switch.turn_on` and wait for its end."""
        await self.post(f"services/{action.replace('.', '/')}", data)

    async def act_for_response(self, action: str, /, **data: Any) -> dict[str, Any]:
        """Perform an action and return its response."""
        path = f"services/{action.replace('.', '/')}?return_response"
        answer = await self.post(path, data)
        response: dict[str, Any] = answer["service_response"]
        return response

    async def states(self) -> dict[str, str]:
        """Give every entity's state by its id."""
        return {state["entity_id"]: state["state"] for state in await self.get("states")}

    async def changed_at(self, entity_id: str) -> datetime:
        """When the entity's state was last written anew."""
        state = await self.get(f"states/{entity_id}")
        return datetime.fromisoformat(state["last_updated"])

    async def _request(self, method: str, path: str, data: dict[str, Any] | None) -> Any:
        headers = {"Authorization": f"Bearer {self._token}"}
        async with self._session.request(
            method, f"/api/{path}", json=data, headers=headers
        ) as response:
            if response.status >= 400:
                raise ApiError(f"{method} {path}: {response.status} {await response.text()}")
            return await response.json()


@asynccontextmanager
async def open_api(base: str, token: str) -> AsyncIterator[Api]:
    """Give the API of the Home Assistant at this address."""
    async with aiohttp.ClientSession(base, timeout=_TIMEOUT) as session:
        yield Api(session, token)


async def _receive(socket: aiohttp.ClientWebSocketResponse) -> dict[str, Any]:
    try:
        answer: dict[str, Any] = await socket.receive_json()
    except TypeError as error:
        raise ApiError("Home Assistant closed the connection") from error
    return answer
