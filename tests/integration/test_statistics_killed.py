"""What was counted outlives a Home Assistant that stops, and mostly one that is killed."""

from collections.abc import AsyncIterator
import json
from pathlib import Path

import pytest

from tests.broker import Mosquitto

from .plain_home_assistant import PlainHomeAssistant

# Home Assistant starts three times, beside whatever else the machine does.
pytestmark = pytest.mark.timeout(600)


@pytest.fixture(autouse=True)
def _custom_integrations() -> None:
    """Home Assistant runs elsewhere."""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "config"
    folder.mkdir()
    return folder


@pytest.fixture
async def home_assistant(
    folder: Path, mosquitto: Mosquitto, socket_enabled: None
) -> AsyncIterator[PlainHomeAssistant]:
    household = {"home_id": "villa", "host": "127.0.0.1", "port": mosquitto.port}
    plain = PlainHomeAssistant(folder, [{**household, "client_id": "homesync_villa"}])
    yield plain
    await plain.kill()


def connects(folder: Path) -> int:
    file = folder / ".storage" / "homesync.statistics.entry_villa"
    counted: int = json.loads(file.read_bytes())["data"]["counters"]["connection"]["connects"]
    return counted


async def test_a_stop_writes_and_a_kill_loses_what_was_counted_since(
    home_assistant: PlainHomeAssistant, mosquitto: Mosquitto, folder: Path
) -> None:
    async def start() -> None:
        before = mosquitto.log.count("as homesync_villa")
        await home_assistant.start()
        await home_assistant.until(lambda: mosquitto.log.count("as homesync_villa") > before)
        # It has counted the connection when it probes it.
        await home_assistant.until(
            lambda: "/_echo/" in mosquitto.log.rpartition("as homesync_villa")[2]
        )

    await start()
    await home_assistant.stop()
    assert connects(folder) == 1

    await start()
    await home_assistant.kill()
    assert connects(folder) == 1

    await start()
    await home_assistant.stop()
    assert connects(folder) == 2
