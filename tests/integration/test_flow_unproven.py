"""A broker that accepts everything and then keeps messages to itself."""

from collections.abc import Callable

from homeassistant.config_entries import SOURCE_RECONFIGURE, ConfigEntryState, ConfigFlowResult
from homeassistant.core import HomeAssistant
from homeassistant.data_entry_flow import FlowResultType
from homeassistant.helpers import issue_registry as ir
import pytest

from custom_components.homesync.const import DOMAIN
from tests.broker import Mosquitto

from .conftest import SetUp
from .flows import begin, submit, suggested, typed
from .lookup import is_connected, state
from .waiting import until

FILTERS = [
    "homesync/villa/nodes/+/telemetry/+",
    "homesync/villa/nodes/+/status/+",
    "homesync/villa/nodes/+/response/+",
]
pytestmark = pytest.mark.usefixtures("short_echo")
MUTE = "topic read homesync/#\n"


@pytest.fixture
def mute(start_mosquitto: Callable[..., Mosquitto]) -> Mosquitto:
    """Drops silently what is published."""
    return start_mosquitto(acl=MUTE)


def assert_doubt(result: ConfigFlowResult, form: str) -> None:
    assert result["type"] is FlowResultType.MENU
    assert result["step_id"] == "unproven"
    assert result["menu_options"] == ["finish", form]
    placeholders = result["description_placeholders"]
    assert placeholders is not None
    assert placeholders["filters"].split("\n- ") == ["", *FILTERS]


async def test_a_doubt_is_told_and_one_may_go_on_all_the_same(
    hass: HomeAssistant, mute: Mosquitto
) -> None:
    flow = await begin(hass)

    result = await submit(hass, flow, typed(mute.port))
    assert_doubt(result, "broker")
    assert hass.config_entries.async_entries(DOMAIN) == []

    result = await hass.config_entries.flow.async_configure(flow, {"next_step_id": "finish"})
    assert result["type"] is FlowResultType.CREATE_ENTRY
    (entry,) = hass.config_entries.async_entries(DOMAIN)
    assert entry.state is ConfigEntryState.LOADED
    await until(hass, lambda: is_connected(hass, entry))
    issues = ir.async_get(hass)
    await until(hass, lambda: issues.async_get_issue(DOMAIN, f"unproven_{entry.entry_id}"))
    issue = issues.async_get_issue(DOMAIN, f"unproven_{entry.entry_id}")
    assert issue is not None
    assert issue.translation_placeholders == {"household": "Villa", "filters": ", ".join(FILTERS)}
    assert state(hass, entry, "sensor", "round_trip") == "unknown"
    assert await hass.config_entries.async_unload(entry.entry_id)


async def test_one_may_go_back_and_change_the_settings(
    hass: HomeAssistant, mute: Mosquitto, mosquitto: Mosquitto
) -> None:
    flow = await begin(hass)
    await submit(hass, flow, typed(mute.port, name="Villa", home_id="villa"))

    result = await hass.config_entries.flow.async_configure(flow, {"next_step_id": "broker"})
    assert result["type"] is FlowResultType.FORM
    assert result["errors"] == {}
    assert suggested(result)["port"] == mute.port
    assert suggested(result)["home_id"] == "villa"

    result = await submit(hass, flow, typed(mosquitto.port))
    assert result["type"] is FlowResultType.CREATE_ENTRY
    (entry,) = hass.config_entries.async_entries(DOMAIN)
    assert entry.data["port"] == mosquitto.port
    assert await hass.config_entries.async_unload(entry.entry_id)


@pytest.mark.parametrize("on", [True, False])
async def test_a_household_that_moves_is_asked_the_same(
    hass: HomeAssistant, *, mute: Mosquitto, mosquitto: Mosquitto, set_up: SetUp, on: bool
) -> None:
    entry = await set_up(mosquitto.port)
    form = await hass.config_entries.flow.async_init(
        DOMAIN, context={"source": SOURCE_RECONFIGURE, "entry_id": entry.entry_id}
    )
    flow = form["flow_id"]

    assert_doubt(await submit(hass, flow, typed(mute.port, name=None)), "reconfigure")
    assert entry.data["port"] == mosquitto.port
    choice = "finish" if on else "reconfigure"
    result = await hass.config_entries.flow.async_configure(flow, {"next_step_id": choice})

    if on:
        assert result["reason"] == "reconfigure_successful"
        assert entry.data["port"] == mute.port
        await hass.async_block_till_done()
    else:
        assert result["type"] is FlowResultType.FORM
        assert suggested(result)["port"] == mute.port
        assert entry.data["port"] == mosquitto.port
