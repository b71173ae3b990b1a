"""Where pictures go."""

import asyncio
from pathlib import Path

from playwright.async_api import Page

from .stage import ROOT, say

# Dialogs slide in, graphs and icons come late.
_SETTLED = 2.5


class Album:
    """Takes pictures of one page for a folder."""

    def __init__(self, page: Page, folder: Path) -> None:
        self.page = page
        self._folder = folder

    async def take(self, name: str, *, settled: float = _SETTLED) -> None:
        """Write a picture as soon as nothing moves any more, `settled` seconds from now."""
        # Nothing lights up below it there.
        await self.page.mouse.move(0, 0)
        await asyncio.sleep(settled)
        path = self._folder / f"{name}.png"
        await self.page.screenshot(path=path)
        say(f"{path.relative_to(ROOT)}: {path.stat().st_size // 1000} kB")
