"""Pictures for the documentation, taken in a headless Chromium."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
import json
from pathlib import Path
import shutil
import time

from playwright.async_api import Page, async_playwright

from .errors import DemoError
from .home_assistant import sign_in
from .households import PLANS
from .stage import ROOT, Stage, say

_BROWSERS = ("chromium", "chromium-browser", "google-chrome")
# Nothing but what is asked for: no updates, no guesses at what comes next.
_FLAGS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-quic",
    "--no-first-run",
)
_PICTURES = Path("docs") / "images"
_WIDTH = 1280
_LOAD_WITHIN = 60_000
_SETTLED = 4.0
# When which node's button is pressed, in seconds after the one before; a graph wants to have steps.
_PRESSES = (
    (90, "villa", "plug-5", "off"),
    (60, "cabin", "plug-2", "off"),
    (60, "villa", "plug-1", "off"),
    (60, "villa", "plug-1", "on"),
    (30, "cabin", "plug-2", "on"),
    (60, "villa", "plug-5", "on"),
    (60, "cabin", "plug-3", "off"),
)
_AFTERWARDS = 30.0
_BROKER = "Mosquitto or another broker"
# In the order of the form; its labels are not tied to its fields.
_EXAMPLE = ("Beach house", "beach-house", "mqtt.example.org", "8883", "beach-house", "example")


async def take_screenshots(stage: Stage) -> bool:
    """Write the pictures; True, since whatever goes wrong raises."""
    folder = ROOT / _PICTURES
    await asyncio.to_thread(folder.mkdir, parents=True, exist_ok=True)
    say("letting some minutes of history grow")
    for pause, home_id, node_id, state in _PRESSES:
        await asyncio.sleep(pause)
        await stage.nodes[home_id].on_node("press", node_id, state)
    await asyncio.sleep(_AFTERWARDS)
    async with _browser_page(stage) as page:
        for name, take in (
            ("dashboard", _dashboard),
            ("device", _device),
            ("config-flow", _config_flow),
        ):
            await take(page, stage)
            await asyncio.sleep(_SETTLED)
            path = folder / f"{name}.png"
            await page.screenshot(path=path)
            say(f"{_PICTURES / path.name}: {path.stat().st_size // 1000} kB")
    return True


async def _dashboard(page: Page, stage: Stage) -> None:
    await page.set_viewport_size({"width": _WIDTH, "height": 980})
    await page.goto(stage.address)
    await page.locator("hui-history-graph-card canvas").last.wait_for(timeout=_LOAD_WITHIN)


async def _device(page: Page, stage: Stage) -> None:
    plan = PLANS[0]
    device = stage.registry.device(plan.home_id, plan.node_ids[0])
    await page.set_viewport_size({"width": _WIDTH, "height": 1130})
    await page.goto(f"{stage.base}/config/devices/device/{device}")
    await page.get_by_text("Signal strength").first.wait_for(timeout=_LOAD_WITHIN)


async def _config_flow(page: Page, stage: Stage) -> None:
    await page.set_viewport_size({"width": _WIDTH, "height": 1200})
    await page.goto(f"{stage.base}/config/integrations/dashboard/add?domain=homesync")
    await page.get_by_role("button", name="OK").click(timeout=_LOAD_WITHIN)
    await page.get_by_text(_BROKER).click(timeout=_LOAD_WITHIN)
    fields = page.locator("step-flow-form ha-form input:not([type=checkbox])")
    await fields.first.wait_for(timeout=_LOAD_WITHIN)
    # The form takes the focus a moment after it has appeared.
    await asyncio.sleep(_SETTLED)
    for number, text in enumerate(_EXAMPLE):
        await fields.nth(number).fill(text)
    await fields.nth(len(_EXAMPLE) - 1).blur()


@asynccontextmanager
async def _browser_page(stage: Stage) -> AsyncIterator[Page]:
    """Give a page of a browser that is signed in."""
    program = next(filter(None, map(shutil.which, _BROWSERS)), None)
    if program is None:
        raise DemoError("no Chromium found; scripts/setup --browser brings it")
    tokens = await sign_in(stage.base, stage.state)
    login = {
        **tokens,
        "hassUrl": stage.base,
        "clientId": f"{stage.base}/",
        "expires": round((time.time() + tokens["expires_in"]) * 1000),
    }
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=program, args=[*_FLAGS])
        page = await browser.new_page(color_scheme="light", locale="en-GB")
        stored = json.dumps(json.dumps(login))
        await page.add_init_script(f'localStorage.setItem("hassTokens", {stored})')
        yield page
        await browser.close()
