"""A person adds a household and changes it, with all that may go wrong."""

from collections.abc import Callable
from pathlib import Path

import pytest
import trustme

from demo.waiting import until
from tests.broker import Mosquitto
from tests.integration.certificates import listener, pem_of

from .conftest import Home
from .steps import OTHER, add, begin, open_options, open_reconfigure

pytestmark = [pytest.mark.browser, pytest.mark.timeout(300)]

TYPED = {
    "Name": "Villa",
    "Home ID": "villa-1",
    "Host": "127.0.0.1",
    "User name": "me",
    "Start of the client ID": "ours",
}
CHOSEN = {"plan_data": 12.5, "plan_stops": True, "alert_disconnected": 3, "alert_queue_age": 15}


async def test_a_household_is_added_through_all_errors_and_then_changed(
    home: Home, start_mosquitto: Callable[..., Mosquitto], tmp_path: Path
) -> None:
    authority = trustme.CA()
    broker = start_mosquitto(users={"me": "right"}, settings=listener(tmp_path, authority))
    dialog = home.dialog

    await begin(home)
    for preset in ("HiveMQ Cloud", "EMQX Cloud or Serverless", "AWS IoT Core"):
        await dialog.shows(preset)
    await home.look("menu")
    await dialog.pick(OTHER)
    for section in ("Security", "WebSocket", "Topics and protocol"):
        await dialog.unfold(section)
    for label, text in {**TYPED, "Port": str(broker.port), "Password": "wrong"}.items():
        await dialog.type(label, text)
    await dialog.choose("MQTT version", "3.1.1")
    await home.look("form")

    await dialog.press("Submit")
    await dialog.shows("Connecting to 127.0.0.1")
    await dialog.shows("an authority that is not known")
    await home.look("unknown-issuer")
    # The section in which to paste it is open.
    await dialog.type("Authority", pem_of(authority))
    await dialog.press("Submit")
    await dialog.shows("does not authorise this user")
    await home.look("wrong-password")
    for label, text in {**TYPED, "Port": str(broker.port)}.items():
        assert await dialog.value(label) == text
    assert await dialog.value("Authority") == pem_of(authority).strip()
    assert await dialog.value("Password") == ""
    await dialog.type("Password", "right")
    await dialog.press("Submit")
    await dialog.shows("Villa is connected.")
    await home.look("ready")
    data = (await home.entry())["data"]
    assert data["home_id"] == "villa-1"
    assert data["password"] == "right"
    assert data["version"] == "3.1.1"
    assert data["client_id"].startswith("ours_villa-1_")

    await open_reconfigure(home)
    await home.look("reconfigure")
    assert await dialog.value("Password") == ""
    assert await dialog.value("User name") == "me"
    await dialog.toggle("Verify the broker's certificate")
    await dialog.press("Submit")
    await dialog.shows("Reconfiguration was successful")
    await home.connected()

    await home.page.goto("/config/repairs")
    await home.page.get_by_text("Villa does not verify its broker").click()
    await home.page.get_by_text("anybody on the way could read").wait_for()
    await home.look("repair")


async def test_plan_and_alerts_are_chosen_in_their_sections(
    home: Home, start_mosquitto: Callable[..., Mosquitto]
) -> None:
    broker = start_mosquitto(users={"me": "right"})
    dialog = home.dialog
    await add(home, broker.port, "me", "right")

    await open_options(home)
    await dialog.unfold("Plan")
    await dialog.type("Data per month", "12.5")
    await dialog.toggle("Stops when used up")
    await dialog.unfold("Alerts")
    await dialog.type("Out of reach for", "3")
    await home.look("plan-and-alerts")
    await dialog.press("Submit")
    await dialog.shows("Options successfully saved")

    async def stored() -> bool:
        return bool(CHOSEN.items() <= (await home.entry())["options"].items())

    await until(stored, "the options are stored", 30)
    assert "sensor.villa_plan_used" in await home.api.states()
    await open_options(home)
    await dialog.unfold("Plan")
    assert await dialog.value("Data per month") == "12.5"
