"""Commands that were sent and wait for their answer: deadlines, repeats, matching.

A repeat carries the same request id, so the node carries it out once. Nothing is repeated
later than nodes have to remember request ids (`docs/protocol.md`).
"""

from collections import Counter, OrderedDict
from collections.abc import Callable, Iterable
from typing import NamedTuple

from .commands import Command, CommandResult, OtaCommand, Outcome, Reason, Response, ResponseStatus
from .errors import CongestedError, HomeSyncError, NotConnectedError, TooLargeError
from .order import MEMORY, Order
from .prompt import Prompt
from .transport.reasons import FAILURE, NO_SUBSCRIBERS, reason_of

_FIRST_GAP = 1.0  # doubled with each repeat
_WAIT = 60.0  # after `accepted` without a time
_WAIT_FOR_UPDATE = 300.0
_LONGEST_WAIT = 600.0
_LONGEST = 3600.0  # from the first send, whatever the node promises
_POISON_SECONDS = 2.0
_POISON_STRIKES = 3
_ENDED = 256  # request ids remembered to tell late answers from invented ones


class Answered(NamedTuple):
    """An answer that found its request.

    `outdated` if it may come from the node's memory while the node has told its state
    since the first send: that state is newer then. `caller` waits for the outcome.
    """

    command: Command
    outdated: bool
    caller: Prompt[CommandResult]


class Inflight:
    """The sent commands of one household.

    `send(order)` sends once, or raises NotConnectedError, CongestedError or
    TooLargeError; `end(order, result)` is told each outcome, `accepted(order)` that a node
    asks for time; `clock` gives monotonic seconds, `wall_clock` those since the epoch.
    """

    def __init__(
        self,
        send: Callable[[Order], None],
        end: Callable[[Order, CommandResult], None],
        accepted: Callable[[Order], None],
        clock: Callable[[], float],
        wall_clock: Callable[[], float],
    ) -> None:
        self.counts: Counter[str] = Counter()
        self.published = 0
        self._send = send
        self._end_order = end
        self._accepted = accepted
        self._clock = clock
        self._wall_clock = wall_clock
        self._open: dict[str, Order] = {}
        self._ended: OrderedDict[str, bool] = OrderedDict()

    @property
    def orders(self) -> Iterable[Order]:
        """All that were sent and have no outcome yet."""
        return self._open.values()

    def of_node(self, node_id: str) -> list[Order]:
        """Those of one node."""
        return [order for order in self._open.values() if order.node_id == node_id]

    def begin(self, order: Order) -> bool:
        """Send an order for the first time; False if the link takes nothing now."""
        # Before it is sent: the answer may come while `send` still runs.
        self._open[order.request_id] = order
        try:
            sent = self._try_to_send(order)
        except TooLargeError as err:
            self._end(order, order.result(Outcome.REJECTED, Reason.TOO_LARGE, detail=str(err)))
            return True
        if not sent:
            del self._open[order.request_id]
        elif order.request_id in self._open:
            self._wait(order)
        return sent

    def forget(self, order: Order) -> None:
        """Wait no longer for an order's answer."""
        if self._open.pop(order.request_id, None) is not None:
            self._remember(order, answered=False)

    def take(self, response: Response) -> Answered | None:
        """Give an answer to the request that it names, if all matches an open one."""
        order = self._match(response)
        if order is None:
            return None
        now = self._clock()
        if response.status in (ResponseStatus.ACCEPTED, ResponseStatus.PROGRESS):
            self._give_time(order, response, now)
        else:
            order.latency = now - (now if order.first_sent is None else order.first_sent)
            if response.status is ResponseStatus.SUCCESS:
                result = order.result(Outcome.CONFIRMED, response=response)
            else:
                result = order.result(
                    Outcome.REJECTED, Reason.REFUSED_BY_NODE, detail=response.error
                )
            self._end(order, result, answered=True)
        return Answered(order.command, order.attempts > 1 and order.state_told, order.done)

    def broker_answered(self, request_id: str, code: int) -> None:
        """Take the broker's own answer to a command; only MQTT 5 tells of refusals."""
        order = self._open.get(request_id)
        if order is None:
            return
        order.suspect = False
        if code >= FAILURE and order.attempts > 1:
            # An earlier send may have been carried out: no refusal, but nothing certain.
            order.failure = Reason.REFUSED_BY_BROKER
        elif code >= FAILURE:
            words = reason_of(code).words
            self._end(order, order.result(Outcome.REJECTED, Reason.REFUSED_BY_BROKER, detail=words))
        elif code == NO_SUBSCRIBERS:
            order.failure = Reason.NOBODY_LISTENS

    def state_told(self, node_id: str) -> None:
        """A node told its state by itself."""
        for order in self._open.values():
            if order.node_id == node_id:
                order.state_told = True

    def firmware_told(self, node_id: str, version: str) -> None:
        """A node told its version: that ends an update, whose request a restart may forget."""
        for order in self.of_node(node_id):
            command = order.command
            if isinstance(command, OtaCommand) and command.firmware.version == version:
                told = Response(
                    node_id=node_id,
                    leaf="ota",
                    request_id=order.request_id,
                    status=ResponseStatus.SUCCESS,
                    result=version,
                )
                self.take(told)

    def connection_is_back(self) -> None:
        """Repeat what is open, as far as repeats are left and the node remembers."""
        for order in tuple(self._open.values()):
            if order.accepted:
                if self._is_remembered(order, self._clock()):
                    self._send_again(order)
            elif order.sends_left or order.delivery.queue:
                if self._is_remembered(order, self._clock()):
                    order.sends_left = max(order.sends_left, 1)
                    self._send_again(order)
                if order.request_id in self._open:
                    self._wait(order)

    def connection_lost(self) -> None:
        """Remember why no answer may come; a command that ends connections is given up."""
        now = self._clock()
        newest: Order | None = None
        for order in self._open.values():
            order.failure = Reason.CONNECTION_LOST
            if order.suspect and (
                newest is None or (order.last_sent or 0) > (newest.last_sent or 0)
            ):
                newest = order
            if order.delivery.queue and not order.accepted:
                order.ring(self._memory_left(order, now), self._give_up)
        if newest is None or now - (newest.last_sent or 0) > _POISON_SECONDS:
            return
        newest.strikes += 1
        if newest.strikes >= _POISON_STRIKES:
            self._end(newest, newest.result(Outcome.DROPPED, Reason.POISONOUS))

    def _match(self, response: Response) -> Order | None:
        order = self._open.get(response.request_id)
        if order is None:
            answered = self._ended.get(response.request_id)
            known = "repeated_answer" if answered else "late_answer"
            self.counts["unmatched_answer" if answered is None else known] += 1
        elif order.node_id != response.node_id:
            self.counts["foreign_answer"] += 1
        elif (response.leaf == "ota") is not order.is_update:
            self.counts["misplaced_answer"] += 1
        else:
            return order
        return None

    def _give_time(self, order: Order, response: Response, now: float) -> None:
        usual = _WAIT_FOR_UPDATE if order.is_update else _WAIT
        wait = min(usual if response.wait is None else response.wait, _LONGEST_WAIT)
        wait = max(wait, order.delivery.timeout)
        longest = (now if order.first_sent is None else order.first_sent) + _LONGEST - now
        order.accepted = True
        order.failure = Reason.NO_ANSWER
        order.ring(min(wait, longest), self._give_up)
        self._accepted(order)

    def _wait(self, order: Order) -> None:
        """Set the time of the next repeat, or of the end if it would be the last."""
        timeout = order.delivery.timeout
        # Counted by what was tried, so that without a link the end stays where it was.
        tries = max(0, order.delivery.retries - order.sends_left)
        pause = timeout + _FIRST_GAP * 2.0**tries
        if order.sends_left and self._is_remembered(order, self._clock() + pause):
            order.ring(pause, self._repeat)
        else:
            order.ring(timeout, self._give_up)

    def _repeat(self, order: Order) -> None:
        # The timer is late if the machine or the process slept.
        if not self._is_remembered(order, self._clock()):
            self._give_up(order)
            return
        if not self._send_again(order):
            order.sends_left -= 1
        if order.request_id in self._open:
            self._wait(order)

    def _give_up(self, order: Order) -> None:
        self._end(order, order.result(Outcome.TIMED_OUT, order.failure))

    def _send_again(self, order: Order) -> bool:
        try:
            return self._try_to_send(order)
        except TooLargeError:
            # The broker's limits are others than before; an earlier send may yet be answered.
            order.failure = Reason.TOO_LARGE
            return False

    def _try_to_send(self, order: Order) -> bool:
        order.attempts += 1
        order.suspect = True
        try:
            self._send(order)
        except HomeSyncError as err:
            order.attempts -= 1
            if isinstance(err, NotConnectedError):
                order.failure = Reason.CONNECTION_LOST if order.attempts else Reason.NOT_CONNECTED
            elif isinstance(err, CongestedError):
                order.failure = Reason.CONGESTED
            else:
                raise
            return False
        self.published += 1
        order.failure = Reason.NO_ANSWER
        order.sends_left = max(0, order.sends_left - 1)
        order.last_sent = self._clock()
        if order.first_sent is None:
            order.first_sent = order.last_sent
            order.first_sent_at = self._wall_clock()
        return True

    def _is_remembered(self, order: Order, when: float) -> bool:
        return order.first_sent is None or when - order.first_sent < MEMORY

    def _memory_left(self, order: Order, now: float) -> float:
        return 0.0 if order.first_sent is None else order.first_sent + MEMORY - now

    def _end(self, order: Order, result: CommandResult, *, answered: bool = False) -> None:
        del self._open[order.request_id]
        self._remember(order, answered=answered)
        self._end_order(order, result)

    def _remember(self, order: Order, *, answered: bool) -> None:
        self._ended[order.request_id] = answered
        if len(self._ended) > _ENDED:
            self._ended.popitem(last=False)
