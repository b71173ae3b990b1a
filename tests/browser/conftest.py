"""The real Home Assistant with its real frontend in a real browser."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
import json
from pathlib import Path
from typing import Any

from playwright.async_api import Page
import pytest

from demo.api import Api, open_api
from demo.browser import chromium, open_page
from demo.dialog import Dialog
from demo.home_assistant import sign_in, sign_up, start_home_assistant
from demo.processes import Processes
from demo.state import State
from demo.waiting import until
from tests.broker import free_port

ROOT = Path(__file__).resolve().parents[2]
INTEGRATIONS = "/config/integrations/dashboard"
HOMESYNC = "/config/integrations/integration/homesync"
_SETTLED = 0.7


@dataclass(frozen=True, kw_only=True)
class Home:
    """A Home Assistant that nobody has configured yet, and the page that shows it."""

    folder: Path
    api: Api
    page: Page
    dialog: Dialog

    async def entry(self) -> dict[str, Any]:
        """The only household, with its secrets, as soon as it is on the disk."""

        async def stored() -> dict[str, Any] | None:
            path = self.folder / ".storage" / "core.config_entries"
            entries = json.loads(path.read_text())["data"]["entries"]
            return next((each for each in entries if each["domain"] == "homesync"), None)

        return await until(stored, "the household is stored", 30)

    async def connected(self) -> None:
        """Wait until the household says so."""

        async def says_so() -> bool:
            states = await self.api.states()
            return states.get("binary_sensor.villa_connected") == "on"

        await until(says_so, "the household is connected", 30)

    async def look(self, name: str) -> None:
        """Keep a picture for people; pytest's folder of the last runs has it."""
        # Dialogs slide in, and descriptions come after labels.
        await asyncio.sleep(_SETTLED)
        await self.page.screenshot(path=self.folder.parent / f"{name}.png")


@pytest.fixture
async def home(tmp_path: Path, socket_enabled: None) -> AsyncIterator[Home]:
    if chromium() is None:
        pytest.skip("no Chromium on this machine: scripts/setup --browser brings it")
    folder = tmp_path / "home-assistant"
    state = State(folder=tmp_path)
    processes = Processes(tmp_path / "logs")
    try:
        base = await start_home_assistant(processes, ROOT, folder, free_port())
        await sign_up(base, state)
        tokens = await sign_in(base, state)
        async with open_api(base, state.token) as api, open_page(base, tokens) as page:
            home = Home(folder=folder, api=api, page=page, dialog=Dialog(page))
            try:
                yield home
            finally:
                await home.look("last")
    finally:
        await processes.stop()
