"""Another way to a household's broker."""

from collections.abc import Callable
from unittest.mock import patch

from homeassistant.config_entries import SOURCE_RECONFIGURE, ConfigEntryState
from homeassistant.core import HomeAssistant
from homeassistant.data_entry_flow import FlowResultType
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry

from custom_components.homesync.client import Cause, ConnectError, Step
from custom_components.homesync.const import DOMAIN
from tests.broker import Mosquitto

from .conftest import SetUp
from .flows import submit, suggested, typed
from .lookup import coordinator, is_connected
from .waiting import until

FLOW = "custom_components.homesync.config_flow"


def broker_fields(port: int, **changes: object) -> dict[str, object]:
    return typed(port, name=None, **changes)


async def open_form(hass: HomeAssistant, entry: MockConfigEntry) -> str:
    result = await hass.config_entries.flow.async_init(
        DOMAIN, context={"source": SOURCE_RECONFIGURE, "entry_id": entry.entry_id}
    )
    assert result["type"] is FlowResultType.FORM
    assert result["step_id"] == "reconfigure"
    placeholders = result["description_placeholders"]
    assert placeholders is not None
    assert placeholders["name"] == entry.title
    assert placeholders["home_id"] == entry.data["home_id"]
    assert "password" not in suggested(result)
    return result["flow_id"]


async def test_a_household_moves_to_another_broker(
    hass: HomeAssistant, start_mosquitto: Callable[..., Mosquitto], set_up: SetUp
) -> None:
    old, new = start_mosquitto(), start_mosquitto()
    entry = await set_up(old.port)
    before = coordinator(entry)
    await until(hass, lambda: is_connected(hass, entry))

    flow = await open_form(hass, entry)
    result = await submit(hass, flow, broker_fields(new.port, prefix="other/prefix"))

    assert result["type"] is FlowResultType.ABORT
    assert result["reason"] == "reconfigure_successful"
    await hass.async_block_till_done()
    assert entry.data["port"] == new.port
    assert entry.data["prefix"] == "other/prefix"
    assert entry.data["home_id"] == "villa"
    assert entry.data["client_id"] == "homesync_villa_0123abcd"
    assert entry.title == "Villa"
    assert entry.unique_id == f"villa@127.0.0.1:{new.port}"
    assert coordinator(entry) is not before
    await until(hass, lambda: is_connected(hass, entry))
    assert "homesync_villa_0123abcd" in new.log


async def test_unchanged_settings_start_the_household_again(
    hass: HomeAssistant, mosquitto: Mosquitto, set_up: SetUp
) -> None:
    entry = await set_up(mosquitto.port)
    before = coordinator(entry)

    flow = await open_form(hass, entry)
    result = await submit(hass, flow, broker_fields(mosquitto.port))
    await hass.async_block_till_done()

    assert result["reason"] == "reconfigure_successful"
    assert entry.state is ConfigEntryState.LOADED
    assert coordinator(entry) is not before
    await until(hass, lambda: is_connected(hass, entry))


async def test_the_running_connection_is_not_disturbed_by_the_try(
    hass: HomeAssistant, mosquitto: Mosquitto, set_up: SetUp
) -> None:
    entry = await set_up(mosquitto.port)
    await until(hass, lambda: is_connected(hass, entry))

    flow = await open_form(hass, entry)
    with patch.object(hass.config_entries, "async_schedule_reload"):
        await submit(hass, flow, broker_fields(mosquitto.port))

    assert "already connected" not in mosquitto.log
    assert is_connected(hass, entry)


async def test_the_known_password_stays_when_none_is_typed(
    hass: HomeAssistant, start_mosquitto: Callable[..., Mosquitto], set_up: SetUp
) -> None:
    broker = start_mosquitto(users={"me": "right"})
    entry = await set_up(broker.port, username="me", password="right")

    flow = await open_form(hass, entry)
    await submit(hass, flow, broker_fields(broker.port, username="me", prefix="other"))
    await hass.async_block_till_done()

    assert entry.data["prefix"] == "other"
    assert entry.data["password"] == "right"
    await until(hass, lambda: is_connected(hass, entry))


async def test_a_failure_leaves_the_household_as_it_is_and_the_form_open(
    hass: HomeAssistant, mosquitto: Mosquitto, set_up: SetUp
) -> None:
    entry = await set_up(mosquitto.port)
    before, data = coordinator(entry), dict(entry.data)
    flow = await open_form(hass, entry)

    with patch(f"{FLOW}.preflight", side_effect=ConnectError(Cause.REFUSED, Step.TCP, "")):
        result = await submit(hass, flow, broker_fields(mosquitto.port, prefix="other"))

    assert result["type"] is FlowResultType.FORM
    assert result["step_id"] == "reconfigure"
    assert result["errors"] == {"port": "refused"}
    assert suggested(result)["prefix"] == "other"
    assert coordinator(entry) is before
    assert entry.data == data

    result = await submit(hass, flow, broker_fields(mosquitto.port))
    assert result["reason"] == "reconfigure_successful"
    await hass.async_block_till_done()


@pytest.mark.parametrize("host", ["127.0.0.1", "LOCALHOST"])
async def test_a_broker_where_another_entry_has_this_household_is_refused(
    hass: HomeAssistant, start_mosquitto: Callable[..., Mosquitto], set_up: SetUp, host: str
) -> None:
    here, there = start_mosquitto(), start_mosquitto()
    entry = await set_up(here.port)
    other = MockConfigEntry(domain=DOMAIN, unique_id=f"villa@127.0.0.1:{there.port}")
    other.add_to_hass(hass)

    flow = await open_form(hass, entry)
    result = await submit(hass, flow, broker_fields(there.port, host=host))

    assert result["type"] is FlowResultType.FORM
    assert result["errors"] == {"base": "home_id_taken"}
    assert entry.data["port"] == here.port


async def test_another_start_of_the_client_id_makes_a_new_one(
    hass: HomeAssistant, mosquitto: Mosquitto, set_up: SetUp
) -> None:
    entry = await set_up(mosquitto.port)
    flow = await open_form(hass, entry)

    await submit(hass, flow, broker_fields(mosquitto.port, client_id_base="office"))

    await hass.async_block_till_done()
    assert entry.data["client_id"].startswith("office_villa_")
