"""A household's options."""

from homeassistant.core import HomeAssistant
from homeassistant.data_entry_flow import FlowResultType, InvalidData
from homeassistant.helpers import issue_registry as ir
from homeassistant.setup import async_setup_component
import pytest
from pytest_homeassistant_custom_component.typing import ClientSessionGenerator

from custom_components.homesync.const import DOMAIN
from tests.broker import Mosquitto

from .conftest import SetUp, StartNode
from .flows import configure, suggested
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
    "commands_per_node": 1,
    "commands_per_household": 20,
    "parallel_updates": 2,
    "firmware_catalogue": "",
    "firmware_hosts": [],
    "alert_disconnected": 5,
    "alert_connect_failures": 10,
    "alert_publish_failures": 5,
    "alert_queue_age": 15,
    "alert_bad_messages": 10,
    "alert_data": 80,
    "alert_connections": 80,
    "thin_at_limit": False,
}
NO_PLAN = {
    "plan_data": 0,
    "plan_connections": 0,
    "plan_both_ways": False,
    "plan_stops": False,
}
SECTIONS = ("connection", "commands", "firmware", "plan", "alerts")


async def test_the_form_shows_what_holds(
    hass: HomeAssistant, mosquitto: Mosquitto, set_up: SetUp
) -> None:
    options = {"grace_time": 12, "keepalive": 34, "firmware_hosts": ["firmware.example"]}
    entry = await set_up(mosquitto.port, options=options)

    result = await hass.config_entries.options.async_init(entry.entry_id)

    assert result["type"] is FlowResultType.FORM
    assert result["step_id"] == "init"
    assert suggested(result) == NO_PLAN | options


async def test_without_options_the_defaults_are_proposed(
    hass: HomeAssistant, mosquitto: Mosquitto, set_up: SetUp
) -> None:
    entry = await set_up(mosquitto.port)

    result = await hass.config_entries.options.async_init(entry.entry_id)

    assert suggested(result) == NO_PLAN
    schema = result["data_schema"]
    assert schema is not None
    nested = schema({section: {} for section in SECTIONS})
    flat = {key: value for section in SECTIONS for key, value in nested.pop(section).items()}
    assert {**nested, **flat} == DEFAULTS


async def test_a_browser_gets_the_form_in_sections_with_what_holds(
    hass: HomeAssistant,
    mosquitto: Mosquitto,
    set_up: SetUp,
    hass_client: ClientSessionGenerator,
) -> None:
    entry = await set_up(mosquitto.port, options={"firmware_hosts": ["firmware.example"]})
    await async_setup_component(hass, "config", {})
    client = await hass_client()

    address = "/api/config/config_entries/options/flow"
    response = await client.post(address, json={"handler": entry.entry_id})
    form = await response.json()

    fields = {field["name"]: field for field in form["data_schema"]}
    assert list(fields) == ["grace_time", "max_nodes", "new_nodes", *SECTIONS]
    inside = {field["name"]: field for field in fields["firmware"]["schema"]}
    assert list(inside) == ["firmware_catalogue", "firmware_hosts", "parallel_updates"]
    assert inside["firmware_hosts"]["selector"]["text"]["multiple"]
    assert inside["firmware_hosts"]["description"] == {"suggested_value": ["firmware.example"]}
    assert inside["firmware_hosts"]["default"] == []


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

    result = await configure(
        hass, entry, grace_time=5.0, max_nodes=2.0, commands={"commands_per_node": 3.0}
    )
    await hass.async_block_till_done()

    assert result["type"] is FlowResultType.CREATE_ENTRY
    assert entry.options == DEFAULTS | {"grace_time": 5, "max_nodes": 2, "commands_per_node": 3}
    words = {"new_nodes", "status_topic", "firmware_catalogue", "firmware_hosts", "thin_at_limit"}
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
        {"connection": {"keepalive": 9}},
        {"connection": {"keepalive": 1201}},
        {"connection": {"connect_timeout": 2}},
        {"connection": {"connect_timeout": 61}},
        {"connection": {"longest_gap": 4}},
        {"connection": {"longest_gap": 601}},
        {"connection": {"echo_interval": -1}},
        {"connection": {"echo_interval": 61}},
        {"connection": {"status_topic": "elsewhere"}},
        {"commands": {"commands_per_node": 0}},
        {"commands": {"commands_per_node": 9}},
        {"commands": {"commands_per_household": 0}},
        {"commands": {"commands_per_household": 21}},
        {"plan": {"plan_data": -0.1}},
        {"plan": {"plan_data": 100_001}},
        {"plan": {"plan_connections": -1}},
        {"firmware": {"parallel_updates": 0}},
        {"firmware": {"parallel_updates": 11}},
        {"firmware": {"firmware_hosts": "firmware.example"}},
        {"alerts": {"alert_disconnected": -1}},
        {"alerts": {"alert_disconnected": 1441}},
        {"alerts": {"alert_connect_failures": 100}},
        {"alerts": {"alert_publish_failures": 100}},
        {"alerts": {"alert_data": 101}},
        {"alerts": {"alert_bad_messages": 1001}},
    ],
)
async def test_options_out_of_range_are_refused(
    hass: HomeAssistant, mosquitto: Mosquitto, set_up: SetUp, wrong: dict[str, object]
) -> None:
    entry = await set_up(mosquitto.port)
    await until(hass, lambda: is_connected(hass, entry))

    with pytest.raises(InvalidData):
        await configure(hass, entry, **wrong)

    assert entry.options == {}


@pytest.mark.parametrize(
    ("field", "value", "detail"),
    [
        (
            "firmware_catalogue",
            "http://firmware.example/catalogue.json",
            "an https address without user name and password is needed",
        ),
        (
            "firmware_catalogue",
            "https://me:secret@firmware.example/catalogue.json",
            "an https address without user name and password is needed",
        ),
        (
            "firmware_hosts",
            ["firmware.example", "https://firmware.example"],
            "https://firmware.example: a name or IPv4 address, with or without port",
        ),
        (
            "firmware_hosts",
            ["[::1]:443"],
            "[::1]:443: a name or IPv4 address, with or without port",
        ),
    ],
)
async def test_where_firmware_cannot_come_from_is_named_and_what_was_typed_stays(
    hass: HomeAssistant,
    *,
    mosquitto: Mosquitto,
    set_up: SetUp,
    field: str,
    value: object,
    detail: str,
) -> None:
    entry = await set_up(mosquitto.port)

    result = await configure(hass, entry, max_nodes=5, firmware={field: value})

    assert result["type"] is FlowResultType.FORM
    assert result["errors"] == {"base": f"invalid_{field}"}
    assert result["description_placeholders"] == {"detail": detail}
    assert suggested(result) == DEFAULTS | {"max_nodes": 5, field: value}
    assert entry.options == {}

    mended = await hass.config_entries.options.async_configure(
        result["flow_id"], {"firmware": {"firmware_hosts": []}}
    )
    assert mended["type"] is FlowResultType.CREATE_ENTRY
    await hass.async_block_till_done()
    assert entry.options == DEFAULTS


async def test_firmware_hosts_are_kept_once_each_without_blanks(
    hass: HomeAssistant, mosquitto: Mosquitto, set_up: SetUp
) -> None:
    entry = await set_up(mosquitto.port)
    hosts = [" firmware.example ", "", "10.0.0.1:8443", "firmware.example"]

    await configure(hass, entry, firmware={"firmware_hosts": hosts, "firmware_catalogue": "  "})
    await hass.async_block_till_done()

    assert entry.options["firmware_hosts"] == ["firmware.example", "10.0.0.1:8443"]
    assert entry.options["firmware_catalogue"] == ""
