"""What a household wants of a person later: new nodes, credentials, a repair."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import pytest

from demo.waiting import until
from simulator import Broker, Node, NodeConfig
from tests.broker import Mosquitto

from .conftest import INTEGRATIONS, Home
from .steps import add, open_options

pytestmark = [pytest.mark.browser, pytest.mark.timeout(300)]


@asynccontextmanager
async def running_node(broker: Mosquitto, password: str) -> AsyncIterator[Node]:
    node = Node(
        NodeConfig(home_id="villa", node_id="plug-1", interval=None),
        Broker(port=broker.port, username="me", password=password),
    )
    await node.start()
    try:
        yield node
    finally:
        await node.stop()


async def test_a_new_node_is_a_card_once_the_options_say_ask_first(
    home: Home, start_mosquitto: Callable[..., Mosquitto]
) -> None:
    broker = start_mosquitto(users={"me": "right"})
    page, dialog = home.page, home.dialog
    await add(home, broker.port, "me", "right")

    await open_options(home)
    await dialog.choose("New nodes", "Ask first")
    await home.look("options")
    await dialog.press("Submit")
    await dialog.shows("Options successfully saved")
    await home.connected()

    async with running_node(broker, "right") as node:
        await page.goto(INTEGRATIONS)
        card = page.locator("ha-config-flow-card").filter(has_text="Villa plug-1")
        await card.wait_for()
        await home.look("card")
        await card.get_by_role("button", name="Add").click()
        await dialog.shows("Villa heard the node plug-1 for the first time.")
        await home.look("new-node")
        await dialog.press("Submit")
        await dialog.shows("The node was added to the household.")
        await node.send_telemetry()

        async def shown() -> bool:
            return "sensor.villa_plug_1_power" in await home.api.states()

        await until(shown, "the node has its entities", 30)


async def test_refused_credentials_are_asked_for(
    home: Home, start_mosquitto: Callable[..., Mosquitto]
) -> None:
    broker = start_mosquitto(users={"me": "first"})
    page, dialog = home.page, home.dialog
    await add(home, broker.port, "me", "first")

    broker.change_users({"me": "second"})
    await page.goto(INTEGRATIONS)
    card = page.locator("ha-config-flow-card").filter(has_text="Villa")
    await card.wait_for()
    await home.look("credentials-card")
    await card.get_by_role("button", name="Reconfigure").click()
    await dialog.shows("New credentials for Villa")
    assert await dialog.value("Password") == ""
    assert await dialog.value("User name") == "me"
    await dialog.type("Password", "typo")
    await dialog.press("Submit")
    await dialog.shows("does not authorise this user")
    await home.look("credentials")
    await dialog.type("Password", "second")
    await dialog.press("Submit")
    await dialog.shows("Re-authentication was successful")
    await home.connected()


async def test_a_rival_is_shaken_off_with_a_click(
    home: Home, start_mosquitto: Callable[..., Mosquitto]
) -> None:
    broker = start_mosquitto(users={"me": "right"})
    page, dialog = home.page, home.dialog
    await add(home, broker.port, "me", "right")
    disputed = (await home.entry())["data"]["client_id"]

    await rob_until_noticed(home, broker, disputed)
    await page.goto("/config/repairs")
    await page.get_by_text("Another client uses the client ID of Villa").click()
    await dialog.shows("Give Villa a new client ID?", "connects with the same client ID")
    await home.look("rival")
    await dialog.press("Submit")
    await dialog.shows("issue is repaired")

    async def changed() -> bool:
        return bool((await home.entry())["data"]["client_id"] != disputed)

    await until(changed, "the household has another client id", 30)
    await home.connected()


async def rob_until_noticed(home: Home, broker: Mosquitto, client_id: str) -> None:
    """Take the household's connection over; once might be an accident."""

    async def noticed() -> bool:
        await rob(broker, client_id)
        # It comes back after a second or two.
        await asyncio.sleep(2)
        found = await home.api.call("repairs/list_issues")
        return any(issue["translation_key"] == "rival" for issue in found["issues"])

    await until(noticed, "a rival is reported", 30)


async def rob(broker: Mosquitto, client_id: str) -> None:
    """Connect once as somebody else who believes to be that client."""
    arguments = ("-h", broker.host, "-p", str(broker.port), "-V", "5", "-i", client_id)
    login = ("-u", "me", "-P", "right", "-t", "none", "-n")
    robber = await asyncio.create_subprocess_exec("mosquitto_pub", *arguments, *login)
    assert await robber.wait() == 0
