"""Why a household cannot be set up, and how it is in the end."""

from collections.abc import Callable
import logging
import socket
from typing import Any
from unittest.mock import patch

from homeassistant.config_entries import SOURCE_RECONFIGURE, ConfigFlowResult
from homeassistant.core import HomeAssistant
from homeassistant.data_entry_flow import FlowResultType
import pytest

from custom_components.homesync.client import Cause, ConnectError, Step
from custom_components.homesync.const import DOMAIN
from tests.broker import Mosquitto, free_port

from .conftest import SetUp, StartScripted, quick
from .flows import UNTOUCHED, begin, submit, suggested, typed
from .scripted import refusal

FLOW = "custom_components.homesync.config_flow"
SECRET = "the-password-nobody-sees"

ON_FIELD = {
    Cause.CANNOT_RESOLVE: "host",
    Cause.UNREACHABLE: "host",
    Cause.TLS_WRONG_HOST: "host",
    Cause.REFUSED: "port",
    Cause.CREDENTIALS: "password",
}


async def recover(hass: HomeAssistant, flow_id: str, port: int, **changes: Any) -> None:
    """Prove that the same dialog still leads to a household."""
    result = await submit(hass, flow_id, typed(port, **changes))
    assert result["type"] is FlowResultType.CREATE_ENTRY
    (entry,) = hass.config_entries.async_entries(DOMAIN)
    assert await hass.config_entries.async_unload(entry.entry_id)


def assert_back_at_form(result: ConfigFlowResult, errors: dict[str, str]) -> None:
    assert result["type"] is FlowResultType.FORM
    assert result["step_id"] == "broker"
    assert result["errors"] == errors


@pytest.mark.parametrize("cause", list(Cause))
async def test_every_cause_is_shown_and_the_form_keeps_what_was_typed_but_the_password(
    hass: HomeAssistant, mosquitto: Mosquitto, cause: Cause
) -> None:
    flow = await begin(hass)
    fields = typed(mosquitto.port, home_id="villa", username="me", password=SECRET)
    failure = ConnectError(cause, Step.TCP, "words of the client")

    with patch(f"{FLOW}.preflight", side_effect=failure):
        result = await submit(hass, flow, fields)

    assert_back_at_form(result, {ON_FIELD.get(cause, "base"): cause.value})
    placeholders = result["description_placeholders"]
    assert placeholders is not None
    assert placeholders["detail"] == "words of the client"
    typed_again = {key: fields[key] for key in fields if key != "password"}
    assert suggested(result) == typed_again | UNTOUCHED
    assert SECRET not in str(result)
    await recover(hass, flow, mosquitto.port)


async def test_an_unexpected_failure_is_logged_and_told(
    hass: HomeAssistant, mosquitto: Mosquitto, caplog: pytest.LogCaptureFixture
) -> None:
    flow = await begin(hass)

    with patch(f"{FLOW}.preflight", side_effect=ZeroDivisionError):
        result = await submit(hass, flow, typed(mosquitto.port))

    assert_back_at_form(result, {"base": "unknown"})
    (record,) = [each for each in caplog.records if each.name == FLOW]
    assert record.levelno == logging.ERROR
    assert record.exc_info is not None
    caplog.clear()
    await recover(hass, flow, mosquitto.port)


async def test_a_port_on_which_nothing_listens(hass: HomeAssistant, mosquitto: Mosquitto) -> None:
    flow = await begin(hass)

    result = await submit(hass, flow, typed(free_port()))

    assert_back_at_form(result, {"port": "refused"})
    await recover(hass, flow, mosquitto.port)


async def test_a_host_name_that_does_not_exist(hass: HomeAssistant, mosquitto: Mosquitto) -> None:
    flow = await begin(hass)

    with patch.object(hass.loop, "getaddrinfo", side_effect=socket.gaierror):
        result = await submit(hass, flow, typed(mosquitto.port, host="no.such.host.invalid"))

    assert_back_at_form(result, {"host": "cannot_resolve"})
    await recover(hass, flow, mosquitto.port)


async def test_a_wrong_password_then_an_empty_one_which_keeps_the_last_typed(
    hass: HomeAssistant, start_mosquitto: Callable[..., Mosquitto]
) -> None:
    broker = start_mosquitto(users={"me": "right"})
    flow = await begin(hass)

    # mosquitto refuses unknown users with code 5, which does not tell name from password.
    result = await submit(hass, flow, typed(broker.port, username="me", password="wrong"))
    assert_back_at_form(result, {"base": "not_authorised"})

    with patch(f"{FLOW}.preflight", side_effect=ConnectError(Cause.SILENT, Step.LINK, "")):
        await submit(hass, flow, typed(broker.port, username="me", password="right"))
    result = await submit(hass, flow, typed(broker.port, username="me"))

    assert result["type"] is FlowResultType.CREATE_ENTRY
    (entry,) = hass.config_entries.async_entries(DOMAIN)
    assert entry.data["username"] == "me"
    assert entry.data["password"] == "right"
    assert await hass.config_entries.async_unload(entry.entry_id)


async def test_a_user_who_is_taken_away_takes_the_password_along(
    hass: HomeAssistant, mosquitto: Mosquitto
) -> None:
    flow = await begin(hass)
    fields = typed(mosquitto.port, username="me", password=SECRET)
    with patch(f"{FLOW}.preflight", side_effect=ConnectError(Cause.SILENT, Step.LINK, "")):
        await submit(hass, flow, fields)

    result = await submit(hass, flow, typed(mosquitto.port))

    assert result["type"] is FlowResultType.CREATE_ENTRY
    (entry,) = hass.config_entries.async_entries(DOMAIN)
    assert "username" not in entry.data
    assert "password" not in entry.data
    assert await hass.config_entries.async_unload(entry.entry_id)


async def test_a_password_without_a_user_is_not_kept(
    hass: HomeAssistant, mosquitto: Mosquitto
) -> None:
    flow = await begin(hass)

    result = await submit(hass, flow, typed(mosquitto.port, username=" ", password=SECRET))

    assert result["type"] is FlowResultType.CREATE_ENTRY
    (entry,) = hass.config_entries.async_entries(DOMAIN)
    assert "password" not in entry.data
    assert await hass.config_entries.async_unload(entry.entry_id)


async def test_spaces_belong_to_a_password_but_to_nothing_else(hass: HomeAssistant) -> None:
    flow = await begin(hass)
    fields = typed(
        1883, host=" host ", username=" me ", password=" with spaces ", home_id=" a ", prefix=" p "
    )

    with patch(f"{FLOW}.preflight", side_effect=ConnectError(Cause.SILENT, Step.LINK, "")) as tried:
        result = await submit(hass, flow, fields)

    settings = tried.call_args.args[0]
    assert settings.username == "me"
    assert settings.password == " with spaces "
    assert suggested(result) == {
        "name": "Villa",
        "home_id": "a",
        "host": "host",
        "port": 1883,
        "tls": False,
        "username": "me",
        "prefix": "p",
        **UNTOUCHED,
    }


@pytest.mark.parametrize(
    ("script", "errors", "detail"),
    [
        ({"connack": refusal(1)}, {"base": "protocol_version"}, "this version of MQTT"),
        ({"connack": refusal(2)}, {"base": "client_id"}, "client id"),
        ({"connack": refusal(3)}, {"base": "server_unavailable"}, "unavailable"),
        ({"connack": refusal(4)}, {"password": "credentials"}, "refuses"),
        ({"connack": refusal(5)}, {"base": "not_authorised"}, "authorise"),
        ({"connack": b"HTTP/1.1 400 Bad Request\r\n" * 9}, {"base": "protocol_error"}, ""),
        ({"connack": None}, {"base": "timed_out"}, "did not answer the CONNECT"),
        ({"connack": None, "hang_up": True}, {"base": "closed"}, "closed"),
        ({"codes": (0, 1, 0x80)}, {"base": "subscription_refused"}, "villa/nodes/+/response/+"),
        ({"codes": (0, 1)}, {"base": "protocol_error"}, "SUBACK"),
        ({}, {"base": "timed_out"}, "did not answer the SUBSCRIBE"),
        ({"hang_up": True}, {"base": "closed"}, "closed"),
    ],
)
async def test_a_broker_that_goes_only_half_the_way(
    hass: HomeAssistant,
    *,
    mosquitto: Mosquitto,
    start_scripted: StartScripted,
    script: dict[str, Any],
    errors: dict[str, str],
    detail: str,
) -> None:
    broker = await start_scripted(**script)
    flow = await begin(hass)

    # Long enough to get as far as the script leads.
    deadline = 1.5 if errors == {"base": "timed_out"} else 60
    with patch("custom_components.homesync.broker.Timing", quick(deadline=deadline, goodbye=0.1)):
        result = await submit(hass, flow, typed(broker.port))

    assert_back_at_form(result, errors)
    placeholders = result["description_placeholders"]
    assert placeholders is not None
    assert detail in placeholders["detail"]
    assert "HTTP" not in placeholders["detail"]
    await recover(hass, flow, mosquitto.port)


async def test_tls_to_a_port_without_tls(hass: HomeAssistant, mosquitto: Mosquitto) -> None:
    flow = await begin(hass)

    result = await submit(hass, flow, typed(mosquitto.port, tls=True))

    assert_back_at_form(result, {"base": "tls"})
    await recover(hass, flow, mosquitto.port)


async def test_an_error_on_a_field_that_a_form_lacks_is_shown_above_it(
    hass: HomeAssistant, mosquitto: Mosquitto, set_up: SetUp
) -> None:
    entry = await set_up(mosquitto.port, "villa")
    await set_up(1, "cabin")
    hass.config_entries.async_update_entry(entry, unique_id="elsewhere")
    flow = await hass.config_entries.flow.async_init(
        DOMAIN, context={"source": SOURCE_RECONFIGURE, "entry_id": "entry_cabin"}
    )
    hass.config_entries.async_update_entry(entry, unique_id=f"cabin@127.0.0.1:{mosquitto.port}")

    fields = typed(mosquitto.port, name=None)
    result = await submit(hass, flow["flow_id"], fields)

    assert result["type"] is FlowResultType.FORM
    assert result["errors"] == {"base": "home_id_taken"}
