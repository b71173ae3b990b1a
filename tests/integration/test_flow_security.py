"""Certificates that are pasted, and secrets that never come back."""

from collections.abc import Callable
from pathlib import Path
from typing import Any
from unittest.mock import AsyncMock, patch

from homeassistant.config_entries import SOURCE_RECONFIGURE, ConfigEntryState, ConfigFlowResult
from homeassistant.core import HomeAssistant
from homeassistant.data_entry_flow import FlowResultType
import pytest
import trustme

from custom_components.homesync.client import Cause, ConnectError, Step
from custom_components.homesync.const import DOMAIN
from tests.broker import Mosquitto

from .certificates import PASSPHRASE, certificate_of, encrypted_key_of, key_of, listener, pem_of
from .conftest import SetUp
from .flows import begin, submit, suggested, typed
from .lookup import is_connected, state
from .waiting import until

FLOW = "custom_components.homesync.config_flow"
SECRETS = {
    "password": "canary-password",
    "client_key": "canary-key",
    "client_key_passphrase": "canary-passphrase",
    "websocket_headers": "X-Key: canary-header",
}
JUNK = "-----BEGIN CERTIFICATE-----\nno base64\n-----END CERTIFICATE-----"


@pytest.fixture
def me(authority: trustme.CA) -> trustme.LeafCert:
    """A client's certificate."""
    return authority.issue_cert("villa@homesync.example", common_name="villa")


def assert_created(hass: HomeAssistant, result: ConfigFlowResult) -> Any:
    assert result["type"] is FlowResultType.CREATE_ENTRY, result
    (entry,) = hass.config_entries.async_entries(DOMAIN)
    assert entry.state is ConfigEntryState.LOADED
    return entry


async def test_a_broker_of_an_own_authority_works_once_that_is_pasted(
    hass: HomeAssistant,
    start_mosquitto: Callable[..., Mosquitto],
    tmp_path: Path,
    authority: trustme.CA,
) -> None:
    broker = start_mosquitto(settings=listener(tmp_path, authority))
    flow = await begin(hass)

    result = await submit(hass, flow, typed(broker.port, tls=True))
    assert result["type"] is FlowResultType.FORM
    assert result["errors"] == {"base": "tls_unknown_issuer"}

    pasted = pem_of(authority)
    result = await submit(hass, flow, typed(broker.port, tls=True, ca=f"\n{pasted}\n"))
    entry = assert_created(hass, result)
    assert entry.data["ca"] == pasted.strip()
    await until(hass, lambda: is_connected(hass, entry))
    assert state(hass, entry, "sensor", "transport") == "secure_tcp"
    assert await hass.config_entries.async_unload(entry.entry_id)


@pytest.mark.parametrize("encrypted", [False, True])
async def test_a_broker_that_wants_a_client_certificate_gets_one(
    hass: HomeAssistant,
    *,
    start_mosquitto: Callable[..., Mosquitto],
    tmp_path: Path,
    authority: trustme.CA,
    me: trustme.LeafCert,
    encrypted: bool,
) -> None:
    broker = start_mosquitto(settings=listener(tmp_path, authority, clients=authority))
    flow = await begin(hass)
    fields = typed(broker.port, tls=True, ca=pem_of(authority))

    result = await submit(hass, flow, fields)
    assert result["type"] is FlowResultType.FORM

    fields |= {"client_certificate": certificate_of(me), "client_key": key_of(me)}
    if encrypted:
        fields |= {"client_key": encrypted_key_of(me), "client_key_passphrase": PASSPHRASE}
    entry = assert_created(hass, await submit(hass, flow, fields))
    await until(hass, lambda: is_connected(hass, entry))
    assert await hass.config_entries.async_unload(entry.entry_id)


def wrong_fields(authority: trustme.CA) -> dict[str, dict[str, str]]:
    """What cannot be used, by the field that is to blame."""
    me, another = authority.issue_cert("a.example"), authority.issue_cert("b.example")
    certificate = {"client_certificate": certificate_of(me)}
    locked = {**certificate, "client_key": encrypted_key_of(me)}
    return {
        "ca": {"ca": "no certificate"},
        "ca of junk": {"ca": JUNK},
        "client_certificate": {"client_certificate": JUNK, "client_key": key_of(me)},
        "client_key": certificate,
        "client_key of another": {**certificate, "client_key": key_of(another)},
        "client_key of junk": {**certificate, "client_key": "no key"},
        "client_key_passphrase": locked,
        "client_key_passphrase of another": {**locked, "client_key_passphrase": "wrong"},
        "websocket_headers": {"websocket_port": "9001", "websocket_headers": "no colon"},
        "websocket_headers unnamed": {"websocket_port": "9001", "websocket_headers": ": x"},
        "websocket_headers spaced": {"websocket_port": "9001", "websocket_headers": "a b: x"},
    }


@pytest.mark.parametrize("case", wrong_fields(trustme.CA()))
async def test_what_cannot_be_used_is_refused_before_the_broker_is_tried(
    hass: HomeAssistant, authority: trustme.CA, case: str
) -> None:
    fields: dict[str, Any] = wrong_fields(authority)[case]
    if "websocket_port" in fields:
        fields["websocket_port"] = int(fields["websocket_port"])
    flow = await begin(hass)

    with patch(f"{FLOW}.preflight", AsyncMock()) as preflight:
        result = await submit(hass, flow, typed(8883, tls=True, **fields))

    preflight.assert_not_awaited()
    assert result["type"] is FlowResultType.FORM
    assert result["errors"] == {"base": f"invalid_{case.partition(' ')[0]}"}


async def test_no_secret_that_was_typed_comes_back(hass: HomeAssistant) -> None:
    flow = await begin(hass)
    fields = typed(8883, username="me", websocket_port=1, client_certificate="pem", **SECRETS)
    failure = ConnectError(Cause.SILENT, Step.LINK, "")

    with patch(f"{FLOW}.preflight", AsyncMock(side_effect=failure)):
        result = await submit(hass, flow, fields)

    assert result["type"] is FlowResultType.FORM
    assert suggested(result)["username"] == "me"
    assert not SECRETS.keys() & suggested(result).keys()
    assert "canary" not in repr(result)


async def open_reconfigure(hass: HomeAssistant, entry_id: str) -> ConfigFlowResult:
    return await hass.config_entries.flow.async_init(
        DOMAIN, context={"source": SOURCE_RECONFIGURE, "entry_id": entry_id}
    )


async def test_known_secrets_are_not_shown_and_stay_when_none_is_typed(
    hass: HomeAssistant, mosquitto: Mosquitto, set_up: SetUp
) -> None:
    known = {"username": "me", "websocket_port": 1, "client_certificate": "pem", **SECRETS}
    entry = await set_up(mosquitto.port, **known)

    form = await open_reconfigure(hass, entry.entry_id)
    assert "canary" not in repr(form)
    assert suggested(form)["client_certificate"] == "pem"
    fields = {key: known[key] for key in known if key not in SECRETS}
    result = await submit(
        hass, form["flow_id"], typed(mosquitto.port, name=None, session_expiry=1, **fields)
    )
    await hass.async_block_till_done()

    assert result["reason"] == "reconfigure_successful"
    assert entry.data["session_expiry"] == 1
    assert {key: entry.data[key] for key in SECRETS} == SECRETS


async def test_secrets_go_with_what_they_belong_to(
    hass: HomeAssistant, mosquitto: Mosquitto, set_up: SetUp
) -> None:
    known = {"username": "me", "websocket_port": 1, "client_certificate": "pem", **SECRETS}
    entry = await set_up(mosquitto.port, **known)

    form = await open_reconfigure(hass, entry.entry_id)
    await submit(hass, form["flow_id"], typed(mosquitto.port, name=None))
    await hass.async_block_till_done()

    assert not (SECRETS.keys() | known.keys()) & entry.data.keys()


async def test_a_household_whose_settings_cannot_be_used_says_so_and_loads_once_they_can(
    hass: HomeAssistant, mosquitto: Mosquitto, set_up: SetUp
) -> None:
    entry = await set_up(mosquitto.port)
    assert await hass.config_entries.async_unload(entry.entry_id)
    hass.config_entries.async_update_entry(entry, data={**entry.data, "tls": True, "ca": JUNK})

    assert not await hass.config_entries.async_setup(entry.entry_id)
    assert entry.state is ConfigEntryState.SETUP_ERROR
    assert entry.error_reason_translation_key == "invalid_setting"
    placeholders = entry.error_reason_translation_placeholders
    assert placeholders == {"field": "ca", "detail": "no certificate in PEM form"}

    form = await open_reconfigure(hass, entry.entry_id)
    result = await submit(hass, form["flow_id"], typed(mosquitto.port, name=None))
    assert result["reason"] == "reconfigure_successful"
    await until(hass, lambda: is_connected(hass, entry))
