"""Pictures for the documentation, taken in a headless Chromium."""

import asyncio
from pathlib import Path

from playwright.async_api import Page

from .album import Album
from .browser import open_page
from .home_assistant import sign_in
from .households import PLANS
from .stage import ROOT, Stage, say
from .tour import walk

HISTORY = 1.5
"""How many minutes the graphs show; the pictures of the set-up take nearly that long."""

_PICTURES = Path("docs") / "images"
_WIDTH = 1280
# When which node's button is pressed, in seconds after the one before; a graph wants to have steps.
_PRESSES = (
    (15, "villa", "plug-5", "off"),
    (10, "cabin", "plug-2", "off"),
    (10, "villa", "plug-1", "off"),
    (10, "villa", "plug-1", "on"),
    (5, "cabin", "plug-2", "on"),
    (10, "villa", "plug-5", "on"),
    (10, "cabin", "plug-3", "off"),
)
_AFTERWARDS = 10.0


async def take_screenshots(stage: Stage) -> bool:
    """Write the pictures; True, since whatever goes wrong raises."""
    folder = ROOT / _PICTURES
    await asyncio.to_thread(folder.mkdir, parents=True, exist_ok=True)
    tokens = await sign_in(stage.base, stage.state)
    history = asyncio.create_task(_make_history(stage))
    try:
        async with open_page(stage.base, tokens) as page:
            album = Album(page, folder)
            await walk(stage, album)
            say("letting some history grow")
            await history
            await _dashboard(page, stage)
            await album.take("dashboard")
            await _device(page, stage)
            await album.take("device")
            await _household(page, stage)
            await album.take("household")
    finally:
        history.cancel()
    return True


async def _make_history(stage: Stage) -> None:
    for pause, home_id, node_id, state in _PRESSES:
        await asyncio.sleep(pause)
        await stage.nodes[home_id].on_node("press", node_id, state)
    await asyncio.sleep(_AFTERWARDS)


async def _dashboard(page: Page, stage: Stage) -> None:
    await page.set_viewport_size({"width": _WIDTH, "height": 980})
    await page.goto(stage.address)
    await page.locator("hui-history-graph-card canvas").last.wait_for()


async def _device(page: Page, stage: Stage) -> None:
    plan = PLANS[0]
    device = stage.registry.device(plan.home_id, plan.node_ids[0])
    await page.set_viewport_size({"width": _WIDTH, "height": 1130})
    await page.goto(f"/config/devices/device/{device}")
    await page.get_by_text("Signal strength").first.wait_for()


async def _household(page: Page, stage: Stage) -> None:
    device = stage.registry.device(PLANS[0].home_id, None)
    await page.set_viewport_size({"width": _WIDTH, "height": 1560})
    await page.goto(f"/config/devices/device/{device}")
    await page.get_by_text("Data this month").first.wait_for()
