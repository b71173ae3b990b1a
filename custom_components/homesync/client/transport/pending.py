"""Answers of the broker that somebody waits for."""

import asyncio

from ..errors import ConnectError


class PendingAnswers:
    """One future per expected answer of one connection, by a name such as `suback7`."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._answers: dict[str, asyncio.Future[tuple[int, ...]]] = {}
        self._ended: ConnectError | None = None

    def expect(self, answer: str) -> asyncio.Future[tuple[int, ...]]:
        """Return what gets the answer's codes, or the ConnectError that ended the connection."""
        future = self._answers[answer] = self._loop.create_future()
        if self._ended is not None:
            future.set_exception(self._ended)
        return future

    def take(self, answer: str, codes: tuple[int, ...]) -> None:
        """An answer came; one that nobody expects is of no use."""
        future = self._answers.pop(answer, None)
        if future is not None and not future.done():
            future.set_result(codes)

    def end(self, error: ConnectError) -> None:
        """No answer will come any more."""
        self._ended = error
        for future in self._answers.values():
            if not future.done():
                future.set_exception(error)
                # Nobody may be waiting for it any more.
                future.exception()
        self._answers.clear()
