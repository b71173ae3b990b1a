"""A future whose waiter can be woken before the loop's next turn."""

import asyncio
from contextvars import ContextVar, copy_context
from typing import Any

import pytest

from custom_components.homesync.client.prompt import Prompt

_NAME = ContextVar("_NAME", default="nobody")


class Stage:
    """A prompt, somebody who waits for it, and what happened in which order."""

    def __init__(self) -> None:
        self.loop = asyncio.get_running_loop()
        self.prompt: Prompt[str] = Prompt(self.loop)
        self.log: list[str] = []

    async def wait(self, name: str = "waiter") -> str:
        _NAME.set(name)
        try:
            result = await self.prompt
        except asyncio.CancelledError:
            self.log.append(f"{name} cancelled")
            raise
        self.log.append(f"{_NAME.get()} {result}")
        return result

    async def from_the_loop(self, *acts: Any) -> None:
        """Have it done outside of any task, as what a socket brings is."""
        over = self.loop.create_future()

        def act() -> None:
            for each in acts:
                each()
            self.log.append("acted")
            over.set_result(None)

        self.loop.call_soon(act)
        await over

    def answer(self) -> None:
        self.prompt.set_result("done")

    async def waiter(self, name: str = "waiter") -> asyncio.Task[str]:
        task = self.loop.create_task(self.wait(name))
        await asyncio.sleep(0)
        return task


async def test_a_hurried_waiter_goes_on_at_once_in_its_own_context_and_once() -> None:
    stage = Stage()
    task = await stage.waiter()
    await stage.from_the_loop(stage.answer, stage.prompt.hurry, stage.prompt.hurry)
    assert stage.log == ["waiter done", "acted"]
    assert await task == "done"
    assert stage.log == ["waiter done", "acted"]
    assert _NAME.get() == "nobody"


async def test_without_hurry_it_is_a_future_as_any_other() -> None:
    stage = Stage()
    task = await stage.waiter()
    await stage.from_the_loop(stage.answer)
    assert await task == "done"
    assert stage.log == ["acted", "waiter done"]


async def test_nobody_is_hurried_before_there_is_a_result() -> None:
    stage = Stage()
    task = await stage.waiter()
    await stage.from_the_loop(stage.prompt.hurry, stage.answer)
    assert await task == "done"
    assert stage.log == ["acted", "waiter done"]


async def test_within_a_task_the_loop_wakes_the_waiter() -> None:
    stage = Stage()
    task = await stage.waiter()
    stage.answer()
    stage.prompt.hurry()
    assert stage.log == []
    assert await task == "done"
    assert stage.log == ["waiter done"]


async def test_of_several_waiters_all_are_woken_and_the_first_is_first() -> None:
    stage = Stage()
    tasks = [await stage.waiter(name) for name in ("first", "second", "third")]
    await stage.from_the_loop(stage.answer, stage.prompt.hurry)
    assert await asyncio.gather(*tasks) == ["done"] * 3
    assert stage.log == ["first done", "acted", "second done", "third done"]


async def test_a_waiter_cancelled_before_the_answer_is_not_hurried_to_a_result() -> None:
    stage = Stage()
    task = await stage.waiter()
    task.cancel()
    assert stage.prompt.cancelled()
    assert not stage.prompt.cancel()
    await stage.from_the_loop(stage.prompt.hurry)
    with pytest.raises(asyncio.CancelledError):
        await task
    assert stage.log == ["waiter cancelled", "acted"]


async def test_a_waiter_cancelled_between_answer_and_hurry_is_cancelled_once() -> None:
    stage = Stage()
    task = await stage.waiter()
    await stage.from_the_loop(stage.answer, task.cancel, stage.prompt.hurry)
    with pytest.raises(asyncio.CancelledError):
        await task
    assert stage.log == ["waiter cancelled", "acted"]


async def test_a_waiter_that_fails_hurts_nobody_else() -> None:
    stage = Stage()

    async def fail() -> None:
        await stage.prompt
        raise ValueError("the waiter's own")

    task = stage.loop.create_task(fail())
    await asyncio.sleep(0)
    await stage.from_the_loop(stage.answer, stage.prompt.hurry)
    assert stage.log == ["acted"]
    with pytest.raises(ValueError, match="own"):
        await task


async def test_a_callback_that_fails_is_reported_as_the_loop_does() -> None:
    stage = Stage()
    reported: list[dict[str, Any]] = []
    stage.loop.set_exception_handler(lambda _, context: reported.append(context))

    def fail(_: object) -> None:
        raise ValueError("a callback's own")

    stage.prompt.add_done_callback(fail)
    try:
        await stage.from_the_loop(stage.answer, stage.prompt.hurry)
        await asyncio.sleep(0)
    finally:
        stage.loop.set_exception_handler(None)
    assert [repr(each["exception"]) for each in reported] == ['ValueError("a callback\'s own")']
    assert stage.log == ["acted"]


async def test_one_whose_context_is_in_use_is_woken_by_the_loop() -> None:
    stage = Stage()
    context = copy_context()
    stage.prompt.add_done_callback(
        lambda prompt: stage.log.append(prompt.result()), context=context
    )
    over = stage.loop.create_future()

    def hurry() -> None:
        stage.answer()
        stage.prompt.hurry()
        stage.log.append("acted")
        over.set_result(None)

    stage.loop.call_soon(hurry, context=context)
    await over
    assert stage.log == ["acted", "done"]


async def test_a_callback_that_is_taken_out_is_not_called() -> None:
    stage = Stage()
    called: list[object] = []
    stage.prompt.add_done_callback(called.append)
    assert stage.prompt.remove_done_callback(called.append) == 1
    assert stage.prompt.remove_done_callback(called.append) == 0
    await stage.from_the_loop(stage.answer, stage.prompt.hurry)
    stage.prompt.add_done_callback(called.append)
    await asyncio.sleep(0)
    assert called == [stage.prompt]


async def test_an_exception_reaches_a_hurried_waiter() -> None:
    stage = Stage()
    task = await stage.waiter()
    failure = ConnectionError("gone")
    await stage.from_the_loop(lambda: stage.prompt.set_exception(failure), stage.prompt.hurry)
    assert task.done()
    assert task.exception() is failure


async def test_a_hurried_waiter_may_hurry_another() -> None:
    stage, other = Stage(), Stage()

    async def relay() -> None:
        await stage.prompt
        stage.log.append("relay")
        other.answer()
        other.prompt.hurry()

    task, last = stage.loop.create_task(relay()), await other.waiter()
    await asyncio.sleep(0)
    await stage.from_the_loop(stage.answer, stage.prompt.hurry)
    await asyncio.gather(task, last)
    assert stage.log == ["relay", "acted"]
    assert other.log == ["waiter done"]
