"""A household's options."""

from homeassistant.core import HomeAssistant
from homeassistant.data_entry_flow import FlowResultType, InvalidData
from homeassistant.helpers import issue_registry as ir
import pytest

from custom_components.homesync.const import DOMAIN
from tests.broker import Mosquitto

from .conftest import SetUp, StartNode
from .flows import suggested
from .lookup import coordinator, device, is_connected, state
from .waiting import until

DEFAULTS = {
    "grace_time": 30,
    "max_nodes": 100,
    "new_nodes": "add",
    "keepalive": 60,
    "connect_timeout": 10,
    "longest_gap": 60,
    "echo_interval": 5,
    "status_topic": "homesync",
}


async def test_the_form_shows_what_holds(
    hass: HomeAssistant, mosquitto: Mosquitto, set_up: SetUp
) -> None:
    entry = await set_up(mosquitto.port, options={"grace_time": 12, "max_nodes": 34})

    result = await hass.config_entries.options.async_init(entry.entry_id)

    assert result["type"] is FlowResultType.FORM
    assert result["step_id"] == "init"
    assert suggested(result) == {"grace_time": 12, "max_nodes": 34}


async def test_without_options_the_defaults_are_proposed(
    hass: HomeAssistant, mosquitto: Mosquitto, set_up: SetUp
) -> None:
    entry = await set_up(mosquitto.port)

    result = await hass.config_entries.options.async_init(entry.entry_id)

    assert suggested(result) == {}
    assert result["data_schema"] is not None
    assert result["data_schema"]({}) == DEFAULTS


async def test_changed_options_are_kept_as_whole_numbers_and_applied_by_a_reload(
    hass: HomeAssistant, mosquitto: Mosquitto, set_up: SetUp, start_node: StartNode
) -> None:
    entry = await set_up(mosquitto.port, options={"max_nodes": 1})
    await start_node("plug-1")
    await until(hass, lambda: state(hass, entry, "switch", "plug-1", "status/relay") == "on")
    await start_node("plug-2")
    issue = f"node_limit_{entry.entry_id}"
    await until(hass, lambda: ir.async_get(hass).async_get_issue(DOMAIN, issue))
    before = coordinator(entry)

    form = await hass.config_entries.options.async_init(entry.entry_id)
    result = await hass.config_entries.options.async_configure(
        form["flow_id"], {"grace_time": 5.0, "max_nodes": 2.0}
    )
    await hass.async_block_till_done()

    assert result["type"] is FlowResultType.CREATE_ENTRY
    assert entry.options == DEFAULTS | {"grace_time": 5, "max_nodes": 2}
    words = {"new_nodes", "status_topic"}
    assert {key for key, value in entry.options.items() if type(value) is not int} == words
    assert coordinator(entry) is not before
    await until(hass, lambda: state(hass, entry, "switch", "plug-2", "status/relay") == "on")
    assert device(hass, entry, "plug-2")
    assert ir.async_get(hass).async_get_issue(DOMAIN, issue) is None


@pytest.mark.parametrize(
    "wrong",
    [
        {"grace_time": -1},
        {"grace_time": 3601},
        {"max_nodes": 0},
        {"max_nodes": 1001},
        {"new_nodes": "never"},
        {"keepalive": 9},
        {"keepalive": 1201},
        {"connect_timeout": 2},
        {"connect_timeout": 61},
        {"longest_gap": 4},
        {"longest_gap": 601},
        {"echo_interval": -1},
        {"echo_interval": 61},
        {"status_topic": "elsewhere"},
    ],
)
async def test_options_out_of_range_are_refused(
    hass: HomeAssistant, mosquitto: Mosquitto, set_up: SetUp, wrong: dict[str, object]
) -> None:
    entry = await set_up(mosquitto.port)
    await until(hass, lambda: is_connected(hass, entry))
    form = await hass.config_entries.options.async_init(entry.entry_id)

    with pytest.raises(InvalidData):
        await hass.config_entries.options.async_configure(form["flow_id"], wrong)

    assert entry.options == {}
