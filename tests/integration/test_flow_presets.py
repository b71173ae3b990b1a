"""What is known of a kind of broker fills the form in; what is typed decides."""

from typing import Any
from unittest.mock import AsyncMock, patch

from homeassistant.config_entries import SOURCE_USER, ConfigFlowResult
from homeassistant.core import HomeAssistant
from homeassistant.data_entry_flow import FlowResultType, section
import pytest

from custom_components.homesync.broker import new_client_id
from custom_components.homesync.broker_form import SECTIONS, broker_schema, flatten, nest
from custom_components.homesync.client import PRESETS, BrokerSettings, Cause, ConnectError, Step
from custom_components.homesync.const import DOMAIN
from tests.broker import Mosquitto

from .flows import begin, choose, proposed, sent, submit, suggested, typed

FLOW = "custom_components.homesync.config_flow"
COMMON = {
    "tls": True,
    "verify": True,
    "transport": "tcp",
    "websocket_path": "/mqtt",
    "prefix": "homesync",
    "version": "auto",
    "session_expiry": 0,
    "client_id_base": "homesync",
}
FILLED_IN: dict[str, dict[str, object]] = {
    "hivemq_cloud": {"port": 8883, "websocket_port": 8884},
    "emqx_cloud": {"port": 8883, "websocket_port": 8084},
    "aws_iot": {"port": 443, "alpn": "x-amzn-mqtt-ca"},
    "other": {"port": 8883},
}
LONG = {"home_id": "a-home-id-of-some-length"}


async def tried_with(hass: HomeAssistant, flow: str, fields: dict[str, Any]) -> BrokerSettings:
    """The settings that a form leads to."""
    failure = ConnectError(Cause.SILENT, Step.LINK, "")
    with patch(f"{FLOW}.preflight", AsyncMock(side_effect=failure)) as preflight:
        await submit(hass, flow, fields)
    settings = preflight.await_args_list[0].args[0]
    assert isinstance(settings, BrokerSettings)
    return settings


def is_open(result: ConfigFlowResult, name: str) -> bool:
    schema = result["data_schema"]
    assert schema is not None
    (found,) = [field for marker, field in schema.schema.items() if str(marker) == name]
    assert isinstance(found, section)
    return not found.options["collapsed"]


async def test_one_is_asked_for_the_kind_of_broker_first(hass: HomeAssistant) -> None:
    result = await hass.config_entries.flow.async_init(DOMAIN, context={"source": SOURCE_USER})

    assert result["type"] is FlowResultType.MENU
    assert result["menu_options"] == list(PRESETS) == list(FILLED_IN)


@pytest.mark.parametrize("preset", FILLED_IN)
async def test_a_kind_of_broker_fills_the_form_in(hass: HomeAssistant, preset: str) -> None:
    result = await choose(hass, preset)

    assert proposed(result) == {**COMMON, **FILLED_IN[preset]}
    assert is_open(result, "security") == (preset == "aws_iot")
    assert not is_open(result, "websocket")
    assert not is_open(result, "protocol")


@pytest.mark.parametrize(
    ("preset", "websocket_port", "largest"),
    [
        ("hivemq_cloud", 8884, 64 * 1024),
        ("emqx_cloud", 8084, 1024 * 1024),
        ("other", None, None),
    ],
)
async def test_what_nobody_touches_reaches_the_client(
    hass: HomeAssistant, preset: str, websocket_port: int | None, largest: int | None
) -> None:
    form = await choose(hass, preset)
    fields = proposed(form) | {"name": "Villa", "host": "broker.example"}

    settings = await tried_with(hass, form["flow_id"], fields)

    assert settings.port == 8883
    assert settings.tls is not None
    assert settings.maximum_packet == largest
    found = None if settings.websocket is None else settings.websocket.port
    assert found == websocket_port
    assert (settings.http is None) == (websocket_port is None)
    assert settings.version is None
    assert settings.session_expiry == 0


@pytest.mark.parametrize(
    ("changes", "opened"),
    [
        ({"version": "3.1.1"}, {"protocol"}),
        ({"verify": False, "websocket_port": 9001}, {"security", "websocket"}),
        ({"ca": "-"}, {"security"}),
        ({"websocket_headers": "-", "websocket_port": 9001}, {"websocket"}),
        ({"prefix": "#"}, {"protocol"}),
        ({}, set()),
    ],
)
async def test_after_an_error_those_sections_are_open_in_which_there_is_something(
    hass: HomeAssistant, changes: dict[str, Any], opened: set[str]
) -> None:
    flow = await begin(hass)
    with patch(f"{FLOW}.preflight", side_effect=ConnectError(Cause.SILENT, Step.LINK, "")):
        result = await submit(hass, flow, typed(8883, tls=True, **{"prefix": None, **changes}))

    assert {name for name in SECTIONS if is_open(result, name)} == opened


async def test_a_section_is_open_when_it_is_the_place_to_look(hass: HomeAssistant) -> None:
    flow = await begin(hass)
    error = ConnectError(Cause.TLS_UNKNOWN_ISSUER, Step.TLS, "")
    with patch(f"{FLOW}.preflight", side_effect=error):
        result = await submit(hass, flow, typed(8883, tls=True))

    assert is_open(result, "security")
    assert not is_open(result, "websocket")


async def test_aws_wants_a_client_certificate(hass: HomeAssistant) -> None:
    form = await choose(hass, "aws_iot")

    result = await submit(
        hass, form["flow_id"], proposed(form) | {"name": "Villa", "host": "broker.example"}
    )

    assert result["type"] is FlowResultType.FORM
    assert result["errors"] == {"base": "client_certificate_missing"}
    assert suggested(result)["alpn"] == "x-amzn-mqtt-ca"
    assert is_open(result, "security")


async def test_everything_that_is_typed_reaches_the_client(hass: HomeAssistant) -> None:
    flow = await begin(hass)
    fields = typed(
        8883,
        tls=True,
        transport="websocket",
        websocket_port=9001,
        websocket_path="/ws",
        websocket_headers="X-Key: one\n\nX-Other:two",
        version="3.1.1",
        session_expiry=5.0,
        client_id_base="ours",
    )

    settings = await tried_with(hass, flow, fields)

    assert settings.transport == "websocket"
    assert settings.websocket is not None
    assert settings.websocket.port == 9001
    assert settings.websocket.path == "/ws"
    assert settings.websocket.headers == {"X-Key": "one", "X-Other": "two"}
    assert settings.version is not None
    assert settings.version.name == "V311"
    assert settings.session_expiry == 300
    assert settings.client_id.startswith("ours_villa_")


def test_sections_are_only_the_forms() -> None:
    schema = broker_schema("other", new=True)
    fields = typed(1883, ca="pem", websocket_port=8884, session_expiry=5, password="secret")

    shown = nest(fields, schema)

    assert shown["security"] == {"ca": "pem"}
    assert shown["websocket"] == {"websocket_port": 8884}
    assert shown["protocol"] == {"prefix": "homesync", "session_expiry": 5}
    flat = flatten(sent({key: fields[key] for key in fields if key != "password"}), {})
    assert flat == {key: fields[key] for key in fields if key != "password"}


def test_an_empty_field_is_none() -> None:
    assert flatten({"host": "h", "username": "", "security": {"ca": "  "}}, {}) == {
        "host": "h",
        "prefix": "homesync",
    }


@pytest.mark.parametrize("preset", PRESETS)
def test_client_ids_are_unique_and_as_short_as_the_broker_wants_them(preset: str) -> None:
    names = {new_client_id({"preset": preset, **LONG}) for _ in range(50)}

    assert len(names) == 50
    if preset == "emqx_cloud":
        assert all(len(name) == 23 and name.isalnum() for name in names)
    else:
        assert all(name.startswith("homesync_a-home-id-of-some-length_") for name in names)


async def test_without_a_prefix_it_is_the_usual_one(
    hass: HomeAssistant, mosquitto: Mosquitto
) -> None:
    flow = await begin(hass)

    result = await submit(hass, flow, typed(mosquitto.port, prefix=" "))

    assert result["type"] is FlowResultType.CREATE_ENTRY
    (entry,) = hass.config_entries.async_entries(DOMAIN)
    assert entry.data["prefix"] == "homesync"
    assert await hass.config_entries.async_unload(entry.entry_id)


async def test_a_browser_that_sends_no_sections_gets_the_usual_values(
    hass: HomeAssistant, mosquitto: Mosquitto
) -> None:
    flow = await begin(hass)

    result = await submit(hass, flow, typed(mosquitto.port, prefix=None))

    assert result["type"] is FlowResultType.CREATE_ENTRY
    (entry,) = hass.config_entries.async_entries(DOMAIN)
    assert entry.data["prefix"] == "homesync"
    assert entry.data["client_id"].startswith("homesync_villa_")
    assert await hass.config_entries.async_unload(entry.entry_id)
