"""A future whose waiter can be woken before the loop's next turn."""

import asyncio
from collections.abc import Callable
from contextvars import Context, copy_context
from typing import Any, override

type _Callback = Callable[[Prompt[Any]], object]


class Prompt[T](asyncio.Future[T]):
    """A future as any other, but for `hurry`.

    The loop wakes who waits for a future in its next turn, after all that is due by then.
    Whoever has set the result and has nothing left to do before its waiter goes on may call
    `hurry`: the first one goes on within that call. Whether it is called or not, it is woken
    once.
    """

    __slots__ = ("_first",)

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        super().__init__(loop=loop)
        self._first: tuple[_Callback, Context] | None = None

    def hurry(self) -> None:
        """Have the waiter go on now if there is a result; must be the caller's last act.

        Within a task nothing happens: the loop runs one at a time.
        """
        first = self._first
        if first is None or not self.done() or asyncio.current_task() is not None:
            return
        try:
            first[1].run(self._wake)
        except Exception as err:  # noqa: BLE001  # as the loop treats a callback's
            if self._first is not first:
                # Otherwise its context is in use here: the loop wakes it.
                self.get_loop().call_exception_handler(
                    {"message": "a command's waiter failed", "exception": err, "future": self}
                )

    @override
    def add_done_callback(self, fn: _Callback, /, *, context: Context | None = None) -> None:
        if self._first is not None or self.done():
            super().add_done_callback(fn, context=context)
        else:
            self._first = (fn, copy_context() if context is None else context)

    @override
    def remove_done_callback(self, fn: _Callback, /) -> int:
        removed = 0
        if self._first is not None and self._first[0] == fn:
            self._first = None
            removed = 1
        return removed + super().remove_done_callback(fn)

    @override
    def set_result(self, result: T, /) -> None:
        super().set_result(result)
        self._wake_soon()

    @override
    def set_exception(self, exception: type | BaseException, /) -> None:
        super().set_exception(exception)
        self._wake_soon()

    @override
    def cancel(self, msg: Any | None = None) -> bool:
        cancelled = super().cancel(msg)
        if cancelled:
            self._wake_soon()
        return cancelled

    def _wake_soon(self) -> None:
        if self._first is not None:
            self.get_loop().call_soon(self._wake, context=self._first[1])

    def _wake(self) -> None:
        first, self._first = self._first, None
        if first is not None:
            first[0](self)
