"""Answers on their way out, where most misbehaviour happens."""

import asyncio
from collections.abc import Callable, Mapping
import math
from random import Random

from .behaviour import Behaviour
from .commands import Answer, Outcome

type Send = Callable[[str, Mapping[str, object]], None]
type Then = Callable[[], None]


class Answers:
    """Sends answers as the behaviour wants; `send` takes a leaf and a payload."""

    def __init__(self, send: Send, rng: Random) -> None:
        self._send = send
        self._rng = rng
        self._due = 0
        self._late: set[asyncio.TimerHandle] = set()

    @property
    def some_late(self) -> bool:
        """Whether an answer is still to be sent."""
        return bool(self._late)

    def start_counting(self) -> None:
        """Make the next answer the first for `lose_every`."""
        self._due = 0

    def give(self, outcome: Outcome, behaviour: Behaviour, then: Then | None = None) -> None:
        """Answer one arrival, or not; `then` follows the answer, or what was left out."""
        skipped = outcome.execution.receptions <= behaviour.skip_first
        if outcome.answer is None or behaviour.silent or skipped:
            if then is not None:
                then()
        elif outcome.execution.pending:
            self.tell(outcome.answer, behaviour)
        else:
            self.conclude(outcome.answer, behaviour, then)

    def tell(self, answer: Answer, behaviour: Behaviour) -> None:
        """Answer for the time being."""
        if not behaviour.silent:
            self._deliver(answer.leaf, self._payload(answer, behaviour), behaviour)

    def conclude(self, answer: Answer, behaviour: Behaviour, then: Then | None = None) -> None:
        """Answer for good, unless it is to be lost."""
        payload = self._payload(answer, behaviour)
        lost = self._lost(behaviour)

        def send() -> None:
            if not lost:
                self._deliver(answer.leaf, payload, behaviour)
            if then is not None:
                then()

        if behaviour.accept_first and not lost:
            wait = max(1, math.ceil(2 * behaviour.delay))
            accepted = {"request_id": payload["request_id"], "status": "accepted", "wait": wait}
            self._deliver(answer.leaf, accepted, behaviour)
        if behaviour.delay:
            self._later(send, behaviour.delay)
        else:
            send()

    def cancel_late(self) -> None:
        """Forget what is still to be sent."""
        while self._late:
            self._late.pop().cancel()

    def _lost(self, behaviour: Behaviour) -> bool:
        if behaviour.silent:
            return True
        self._due += 1
        return bool(behaviour.lose_every) and self._due % behaviour.lose_every == 0

    def _payload(self, answer: Answer, behaviour: Behaviour) -> dict[str, object]:
        payload = answer.payload()
        if behaviour.wrong_id:
            payload["request_id"] = f"wrong-{self._rng.getrandbits(64):016x}"
        return payload

    def _deliver(self, leaf: str, payload: Mapping[str, object], behaviour: Behaviour) -> None:
        for _ in range(2 if behaviour.twice else 1):
            self._send(leaf, payload)

    def _later(self, do: Callable[[], None], delay: float) -> None:
        def run() -> None:
            self._late.discard(timer)
            do()

        timer = asyncio.get_running_loop().call_later(delay, run)
        self._late.add(timer)
