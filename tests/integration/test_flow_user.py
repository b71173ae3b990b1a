"""Setting a household up."""

from unittest.mock import patch

from homeassistant.config_entries import ConfigEntry, ConfigEntryState
from homeassistant.core import HomeAssistant
from homeassistant.data_entry_flow import FlowResultType, InvalidData
import pytest

from custom_components.homesync.broker import entry_unique_id
from custom_components.homesync.const import DOMAIN
from tests.broker import Mosquitto

from .conftest import SetUp, StartScripted
from .flows import UNTOUCHED, begin, sent, submit, suggested, typed
from .lookup import is_connected
from .waiting import until


def only_entry(hass: HomeAssistant) -> ConfigEntry:
    (entry,) = hass.config_entries.async_entries(DOMAIN)
    return entry


async def unload(hass: HomeAssistant) -> None:
    for entry in hass.config_entries.async_entries(DOMAIN):
        assert await hass.config_entries.async_unload(entry.entry_id)


async def test_a_household_is_created_after_its_broker_was_tried(
    hass: HomeAssistant, mosquitto: Mosquitto
) -> None:
    flow = await begin(hass)
    result = await submit(hass, flow, typed(mosquitto.port, home_id="villa-1"))

    assert result["type"] is FlowResultType.CREATE_ENTRY
    assert result["title"] == "Villa"
    assert result["description"] == "ready"
    assert result["description_placeholders"] == {
        "detail": "",
        "name": "Villa",
        "home_id": "villa-1",
        "host": "127.0.0.1",
        "prefix": "homesync",
    }
    entry = only_entry(hass)
    client_id = entry.data["client_id"]
    assert entry.data == {
        "home_id": "villa-1",
        "host": "127.0.0.1",
        "port": mosquitto.port,
        "tls": False,
        "prefix": "homesync",
        "preset": "other",
        "client_id": client_id,
        "learned_version": "5",
        **UNTOUCHED,
    }
    assert client_id.startswith("homesync_villa-1_")
    assert entry.unique_id == f"villa-1@127.0.0.1:{mosquitto.port}"
    assert entry.state is ConfigEntryState.LOADED
    await until(hass, lambda: is_connected(hass, entry))
    await unload(hass)


async def test_a_try_lasts_long_enough_that_a_browser_listens_for_its_end(
    hass: HomeAssistant, mosquitto: Mosquitto
) -> None:
    flow = await begin(hass)
    begun = hass.loop.time()
    with patch("custom_components.homesync.config_flow._PROGRESS_LASTS", 0.5):
        result = await submit(hass, flow, typed(mosquitto.port))

    assert result["type"] is FlowResultType.CREATE_ENTRY
    assert hass.loop.time() - begun >= 0.5
    await unload(hass)


async def test_the_try_goes_under_a_client_id_of_its_own_and_says_goodbye(
    hass: HomeAssistant, mosquitto: Mosquitto
) -> None:
    flow = await begin(hass)
    await submit(hass, flow, typed(mosquitto.port))
    client_id = only_entry(hass).data["client_id"]
    await unload(hass)

    begun = [
        line.partition(" as ")[2].partition(" ")[0]
        for line in mosquitto.log.splitlines()
        if f" as {client_id[:-6]}" in line
    ]
    (tried,) = [each for each in begun if each != client_id]
    await until(hass, lambda: f"Received DISCONNECT from {tried}" in mosquitto.log)


@pytest.mark.parametrize(
    ("name", "proposed"),
    [("Villa", "villa"), ("  Summer house ", "summer-house"), ("Dača Žižkov", "daca-zizkov")],
)
async def test_without_a_home_id_one_is_made_from_the_name(
    hass: HomeAssistant, mosquitto: Mosquitto, name: str, proposed: str
) -> None:
    flow = await begin(hass)
    result = await submit(hass, flow, typed(mosquitto.port, name=name))

    assert result["type"] is FlowResultType.CREATE_ENTRY
    entry = only_entry(hass)
    assert entry.title == name.strip()
    assert entry.data["home_id"] == proposed
    await unload(hass)


async def test_without_a_name_the_household_is_called_by_its_home_id(
    hass: HomeAssistant, mosquitto: Mosquitto
) -> None:
    flow = await begin(hass)
    result = await submit(hass, flow, typed(mosquitto.port, name=" ", home_id="villa"))

    assert result["type"] is FlowResultType.CREATE_ENTRY
    assert only_entry(hass).title == "villa"
    await unload(hass)


async def test_a_home_id_that_is_cleared_is_made_from_the_name_again(
    hass: HomeAssistant, mosquitto: Mosquitto
) -> None:
    flow = await begin(hass)
    result = await submit(hass, flow, typed(mosquitto.port, home_id="villa", prefix="#"))
    assert suggested(result)["home_id"] == "villa"

    result = await submit(hass, flow, typed(mosquitto.port, name="Cabin"))

    assert result["type"] is FlowResultType.CREATE_ENTRY
    assert only_entry(hass).data["home_id"] == "cabin"
    await unload(hass)


@pytest.mark.parametrize(
    ("field", "value", "error"),
    [
        ("home_id", "villa/1", "invalid_home_id"),
        ("home_id", "a" * 65, "invalid_home_id"),
        ("prefix", "#", "invalid_prefix"),
        ("prefix", "$SYS", "invalid_prefix"),
        ("name", " ", "invalid_home_id"),
    ],
)
async def test_what_cannot_work_is_refused_on_its_field_before_the_broker_is_tried(
    hass: HomeAssistant, mosquitto: Mosquitto, field: str, value: str, error: str
) -> None:
    flow = await begin(hass)
    result = await submit(hass, flow, typed(mosquitto.port, **{field: value}))

    assert result["type"] is FlowResultType.FORM
    # Home Assistant shows no errors on fields in sections.
    assert result["errors"] == {{"name": "home_id", "prefix": "base"}.get(field, field): error}
    assert " as homesync_" not in mosquitto.log

    result = await submit(hass, flow, typed(mosquitto.port, home_id="villa"))
    assert result["type"] is FlowResultType.CREATE_ENTRY
    await unload(hass)


async def test_both_errors_are_shown_at_once(hass: HomeAssistant, mosquitto: Mosquitto) -> None:
    flow = await begin(hass)
    result = await submit(hass, flow, typed(mosquitto.port, home_id="ä", prefix="a//b"))

    assert result["errors"] == {"home_id": "invalid_home_id", "base": "invalid_prefix"}


async def test_a_port_that_is_none_is_refused_by_the_form(hass: HomeAssistant) -> None:
    flow = await begin(hass)
    with pytest.raises(InvalidData):
        await submit(hass, flow, typed(65_536))


async def test_a_household_is_not_set_up_twice_but_another_on_the_same_broker_is(
    hass: HomeAssistant, mosquitto: Mosquitto, set_up: SetUp
) -> None:
    await set_up(mosquitto.port, "villa")
    flow = await begin(hass)

    result = await submit(hass, flow, typed(mosquitto.port, name="Again", home_id="villa"))
    assert result["type"] is FlowResultType.FORM
    assert result["errors"] == {"home_id": "home_id_taken"}

    result = await submit(hass, flow, typed(mosquitto.port, name="Cabin", home_id="cabin"))
    assert result["type"] is FlowResultType.CREATE_ENTRY
    await unload(hass)


@pytest.mark.parametrize(
    ("known", "typed_host"),
    [
        ("broker.example", "Broker.Example."),
        ("127.0.0.1", "localhost"),
        ("LOCALHOST", "127.0.0.1"),
        ("::1", "localhost"),
    ],
)
async def test_a_host_is_the_same_under_all_its_spellings(
    hass: HomeAssistant, mosquitto: Mosquitto, set_up: SetUp, known: str, typed_host: str
) -> None:
    entry = await set_up(mosquitto.port, "villa")
    same = entry_unique_id({"home_id": "villa", "host": known, "port": mosquitto.port})
    hass.config_entries.async_update_entry(entry, unique_id=same)
    flow = await begin(hass)

    result = await submit(hass, flow, typed(mosquitto.port, host=typed_host, home_id="villa"))

    assert result["errors"] == {"home_id": "home_id_taken"}
    await unload(hass)


async def test_two_dialogs_for_one_household_create_it_once(
    hass: HomeAssistant, mosquitto: Mosquitto
) -> None:
    flows = [await begin(hass), await begin(hass)]
    for flow in flows:
        result = await hass.config_entries.flow.async_configure(flow, sent(typed(mosquitto.port)))
        assert result["type"] is FlowResultType.SHOW_PROGRESS
    await hass.async_block_till_done()

    result = await hass.config_entries.flow.async_configure(flows[0])
    assert result["type"] is FlowResultType.CREATE_ENTRY
    assert hass.config_entries.flow.async_progress() == []
    only_entry(hass)
    await unload(hass)


async def test_a_dialog_that_is_closed_gives_the_try_up(
    hass: HomeAssistant, start_scripted: StartScripted
) -> None:
    broker = await start_scripted(connack=None)
    flow = await begin(hass)
    result = await hass.config_entries.flow.async_configure(flow, sent(typed(broker.port)))
    assert result["type"] is FlowResultType.SHOW_PROGRESS
    await broker.reached.wait()

    hass.config_entries.flow.async_abort(flow)

    await until(hass, lambda: not broker.open_connections)
    assert hass.config_entries.async_entries(DOMAIN) == []


async def test_a_dialog_that_is_asked_again_goes_on_showing_progress(
    hass: HomeAssistant, start_scripted: StartScripted
) -> None:
    broker = await start_scripted(connack=None)
    flow = await begin(hass)
    await hass.config_entries.flow.async_configure(flow, sent(typed(broker.port)))

    result = await hass.config_entries.flow.async_configure(flow)

    assert result["type"] is FlowResultType.SHOW_PROGRESS
    placeholders = result["description_placeholders"]
    assert placeholders is not None
    assert placeholders["host"] == "127.0.0.1"
    hass.config_entries.flow.async_abort(flow)
    await until(hass, lambda: not broker.open_connections)


async def test_the_form_proposes_an_encrypted_connection(hass: HomeAssistant) -> None:
    with patch("custom_components.homesync.config_flow.preflight") as preflight:
        flow = await begin(hass)
        fields = {"name": "Villa", "host": "broker.example"}
        await hass.config_entries.flow.async_configure(flow, fields)
        await hass.async_block_till_done()

    (settings, subscriptions, _), _ = preflight.call_args
    assert settings.port == 8883
    assert settings.tls is not None
    assert settings.tls.verify_mode.name == "CERT_REQUIRED"
    assert settings.tls.check_hostname
    assert subscriptions.filters == (
        ("homesync/villa/nodes/+/telemetry/+", 0),
        ("homesync/villa/nodes/+/status/+", 1),
        ("homesync/villa/nodes/+/response/+", 1),
    )
    hass.config_entries.flow.async_abort(flow)
