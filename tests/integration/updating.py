"""Offering and installing firmware in tests."""

from dataclasses import replace
from typing import Any
from unittest.mock import patch

from homeassistant.core import HomeAssistant
from pytest_homeassistant_custom_component.common import MockConfigEntry

from custom_components.homesync.firmware_updates import INSTALL as INSTALLING
from simulator import Info, Node, Updates
from simulator.images import ImageServer

from .conftest import SetUp, StartNode
from .lookup import attribute, coordinator, entity_id, is_connected, state
from .waiting import until

FIRMWARE = ("update", "plug-1", "status/firmware")
INSTALL, PROGRESS, NOTES = 1, 4, 16
HASH = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"
IMAGE = "plug-1.3.0.bin"
IMPATIENT = patch(
    "custom_components.homesync.firmware_updates.INSTALL", replace(INSTALLING, timeout=0.5)
)
"""Send an installation again soon, to a node that missed it."""


async def set_up_near(
    hass: HomeAssistant, set_up: SetUp, port: int, images: ImageServer, **options: Any
) -> MockConfigEntry:
    """Set up a household that takes firmware from the images' server."""
    hosts = [images.url("").removeprefix("https://").removesuffix("/")]
    entry = await set_up(port, options={"firmware_hosts": hosts, **options})
    await until(hass, lambda: is_connected(hass, entry))
    return entry


async def start_with_news(
    hass: HomeAssistant,
    entry: MockConfigEntry,
    *,
    start_node: StartNode,
    updates: Updates,
    images: ImageServer,
    node_id: str = "plug-1",
) -> Node:
    """Start a node that announces newer firmware, which can be had."""
    image = images.serve(IMAGE, bytes(range(256)) * 1000)
    info = Info(available=image.available("1.3.0", "Measures twice as often."))
    node = await start_node(node_id, info=info, updates=updates)
    await until(hass, lambda: state(hass, entry, "update", node_id, "status/firmware") == "on")
    return node


def shows(hass: HomeAssistant, entry: MockConfigEntry, name: str, node: str = "plug-1") -> Any:
    return attribute(hass, entry, "update", node, "status/firmware", name=name)


def latest(hass: HomeAssistant, entry: MockConfigEntry) -> Any:
    return shows(hass, entry, "latest_version")


async def install(
    hass: HomeAssistant, entry: MockConfigEntry, node: str = "plug-1", **data: str
) -> None:
    target = entity_id(hass, entry, "update", node, "status/firmware")
    await hass.services.async_call(
        "update", "install", {"entity_id": target, **data}, blocking=True
    )


def announced(version: str, host: str = "firmware.example", **more: Any) -> dict[str, Any]:
    url = f"https://{host}/{version}.bin"
    return {"available": {"version": version, "url": url, "sha256": HASH, **more}}


def catalogued(*versions: str, url: str, model: str = "Plug S", **more: Any) -> dict[str, Any]:
    entries = [
        {"model": model, "version": each, "url": url, "sha256": HASH, **more} for each in versions
    ]
    return {"firmware": entries}


async def with_catalogue(
    hass: HomeAssistant, set_up: SetUp, port: int, url: str, **options: Any
) -> MockConfigEntry:
    entry = await set_up(port, options={"firmware_catalogue": url, **options})
    await until(hass, lambda: is_connected(hass, entry))
    return entry


async def refresh(hass: HomeAssistant, entry: MockConfigEntry) -> None:
    catalogue = coordinator(entry).firmware.catalogue
    assert catalogue is not None
    await catalogue.async_refresh()
    await hass.async_block_till_done()
