"""Ordering firmware, and waiting for what becomes of it."""

import asyncio
from collections.abc import Mapping

from simulator.images import Fault, ImageServer

from .observer import DEADLINE, Observer

FIRMWARE = bytes(range(256)) * 1000
IMAGE = "plug-s-1.3.0.bin"
FOR_EVER = Fault(slow=3600)


def install(observer: Observer, order: Mapping[str, object]) -> None:
    observer.command("ota", {**order, "request_id": "r1"})


async def fetching(images: ImageServer) -> None:
    """Return when a node is past the handshake and has asked for an image."""
    async with asyncio.timeout(DEADLINE):
        while not images.requests:  # noqa: ASYNC110 - requests have no event of their own
            await asyncio.sleep(0.005)


async def ended(observer: Observer, request_id: str = "r1") -> dict[str, object]:
    """The answer for good."""

    def answers() -> list[dict[str, object]]:
        return [
            each
            for each in observer.installing
            if each["request_id"] == request_id and each["status"] in {"success", "error"}
        ]

    await observer.wait_for(lambda: bool(answers()))
    return answers()[0]


async def failure(observer: Observer, order: Mapping[str, object]) -> object:
    install(observer, order)
    return (await ended(observer))["error"]
