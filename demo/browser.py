"""A headless Chromium that is signed in to Home Assistant."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
import json
import shutil
import time
from typing import Any, Literal

from playwright.async_api import Page, async_playwright

from .errors import DemoError

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
_LOAD_WITHIN = 30_000


def chromium() -> str | None:
    """Return the program, None where there is none."""
    return next(filter(None, map(shutil.which, _BROWSERS)), None)


@asynccontextmanager
async def open_page(
    base: str, tokens: Mapping[str, Any], scheme: Literal["light", "dark"] = "light"
) -> AsyncIterator[Page]:
    """Give a page that has these tokens of a sign-in at `base`."""
    program = chromium()
    if program is None:
        raise DemoError("no Chromium found; scripts/setup --browser brings it")
    login = {
        **tokens,
        "hassUrl": base,
        "clientId": f"{base}/",
        "expires": round((time.time() + tokens["expires_in"]) * 1000),
    }
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=program, args=[*_FLAGS])
        page = await browser.new_page(color_scheme=scheme, locale="en-GB", base_url=base)
        page.set_default_timeout(_LOAD_WITHIN)
        stored = json.dumps(json.dumps(login))
        await page.add_init_script(f'localStorage.setItem("hassTokens", {stored})')
        yield page
        await browser.close()
