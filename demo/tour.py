"""A walk through the set-up for its pictures, on a broker of its own."""

import asyncio
import json

from playwright.async_api import Page

from simulator import Broker, Node, NodeConfig

from .album import Album
from .api import Api
from .broker import start_broker
from .dialog import Dialog
from .errors import DemoError
from .ports import LOOPBACK, first_free
from .stage import Stage, say

OTHER = "Mosquitto or another broker"
SECTIONS = ("Security", "WebSocket", "Topics and protocol")

_ROBBERIES = 6
# In seconds; a household comes back at once, and counts as robbed if that holds not even five.
_ROBBERY_PAUSE = 2.0
_PORTS = range(18930, 18990)
_WIDTH = 760
_INTEGRATIONS = "/config/integrations/dashboard"
_HOMESYNC = "/config/integrations/integration/homesync"
# In the order of the form; the password is wrong.
_TYPED = {
    "Name": "Beach house",
    "Home ID": "beach-house",
    "Host": LOOPBACK,
    "User name": "beach-house",
    "Password": "not this one",
}


async def walk(stage: Stage, album: Album) -> None:
    """Take the pictures of the set-up; the two households of the demo stay as they are."""
    port = first_free(_PORTS)
    passwords = {name: stage.state.broker_password(name) for name in ("beach-house", "studio")}
    folder = stage.state.folder / "other-broker"
    await start_broker(stage.processes, folder, port, passwords, name="other-broker")
    dialog = Dialog(album.page)
    await _form(album, dialog, port)
    await dialog.type("Password", passwords["beach-house"])
    await dialog.press("Submit")
    await dialog.shows("Beach house is connected.")
    await album.take("setup-ready")
    await _options(album, dialog)
    say("nodes that nobody knows yet")
    beach, studio = (
        Node(
            NodeConfig(home_id=name, node_id=node_id, interval=None),
            Broker(port=port, username=name, password=passwords[name]),
        )
        for name, node_id in (("beach-house", "plug-1"), ("studio", "plug-1"))
    )
    await beach.start()
    await studio.start()
    try:
        await _add_mqtt(stage.api, port, "studio", passwords["studio"])
        await _discoveries(album, dialog)
        await _repairs(stage, album)
    finally:
        await beach.stop()
        await studio.stop()


async def _form(album: Album, dialog: Dialog, port: int) -> None:
    page = album.page
    await _resize(page, 620)
    await page.goto(f"{_INTEGRATIONS}/add?domain=homesync")
    await page.get_by_role("button", name="OK").click()
    await dialog.shows(OTHER)
    await album.take("setup-menu")
    await dialog.pick(OTHER)
    for label, text in {**_TYPED, "Port": str(port)}.items():
        await dialog.type(label, text)
    await dialog.toggle("TLS")
    await _resize(page, 1180)
    await album.take("config-flow")
    for section in SECTIONS:
        await dialog.unfold(section)
    await _resize(page, 2360)
    await dialog.reveal("Start of the client ID")
    await album.take("setup-sections")
    await _resize(page, 1180)
    await _progress(album, dialog)
    await dialog.type("Port", str(port))
    await dialog.press("Submit")
    await dialog.shows("does not authorise")
    await album.take("setup-error")


async def _progress(album: Album, dialog: Dialog) -> None:
    """Try a port that keeps silent until the picture is taken."""
    taken = asyncio.Event()

    async def keep_silent(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await taken.wait()
        writer.close()

    server = await asyncio.start_server(keep_silent, LOOPBACK, 0)
    async with server:
        await dialog.type("Port", str(server.sockets[0].getsockname()[1]))
        await dialog.press("Submit")
        await dialog.shows("Connecting to")
        await album.take("setup-progress")
        taken.set()
        server.close()
        await dialog.shows("Each household has")


async def _options(album: Album, dialog: Dialog) -> None:
    page = album.page
    await _resize(page, 1180)
    await page.goto(_HOMESYNC)
    row = page.locator("ha-config-entry-row").filter(has_text="Beach house")
    await row.get_by_role("button", name="Configure").click()
    await dialog.shows("Options of the household")
    await dialog.choose("New nodes", "Ask first")
    await album.take("setup-options")
    await dialog.press("Submit")
    await dialog.shows("Options successfully saved")


async def _discoveries(album: Album, dialog: Dialog) -> None:
    page = album.page
    await _resize(page, 620)
    await page.goto(_INTEGRATIONS)
    for name in ("Beach house plug-1", "studio"):
        await page.locator("ha-config-flow-card").filter(has_text=name).wait_for()
    await album.take("setup-discovered")
    card = page.locator("ha-config-flow-card").filter(has_text="Beach house plug-1")
    await card.get_by_role("button", name="Add").click()
    await dialog.shows("for the first time")
    await album.take("setup-new-node")


async def _repairs(stage: Stage, album: Album) -> None:
    """Let somebody else use the household's client id."""
    page, dialog = album.page, Dialog(album.page)
    stored = stage.state.folder / "home-assistant" / ".storage" / "core.config_entries"
    entries = json.loads(stored.read_text())["data"]["entries"]
    (data,) = (each["data"] for each in entries if each["title"] == "Beach house")
    for _ in range(_ROBBERIES):
        robber = await asyncio.create_subprocess_exec(
            *("mosquitto_pub", "-V", "5", "-h", LOOPBACK, "-p", str(data["port"])),
            *("-u", data["username"], "-P", data["password"], "-i", data["client_id"]),
            *("-t", "none", "-n"),
        )
        await robber.wait()
        await asyncio.sleep(_ROBBERY_PAUSE)
    await page.goto("/config/repairs")
    issue = page.get_by_text("Another client uses the client ID of Beach house")
    await issue.click()
    await dialog.shows("Give Beach house a new client ID?", "perhaps a copy")
    await album.take("setup-repair")


async def _add_mqtt(api: Api, port: int, user: str, password: str) -> None:
    """Set up Home Assistant's own MQTT integration."""
    flow = "config/config_entries/flow"
    step = await api.post(flow, {"handler": "mqtt"})
    plain = {"set_client_cert": False, "set_ca_cert": "off"}
    login = {"username": user, "password": password, "other_settings": plain}
    step = await api.post(f"{flow}/{step['flow_id']}", {"broker": LOOPBACK, "port": port, **login})
    if step["type"] != "create_entry":
        raise DemoError(f"Home Assistant's MQTT integration was not set up: {step}")


async def _resize(page: Page, height: int) -> None:
    await page.set_viewport_size({"width": _WIDTH, "height": height})
