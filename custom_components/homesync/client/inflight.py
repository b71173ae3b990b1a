"""Commands that wait for their answer: a future per request id, deadlines, repeats.

A repeat carries the same request id, so the node carries it out once. The commands of
one node go one after the other: a repeat that overtook a newer command would undo it.
"""

import asyncio
from collections import Counter, defaultdict
from collections.abc import Callable
from dataclasses import dataclass
import secrets

from .errors import CongestedError, NotConnectedError, TooLargeError
from .records import CommandResult, Outcome, Reason, RelayCommand, Response
from .transport.reasons import FAILURE, NO_SUBSCRIBERS, reason_of

DEFAULT_TIMEOUT = 5.0
DEFAULT_RETRIES = 3
_FIRST_GAP = 1.0  # doubled with each repeat
_QUEUE_LIMIT = 128  # per node, waiting for their turn


@dataclass(slots=True, eq=False)
class _Request:
    node_id: str
    command: RelayCommand
    request_id: str
    answer: asyncio.Future[Response | None]
    sends_left: int
    attempts: int = 0
    first_sent: float | None = None
    latency: float | None = None
    state_told: bool = False
    refusal: str | None = None
    failure: Reason = Reason.NO_ANSWER


@dataclass(frozen=True, slots=True)
class Answered:
    """An answer that found its request.

    `outdated` if it may come from the node's memory while the node has told its state
    since the first send: that state is newer then.
    """

    command: RelayCommand
    outdated: bool


class Inflight:
    """The open commands of one household.

    `send(node_id, command, request_id)` sends once, or raises NotConnectedError,
    CongestedError or TooLargeError; `clock` gives monotonic seconds.
    """

    def __init__(
        self, send: Callable[[str, RelayCommand, str], None], clock: Callable[[], float]
    ) -> None:
        self.counts: Counter[str] = Counter()
        self._send = send
        self._clock = clock
        self._open: dict[str, _Request] = {}
        self._turns: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)
        self._waiting: Counter[str] = Counter()
        self._stopped = False

    async def execute(
        self, node_id: str, command: RelayCommand, timeout: float, retries: int
    ) -> CommandResult:
        """Send a command until it is answered, `retries` repeats at most.

        Each send waits `timeout` seconds, the n-th and not last 2**(n-1) s longer.
        """
        request = self._request(node_id, command, retries + 1)
        if self._waiting[node_id] >= _QUEUE_LIMIT:
            return self._ended(request, Outcome.DROPPED, Reason.CONGESTED)
        self._waiting[node_id] += 1
        try:
            async with self._turns[node_id]:
                return await self._execute(request, timeout)
        except asyncio.CancelledError:
            self.counts[Outcome.CANCELLED] += 1
            raise
        finally:
            self._waiting[node_id] -= 1
            if not self._waiting[node_id]:
                del self._waiting[node_id], self._turns[node_id]

    def reject(self, node_id: str, command: RelayCommand, reason: Reason) -> CommandResult:
        """End a command before it was sent."""
        return self._ended(self._request(node_id, command, 0), Outcome.REJECTED, reason)

    def take(self, response: Response) -> Answered | None:
        """Give an answer to the request that it names, if node and id match an open one."""
        request = self._open.get(response.request_id)
        if request is None or request.node_id != response.node_id or request.answer.done():
            self.counts["unmatched_answer"] += 1
            return None
        now = self._clock()
        first_sent = now if request.first_sent is None else request.first_sent
        request.latency = now - first_sent
        request.answer.set_result(response)
        return Answered(request.command, request.attempts > 1 and request.state_told)

    def broker_answered(self, request_id: str, code: int) -> None:
        """Take the broker's own answer to a command; only MQTT 5 tells of refusals."""
        request = self._open.get(request_id)
        if request is None or request.answer.done():
            return
        if code >= FAILURE:
            request.refusal = reason_of(code).words
            request.answer.set_result(None)
        elif code == NO_SUBSCRIBERS:
            request.failure = Reason.NOBODY_LISTENS

    def state_told(self, node_id: str) -> None:
        """A node told its state by itself."""
        for request in self._open.values():
            if request.node_id == node_id:
                request.state_told = True

    def send_again(self) -> None:
        """The connection is back: repeat what is open, as far as repeats are left."""
        for request in tuple(self._open.values()):
            if request.attempts and request.sends_left and not request.answer.done():
                self._try_to_send(request)

    def connection_lost(self) -> None:
        """Remember why no answer may come."""
        for request in self._open.values():
            request.failure = Reason.CONNECTION_LOST

    def stop(self) -> None:
        """End every open command as cancelled."""
        self._stopped = True
        for request in self._open.values():
            if not request.answer.done():
                request.answer.set_result(None)

    @staticmethod
    def _request(node_id: str, command: RelayCommand, sends: int) -> _Request:
        answer: asyncio.Future[Response | None] = asyncio.get_running_loop().create_future()
        return _Request(node_id, command, secrets.token_hex(16), answer, sends)

    async def _execute(self, request: _Request, timeout: float) -> CommandResult:
        if self._stopped:
            return self._ended(request, Outcome.CANCELLED, Reason.STOPPED)
        self._open[request.request_id] = request
        try:
            if not self._try_to_send(request):
                # Nothing went out: the caller learns it at once instead of after a time-out.
                return self._ended(request, Outcome.DROPPED, request.failure)
            gap = _FIRST_GAP
            while request.sends_left:
                if await self._answered(request, timeout + gap):
                    break
                gap *= 2
                if request.sends_left and not self._try_to_send(request):
                    request.sends_left -= 1
            else:
                await self._answered(request, timeout)
            return self._result(request)
        finally:
            del self._open[request.request_id]

    def _try_to_send(self, request: _Request) -> bool:
        try:
            self._send(request.node_id, request.command, request.request_id)
        except NotConnectedError:
            request.failure = Reason.CONNECTION_LOST if request.attempts else Reason.NOT_CONNECTED
            return False
        except CongestedError:
            request.failure = Reason.CONGESTED
            return False
        except TooLargeError:
            request.failure = Reason.TOO_LARGE
            return False
        request.failure = Reason.NO_ANSWER
        request.sends_left -= 1
        request.attempts += 1
        if request.first_sent is None:
            request.first_sent = self._clock()
        return True

    @staticmethod
    async def _answered(request: _Request, seconds: float) -> bool:
        done, _ = await asyncio.wait((request.answer,), timeout=seconds)
        return bool(done)

    def _result(self, request: _Request) -> CommandResult:
        if not request.answer.done():
            return self._ended(request, Outcome.TIMED_OUT, request.failure)
        if request.refusal is not None:
            return self._ended(
                request, Outcome.REJECTED, Reason.REFUSED_BY_BROKER, detail=request.refusal
            )
        response = request.answer.result()
        if response is None:
            return self._ended(request, Outcome.CANCELLED, Reason.STOPPED)
        if not response.success:
            return self._ended(
                request, Outcome.REJECTED, Reason.REFUSED_BY_NODE, detail=response.error
            )
        return self._ended(request, Outcome.CONFIRMED, result=response.result)

    def _ended(
        self,
        request: _Request,
        outcome: Outcome,
        reason: Reason | None = None,
        *,
        result: str | None = None,
        detail: str | None = None,
    ) -> CommandResult:
        self.counts[outcome] += 1
        return CommandResult(
            outcome=outcome,
            request_id=request.request_id,
            attempts=request.attempts,
            result=result,
            reason=reason,
            detail=detail,
            latency=request.latency,
        )
