"""What is shown under repairs, and what a click mends."""

from datetime import UTC, datetime
import time
from typing import Any
from unittest.mock import PropertyMock, patch

from homeassistant.components.repairs import ConfirmRepairFlow
from homeassistant.core import HomeAssistant
from homeassistant.data_entry_flow import FlowResultType
from homeassistant.helpers import issue_registry as ir
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry
import trustme

from custom_components.homesync.client import (
    Cause,
    ConnectError,
    ConnectionState,
    Link,
    MqttVersion,
    Step,
)
from custom_components.homesync.const import DOMAIN
from custom_components.homesync.repairs import async_create_fix_flow
from tests.broker import Mosquitto

from .certificates import certificate_of, key_of, pem_of
from .conftest import SetUp
from .lookup import coordinator, is_connected, state
from .waiting import until

DAY = 86_400


def issue(hass: HomeAssistant, entry: MockConfigEntry, kind: str) -> ir.IssueEntry | None:
    return ir.async_get(hass).async_get_issue(DOMAIN, f"{kind}_{entry.entry_id}")


def look_again(entry: MockConfigEntry) -> None:
    """Let the household's issues be looked at as they are after each change of state."""
    coordinator(entry)._on_state(coordinator(entry).household.link.state)


async def connected(hass: HomeAssistant, mosquitto: Mosquitto, set_up: SetUp) -> MockConfigEntry:
    entry = await set_up(mosquitto.port)
    await until(hass, lambda: is_connected(hass, entry))
    return entry


@pytest.mark.parametrize(
    ("kind", "cause"),
    [
        ("certificate_ended", Cause.TLS_EXPIRED),
        ("clock", Cause.TLS_NOT_YET_VALID),
        ("plan_limit", Cause.QUOTA),
        ("banned", Cause.BANNED),
        ("other_server", Cause.OTHER_SERVER),
        ("subscription_refused", Cause.SUBSCRIPTION_REFUSED),
    ],
)
async def test_what_keeps_a_household_from_connecting_is_shown_while_it_lasts(
    hass: HomeAssistant, mosquitto: Mosquitto, set_up: SetUp, kind: str, cause: Cause
) -> None:
    entry = await connected(hass, mosquitto, set_up)
    assert issue(hass, entry, kind) is None

    error = ConnectError(cause, Step.CONNACK, "because", "other.example:1884")
    with patch.object(Link, "error", PropertyMock(return_value=error)):
        look_again(entry)
    shown = issue(hass, entry, kind)
    assert shown is not None
    assert shown.translation_key == kind
    assert shown.translation_placeholders is not None
    assert shown.translation_placeholders["household"] == "Villa"

    look_again(entry)
    assert issue(hass, entry, kind) is None


async def test_a_certificate_that_ends_soon_is_told_with_its_days(
    hass: HomeAssistant, mosquitto: Mosquitto, set_up: SetUp
) -> None:
    entry = await connected(hass, mosquitto, set_up)

    def ends(days: float) -> Any:
        moment = PropertyMock(return_value=time.time() + days * DAY)
        return patch.object(Link, "certificate_expires", moment)

    with ends(15):
        look_again(entry)
    assert issue(hass, entry, "certificate_ends") is None
    with ends(3.5):
        look_again(entry)
    shown = issue(hass, entry, "certificate_ends")
    assert shown is not None
    assert shown.translation_placeholders == {"household": "Villa", "days": "3"}


async def test_verification_that_is_off_and_an_old_client_certificate_are_told(
    hass: HomeAssistant, mosquitto: Mosquitto, set_up: SetUp, authority: trustme.CA
) -> None:
    own = authority.issue_cert("client")
    entry = await set_up(
        mosquitto.port,
        tls=True,
        verify=False,
        ca=pem_of(authority),
        client_certificate=certificate_of(own),
        client_key=key_of(own),
    )
    await until(hass, lambda: issue(hass, entry, "insecure_tls"))
    assert issue(hass, entry, "client_certificate_ends") is None

    with patch("custom_components.homesync.issues.time.time", return_value=4e10):
        look_again(entry)
    shown = issue(hass, entry, "client_certificate_ends")
    assert shown is not None
    assert shown.translation_placeholders == {"household": "Villa", "days": "0"}


@pytest.mark.usefixtures("all_enabled")
async def test_the_end_of_a_client_certificate_is_a_sensor_where_there_is_one(
    hass: HomeAssistant, mosquitto: Mosquitto, set_up: SetUp, authority: trustme.CA
) -> None:
    ends = datetime(2039, 1, 2, 3, 4, 5, tzinfo=UTC)
    own = authority.issue_cert("client", not_after=ends)
    certificate = {"client_certificate": certificate_of(own), "client_key": key_of(own)}
    with_one = await set_up(mosquitto.port, tls=True, **certificate)
    unused = await set_up(mosquitto.port, "cabin", title="Cabin", **certificate)

    # Known without a connection: this broker speaks no TLS.
    assert state(hass, with_one, "sensor", "client_certificate_expires") == ends.isoformat()
    assert state(hass, unused, "sensor", "client_certificate_expires") is None


async def test_a_rival_is_shaken_off_with_a_new_client_id(
    hass: HomeAssistant, mosquitto: Mosquitto, set_up: SetUp
) -> None:
    entry = await connected(hass, mosquitto, set_up)
    old_id = entry.data["client_id"]
    with patch.object(Link, "rival", PropertyMock(return_value=True)):
        look_again(entry)
    shown = issue(hass, entry, "rival")
    assert shown is not None
    assert shown.is_fixable

    await mend(hass, shown)

    assert entry.data["client_id"] != old_id
    assert entry.data["client_id"].startswith("homesync_villa_")
    await until(hass, lambda: issue(hass, entry, "rival") is None and is_connected(hass, entry))
    assert f"as {entry.data['client_id']} " in mosquitto.log


@pytest.mark.parametrize(("version", "offered"), [("auto", True), ("5", True), ("3.1.1", False)])
async def test_a_broker_that_objects_to_mqtt_5_is_offered_311(
    hass: HomeAssistant, mosquitto: Mosquitto, set_up: SetUp, *, version: str, offered: bool
) -> None:
    entry = await set_up(mosquitto.port, version=version)
    await until(hass, lambda: is_connected(hass, entry))
    error = ConnectError(Cause.PROTOCOL_ERROR, Step.LINK, "the broker objects", code=0x82)
    with patch.object(Link, "error", PropertyMock(return_value=error)):
        look_again(entry)
        assert issue(hass, entry, "older_mqtt") is None
        with patch.object(Link, "state", PropertyMock(return_value=ConnectionState.ERROR)):
            look_again(entry)
    shown = issue(hass, entry, "older_mqtt")
    assert (shown is not None) is offered
    if shown is None:
        return
    assert shown.translation_placeholders == {"household": "Villa", "reason": "the broker objects"}

    await mend(hass, shown)

    assert entry.data["version"] == "3.1.1"

    def speaks() -> MqttVersion | None:
        terms = coordinator(entry).household.link.terms
        return None if terms is None else terms.version

    await until(hass, lambda: is_connected(hass, entry) and speaks() is MqttVersion.V311)
    assert issue(hass, entry, "older_mqtt") is None


@pytest.mark.parametrize(
    ("server", "host", "port"),
    [
        ("other.example:1884", "other.example", 1884),
        ("other.example", "other.example", None),
        ("first.example:1 second.example:2", "first.example", 1),
        ("::1", "::1", None),
        ("[::1]:1885", "::1", 1885),
        ("other.example:port", "127.0.0.1", None),
    ],
)
async def test_another_server_is_followed_only_when_the_user_agrees(
    hass: HomeAssistant,
    mosquitto: Mosquitto,
    set_up: SetUp,
    *,
    server: str,
    host: str,
    port: int | None,
) -> None:
    entry = await connected(hass, mosquitto, set_up)
    error = ConnectError(Cause.OTHER_SERVER, Step.CONNACK, "moved", server)
    with patch.object(Link, "error", PropertyMock(return_value=error)):
        look_again(entry)
    shown = issue(hass, entry, "other_server")
    assert shown is not None
    assert entry.data["host"] == "127.0.0.1"

    with patch.object(hass.config_entries, "async_schedule_reload"):
        await mend(hass, shown)

    assert entry.data["host"] == host
    assert entry.data["port"] == (port or mosquitto.port)


async def test_another_server_without_a_name_is_told_and_not_followed(
    hass: HomeAssistant, mosquitto: Mosquitto, set_up: SetUp
) -> None:
    entry = await connected(hass, mosquitto, set_up)
    error = ConnectError(Cause.OTHER_SERVER, Step.CONNACK, "moved", None)
    with patch.object(Link, "error", PropertyMock(return_value=error)):
        look_again(entry)
    shown = issue(hass, entry, "moved")
    assert shown is not None
    assert not shown.is_fixable
    assert issue(hass, entry, "other_server") is None


async def test_an_issue_of_a_household_that_is_gone_is_just_confirmed(hass: HomeAssistant) -> None:
    for data in (None, {"entry_id": "gone", "kind": "rival"}):
        flow = await begin_repair(hass, "rival_gone", data)
        result = await flow.async_step_init({})
        assert result["type"] is FlowResultType.FORM


async def begin_repair(
    hass: HomeAssistant, issue_id: str, data: dict[str, Any] | None
) -> ConfirmRepairFlow:
    flow = await async_create_fix_flow(hass, issue_id, data)
    assert isinstance(flow, ConfirmRepairFlow)
    flow.hass, flow.handler, flow.issue_id = hass, DOMAIN, issue_id
    return flow


async def mend(hass: HomeAssistant, shown: ir.IssueEntry) -> None:
    """Go through a repair as the user does."""
    flow = await begin_repair(hass, shown.issue_id, dict(shown.data or {}))
    result = await flow.async_step_init({})
    assert result["type"] is FlowResultType.FORM
    assert result["step_id"] == "confirm"
    result = await flow.async_step_confirm({})
    assert result["type"] is FlowResultType.CREATE_ENTRY
