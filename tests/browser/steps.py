"""Steps that several stories begin with."""

from .conftest import HOMESYNC, INTEGRATIONS, Home

OTHER = "Mosquitto or another broker"


async def begin(home: Home) -> None:
    """Open the dialog that adds a household."""
    await home.page.goto(f"{INTEGRATIONS}/add?domain=homesync")
    # Home Assistant asks whether one really wants to.
    await home.page.get_by_role("button", name="OK").click()


async def add(home: Home, port: int, user: str, password: str) -> None:
    """Add the household Villa on a broker without TLS."""
    await begin(home)
    await home.dialog.pick(OTHER)
    fields = {"Name": "Villa", "Host": "127.0.0.1", "Port": str(port)}
    for label, text in {**fields, "User name": user, "Password": password}.items():
        await home.dialog.type(label, text)
    await home.dialog.toggle("TLS")
    await home.dialog.press("Submit")
    await home.dialog.shows("Villa is connected.")
    await home.connected()


async def open_reconfigure(home: Home) -> None:
    """Open the dialog that changes the only household."""
    await home.page.goto(HOMESYNC)
    await home.page.locator("ha-config-entry-row ha-dropdown ha-icon-button").first.click()
    await home.page.get_by_text("Reconfigure").click()
    await home.dialog.shows("Change Villa")


async def open_options(home: Home) -> None:
    """Open the dialog that changes how the only household behaves."""
    await home.page.goto(HOMESYNC)
    row = home.page.locator("ha-config-entry-row")
    await row.get_by_role("button", name="Configure").click()
    await home.dialog.shows("Options of the household")
