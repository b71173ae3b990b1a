"""New credentials, when the broker refuses those that a household has."""

from collections.abc import Callable
from unittest.mock import patch

from homeassistant.config_entries import SOURCE_REAUTH, ConfigEntryState, ConfigFlowResult
from homeassistant.core import HomeAssistant
from homeassistant.data_entry_flow import FlowResultType
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry

from custom_components.homesync.client import ConnectError
from custom_components.homesync.const import DOMAIN
from tests.broker import Mosquitto

from .conftest import SetUp, StartScripted, quick
from .flows import submit, suggested
from .lookup import attribute, connection_state, coordinator, is_connected
from .scripted import refusal
from .waiting import until

TIMING = "custom_components.homesync.broker.Timing"


def change_users(broker: Mosquitto, users: dict[str, str]) -> None:
    broker.stop()
    broker._users = users
    broker.start()


def reauth_flows(hass: HomeAssistant) -> list[ConfigFlowResult]:
    return [
        flow
        for flow in hass.config_entries.flow.async_progress_by_handler(DOMAIN)
        if flow["context"]["source"] == SOURCE_REAUTH
    ]


async def open_form(hass: HomeAssistant, entry: MockConfigEntry) -> str:
    """Wait for the question for credentials; return its flow's id."""
    await until(hass, lambda: reauth_flows(hass))
    (flow,) = reauth_flows(hass)
    assert flow["context"]["entry_id"] == entry.entry_id
    result = await hass.config_entries.flow.async_configure(flow["flow_id"])
    assert result["type"] is FlowResultType.FORM
    assert result["step_id"] == "reauth_confirm"
    username = entry.data.get("username")
    assert suggested(result) == ({} if username is None else {"username": username})
    placeholders = result["description_placeholders"]
    assert placeholders is not None
    assert placeholders["name"] == entry.title
    assert placeholders["host"] == "127.0.0.1"
    return flow["flow_id"]


async def test_f18_a_wrong_password_asks_once_and_the_right_one_connects_without_restart(
    hass: HomeAssistant, start_mosquitto: Callable[..., Mosquitto], set_up: SetUp
) -> None:
    broker = start_mosquitto(users={"me": "right"})
    entry = await set_up(broker.port, username="me", password="wrong")
    flow = await open_form(hass, entry)
    assert entry.state is ConfigEntryState.LOADED
    assert connection_state(hass, entry) == "error"
    cause = attribute(hass, entry, "sensor", "connection_state", name="cause")
    assert cause == "not_authorised"

    result = await submit(hass, flow, {"username": "me", "password": "wrong again"})
    assert result["type"] is FlowResultType.FORM
    assert result["errors"] == {"base": "not_authorised"}

    result = await submit(hass, flow, {"username": "me", "password": "right"})
    assert result["type"] is FlowResultType.ABORT
    assert result["reason"] == "reauth_successful"
    assert entry.data["password"] == "right"
    assert entry.unique_id == f"villa@127.0.0.1:{broker.port}"
    await until(hass, lambda: is_connected(hass, entry))
    assert reauth_flows(hass) == []


async def test_a_household_without_credentials_is_asked_for_some(
    hass: HomeAssistant, start_mosquitto: Callable[..., Mosquitto], set_up: SetUp
) -> None:
    broker = start_mosquitto(users={"me": "right"})
    entry = await set_up(broker.port)

    flow = await open_form(hass, entry)
    await submit(hass, flow, {"username": "me", "password": "right"})

    await until(hass, lambda: is_connected(hass, entry))
    assert entry.data["username"] == "me"


async def test_wrong_credentials_are_not_tried_again_and_again(
    hass: HomeAssistant, start_mosquitto: Callable[..., Mosquitto], set_up: SetUp
) -> None:
    broker = start_mosquitto(users={"me": "right"})
    entry = await set_up(broker.port, username="me", password="wrong")
    policy = coordinator(entry).household._session._policy
    waits: list[float] = []
    failed = policy.failed

    def take_down(error: ConnectError) -> float:
        waits.append(failed(error))
        return waits[-1]

    with patch.object(policy, "failed", take_down):
        await open_form(hass, entry)

    assert waits == [900]


@pytest.mark.parametrize("code", [4, 5])
async def test_f18_however_often_the_broker_refuses_there_is_one_question(
    hass: HomeAssistant, start_scripted: StartScripted, set_up: SetUp, code: int
) -> None:
    broker = await start_scripted(connack=refusal(code))
    with patch(TIMING, quick(slow_gap=0.01)):
        entry = await set_up(broker.port, username="me", password="wrong")
    await until(hass, lambda: broker.connections >= 5 and reauth_flows(hass))

    assert len(reauth_flows(hass)) == 1
    assert entry.state is ConfigEntryState.LOADED


@pytest.mark.parametrize("code", [1, 2])
async def test_a_refusal_that_no_password_can_heal_asks_for_none(
    hass: HomeAssistant, start_scripted: StartScripted, set_up: SetUp, code: int
) -> None:
    broker = await start_scripted(connack=refusal(code))
    entry = await set_up(broker.port)

    await until(hass, lambda: connection_state(hass, entry) == "error")

    assert reauth_flows(hass) == []


async def test_the_known_password_is_tried_again_when_none_is_typed(
    hass: HomeAssistant, start_mosquitto: Callable[..., Mosquitto], set_up: SetUp
) -> None:
    broker = start_mosquitto(users={"me": "other"})
    entry = await set_up(broker.port, username="me", password="right")
    flow = await open_form(hass, entry)
    before = coordinator(entry)

    change_users(broker, {"me": "right"})
    result = await submit(hass, flow, {"username": "me"})

    assert result["reason"] == "reauth_successful"
    assert entry.data["password"] == "right"
    await until(hass, lambda: is_connected(hass, entry))
    assert coordinator(entry) is not before


async def test_the_question_goes_away_when_the_broker_comes_round_by_itself(
    hass: HomeAssistant, start_mosquitto: Callable[..., Mosquitto], set_up: SetUp
) -> None:
    broker = start_mosquitto(users={"me": "other"})
    with patch(TIMING, quick(slow_gap=0.02)):
        entry = await set_up(broker.port, username="me", password="right")
    await open_form(hass, entry)

    change_users(broker, {"me": "right"})
    await until(hass, lambda: is_connected(hass, entry))

    assert reauth_flows(hass) == []


async def test_a_password_that_is_revoked_while_connected_asks_at_the_next_connect(
    hass: HomeAssistant, start_mosquitto: Callable[..., Mosquitto], set_up: SetUp
) -> None:
    broker = start_mosquitto(users={"me": "right"})
    entry = await set_up(broker.port, username="me", password="right")
    await until(hass, lambda: is_connected(hass, entry))

    change_users(broker, {"me": "another"})

    flow = await open_form(hass, entry)
    await submit(hass, flow, {"username": "me", "password": "another"})
    await until(hass, lambda: is_connected(hass, entry))


async def test_a_user_name_that_is_taken_away_takes_its_password_along(
    hass: HomeAssistant, start_mosquitto: Callable[..., Mosquitto], set_up: SetUp
) -> None:
    broker = start_mosquitto(users={"me": "right"})
    entry = await set_up(broker.port, username="me", password="wrong")
    flow = await open_form(hass, entry)

    result = await submit(hass, flow, {"password": "still here"})

    assert result["errors"] == {"base": "not_authorised"}
    assert suggested(result) == {}
    assert entry.data["password"] == "wrong"
