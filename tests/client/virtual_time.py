"""A loop on which waiting takes no time: when nothing else is to be done, its clock jumps."""

import asyncio
from collections.abc import Callable, Coroutine
from functools import wraps
import selectors
import socket
import time
from typing import Any, override

# What a peer in the same loop needs to be heard through the kernel.
_GRACE = 0.005


class _Selector(selectors.DefaultSelector):
    now = 1000.0

    @override
    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        only_the_loop_itself = len(self.get_map()) == 1
        if timeout is None and only_the_loop_itself:
            raise RuntimeError("everybody waits and nothing will ever happen")
        if timeout is None or timeout <= 0:
            return super().select(timeout)
        ready = super().select(0) if only_the_loop_itself else self._listen()
        if not ready:
            self.now += timeout
        return ready

    def _listen(self) -> list[tuple[selectors.SelectorKey, int]]:
        """Wait for peers; on a machine so busy that we wake up late the kernel is late, too."""
        while True:
            begin = time.monotonic()
            ready = super().select(_GRACE)
            if ready or time.monotonic() - begin < 2 * _GRACE:
                return ready


class VirtualLoop(asyncio.SelectorEventLoop):
    """Its time stands still while anything is ready."""

    def __init__(self) -> None:
        self._clock = _Selector()
        super().__init__(self._clock)

    @override
    def time(self) -> float:
        return self._clock.now

    @override
    async def getaddrinfo(self, host: Any, port: Any, **options: Any) -> Any:
        """Look up without the thread, during which time would jump."""
        return socket.getaddrinfo(host, port, **options)


def on_virtual_time[**P](
    test: Callable[P, Coroutine[Any, Any, None]],
) -> Callable[P, None]:
    """Run a test on a loop of its own; tasks and timers left over fail it."""

    @wraps(test)
    def run(*args: P.args, **kwargs: P.kwargs) -> None:
        loop = VirtualLoop()
        try:
            loop.run_until_complete(test(*args, **kwargs))
            left = [task for task in asyncio.all_tasks(loop) if not task.done()]
            timers = [each for each in loop._scheduled if not each.cancelled()]  # type: ignore[attr-defined]  # a test looks inside
            assert not left
            assert not timers
        finally:
            loop.run_until_complete(loop.shutdown_asyncgens())
            loop.close()

    return run
