"""Answers on their way out, where most misbehaviour happens."""

import asyncio
from collections.abc import Callable, Mapping
from random import Random

from .behaviour import Behaviour
from .commands import Outcome

type Send = Callable[[str, Mapping[str, object]], None]


class Answers:
    """Sends answers as the behaviour wants; `send` takes a leaf and a payload."""

    def __init__(self, send: Send, rng: Random) -> None:
        self._send = send
        self._rng = rng
        self._due = 0
        self._late: set[asyncio.TimerHandle] = set()

    def start_counting(self) -> None:
        """Make the next answer the first for `lose_every`."""
        self._due = 0

    def give(self, outcome: Outcome, behaviour: Behaviour) -> None:
        """Answer one arrival, or not."""
        answer = outcome.answer
        if answer is None or self._withheld(outcome, behaviour):
            return
        payload = answer.payload()
        if behaviour.wrong_id:
            payload["request_id"] = f"wrong-{self._rng.getrandbits(64):016x}"
        for _ in range(2 if behaviour.twice else 1):
            if behaviour.delay:
                self._send_late(answer.leaf, payload, behaviour.delay)
            else:
                self._send(answer.leaf, payload)

    def cancel_late(self) -> None:
        """Forget what is still to be sent."""
        while self._late:
            self._late.pop().cancel()

    def _withheld(self, outcome: Outcome, behaviour: Behaviour) -> bool:
        if behaviour.silent or outcome.execution.receptions <= behaviour.skip_first:
            return True
        self._due += 1
        return bool(behaviour.lose_every) and self._due % behaviour.lose_every == 0

    def _send_late(self, leaf: str, payload: Mapping[str, object], delay: float) -> None:
        def send() -> None:
            self._late.discard(timer)
            self._send(leaf, payload)

        timer = asyncio.get_running_loop().call_later(delay, send)
        self._late.add(timer)
