"""The open commands of a household, with a link that a test takes away and brings back."""

import asyncio
from collections.abc import Callable

from custom_components.homesync.client import CommandResult, RelayAction, RelayCommand
from custom_components.homesync.client.errors import HomeSyncError
from custom_components.homesync.client.inflight import Answered, Inflight
from custom_components.homesync.client.records import Response

ON = RelayCommand(RelayAction.ON)
OFF = RelayCommand(RelayAction.OFF)


class Desk:
    """What was sent: (seconds since the start, node, command, request id).

    `on_send` is called with the request id while `send` still runs.
    """

    def __init__(self) -> None:
        loop = asyncio.get_running_loop()
        self.broken: HomeSyncError | None = None
        self.on_send: Callable[[str], object] = lambda _: None
        self.sent: list[tuple[float, str, RelayCommand, str]] = []
        self._begin = loop.time()
        self._loop = loop
        self.inflight = Inflight(self._send, loop.time)

    @property
    def seconds(self) -> list[float]:
        return [round(each[0], 6) for each in self.sent]

    @property
    def ids(self) -> set[str]:
        return {each[3] for each in self.sent}

    @property
    def now(self) -> float:
        return round(self._loop.time() - self._begin, 6)

    def execute(
        self,
        node_id: str = "plug-1",
        command: RelayCommand = ON,
        *,
        timeout: float = 5.0,
        retries: int = 3,
    ) -> asyncio.Task[CommandResult]:
        """Begin; the command is sent when the caller next waits."""
        return self._loop.create_task(self.inflight.execute(node_id, command, timeout, retries))

    def answer(
        self,
        request_id: str | None = None,
        *,
        node_id: str = "plug-1",
        success: bool = True,
        error: str | None = None,
    ) -> Answered | None:
        return self.inflight.take(
            Response(
                node_id=node_id,
                request_id=request_id or self.sent[-1][3],
                success=success,
                result="on" if success else None,
                error=error,
                at=0.0,
                stamped=False,
            )
        )

    def lose_link(self, error: HomeSyncError) -> None:
        self.broken = error
        self.inflight.connection_lost()

    def restore_link(self) -> None:
        self.broken = None
        self.inflight.send_again()

    async def pass_time(self, seconds: float) -> None:
        await asyncio.sleep(seconds)

    def _send(self, node_id: str, command: RelayCommand, request_id: str) -> None:
        if self.broken is not None:
            raise self.broken
        self.sent.append((self._loop.time() - self._begin, node_id, command, request_id))
        self.on_send(request_id)
