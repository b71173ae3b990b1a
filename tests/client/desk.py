"""The commands of a household, with a link and nodes that a test takes away and brings back."""

import asyncio
from collections.abc import Callable
from typing import Any

from custom_components.homesync.client import (
    Command,
    CommandResult,
    Delivery,
    Firmware,
    Installation,
    LedAction,
    LedCommand,
    Limits,
    OtaCommand,
    OwnCommand,
    Reason,
    RelayAction,
    RelayCommand,
    StoredCommand,
)
from custom_components.homesync.client.commands import Response, ResponseStatus
from custom_components.homesync.client.dispatch import Dispatch, Surroundings
from custom_components.homesync.client.errors import HomeSyncError, NotConnectedError
from custom_components.homesync.client.inflight import Answered
from custom_components.homesync.client.order import Order

NOW = 1_738_852_200.0  # 2025-02-06T14:30:00Z
ON = RelayCommand(RelayAction.ON)
OFF = RelayCommand(RelayAction.OFF)
TOGGLE = RelayCommand(RelayAction.TOGGLE)
IDENTIFY = LedCommand(LedAction.IDENTIFY)
UPDATE = OtaCommand(
    Firmware(version="1.3.0", url="https://firmware.example/plug.bin", sha256="a" * 64)
)
GONE = NotConnectedError("not connected")
GRACE = 30.0

ACCEPTED, PROGRESS = ResponseStatus.ACCEPTED, ResponseStatus.PROGRESS


def light(**wanted: Any) -> LedCommand:
    return LedCommand(LedAction.ON, **wanted)


def own(kind: str = "dance") -> OwnCommand:
    return OwnCommand(kind)


class Desk:
    """What was sent: (seconds since the start, node, command, request id).

    `on_send` is called with the request id while `send` still runs.
    """

    def __init__(self, limits: Limits | None = None, *, grace: float = GRACE) -> None:
        loop = asyncio.get_running_loop()
        self.broken: HomeSyncError | None = None
        self.connected = True
        self.offline: set[str] = set()
        self.on_send: Callable[[str], object] = lambda _: None
        self.on_result: Callable[[CommandResult], object] = lambda _: None
        self.sent: list[tuple[float, str, Command, str]] = []
        self.results: list[CommandResult] = []
        self.installing: list[tuple[str, Installation | None]] = []
        self.changes = 0
        self.wall = NOW
        self._grace = grace
        self._lost_at = 0.0
        self._begin = loop.time()
        self._loop = loop
        self.dispatch = Dispatch(
            limits or Limits(),
            Surroundings(
                send=self._send,
                away=self._away,
                patience=self._patience,
                tell=self._told,
                installing=lambda *news: self.installing.append(news),
                changed=self._count_change,
                wall_clock=lambda: self.wall + self.now,
            ),
        )

    @property
    def seconds(self) -> list[float]:
        return [round(each[0], 6) for each in self.sent]

    @property
    def commands(self) -> list[Command]:
        return [each[2] for each in self.sent]

    @property
    def nodes(self) -> list[str]:
        return [each[1] for each in self.sent]

    @property
    def ids(self) -> set[str]:
        return {each[3] for each in self.sent}

    @property
    def now(self) -> float:
        return round(self._loop.time() - self._begin, 6)

    @property
    def outcomes(self) -> list[tuple[str, str | None]]:
        """Outcome and reason of each command that ended, as listeners were told."""
        return [(each.outcome, each.reason) for each in self.results]

    def execute(
        self, node_id: str = "plug-1", command: Command = ON, **delivery: Any
    ) -> asyncio.Task[CommandResult]:
        """Begin; the command is sent when the caller next waits."""
        return self._loop.create_task(self.dispatch.execute(node_id, command, Delivery(**delivery)))

    def submit(self, node_id: str = "plug-1", command: Command = ON, **delivery: Any) -> Order:
        """Begin; the command is sent at once if it may be."""
        return self.dispatch.submit(node_id, command, Delivery(**delivery))

    def answer(
        self,
        request_id: str | None = None,
        *,
        node_id: str | None = None,
        leaf: str | None = None,
        status: ResponseStatus = ResponseStatus.SUCCESS,
        **content: Any,
    ) -> Answered | None:
        """Answer a request, the last one sent unless told otherwise."""
        _, sent_to, command, last_id = next(
            (each for each in self.sent if each[3] == request_id), self.sent[-1]
        )
        return self.dispatch.take(
            Response(
                node_id=node_id or sent_to,
                leaf=leaf or ("ota" if isinstance(command, OtaCommand) else "command"),
                request_id=request_id or last_id,
                status=status,
                **({"result": "on"} if status is ResponseStatus.SUCCESS else {}) | content,
            )
        )

    def refuse(self, error: str | None = None, request_id: str | None = None) -> Answered | None:
        return self.answer(request_id, status=ResponseStatus.ERROR, error=error)

    def lose_link(self, error: HomeSyncError = GONE) -> None:
        self.broken = error
        self.connected = False
        self._lost_at = self._loop.time()
        self.dispatch.connection_lost()

    def restore_link(self) -> None:
        self.broken = None
        self.connected = True
        self.dispatch.connection_is_back()

    def flap(self, times: int = 1) -> None:
        for _ in range(times):
            self.lose_link()
            self.restore_link()

    def goes_offline(self, node_id: str = "plug-1") -> None:
        self.offline.add(node_id)
        self.dispatch.pump()

    def comes_online(self, node_id: str = "plug-1") -> None:
        self.offline.discard(node_id)
        self.dispatch.pump()

    def restored(self, *stored: StoredCommand) -> Desk:
        """Another run, now, that takes up what rested; its link is not there yet."""
        desk = Desk()
        desk.wall = self.wall + self.now
        desk.connected = False
        desk.broken = GONE
        for each in stored:
            desk.dispatch.restore(each)
        return desk

    async def pass_time(self, seconds: float) -> None:
        await asyncio.sleep(seconds)

    def _send(self, order: Order) -> None:
        if self.broken is not None:
            raise self.broken
        self.sent.append(
            (self._loop.time() - self._begin, order.node_id, order.command, order.request_id)
        )
        self.on_send(order.request_id)

    def _away(self, node_id: str) -> Reason | None:
        if not self.connected:
            return Reason.NOT_CONNECTED
        return Reason.NODE_OFFLINE if node_id in self.offline else None

    def _patience(self) -> float:
        return 0.0 if self.connected else max(0.0, self._lost_at + self._grace - self._loop.time())

    def _told(self, result: CommandResult) -> None:
        self.results.append(result)
        self.on_result(result)

    def _count_change(self) -> None:
        self.changes += 1
