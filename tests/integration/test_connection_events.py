"""How a connection changes: on Home Assistant's bus once each, and in the logbook in words."""

from collections.abc import Callable
from datetime import timedelta
import logging
from pathlib import Path
import re
from typing import Any

from homeassistant.components.recorder.core import Recorder
from homeassistant.core import Event, HomeAssistant, callback
from homeassistant.setup import async_setup_component
from homeassistant.util import dt as dt_util
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry, async_fire_time_changed
from pytest_homeassistant_custom_component.components.recorder.common import (
    async_wait_recording_done,
)
from pytest_homeassistant_custom_component.typing import WebSocketGenerator
import yaml

from custom_components.homesync.client import Cause, ConnectError, ConnectionState, Step
from custom_components.homesync.connection_events import ConnectionEvents
from custom_components.homesync.const import EVENT_CONNECTION
from tests.broker import Mosquitto, free_port

from .conftest import SetUp
from .lookup import coordinator, device_id, is_connected
from .waiting import reached, until

# The recorder's thread logs every statement, also between tests.
logging.getLogger("sqlalchemy.engine").setLevel(logging.WARNING)

S = ConnectionState
PAGE = (Path(__file__).parents[2] / "docs" / "troubleshooting.md").read_text()


@pytest.fixture(autouse=True)
def _custom_integrations(recorder_mock: Recorder, enable_custom_integrations: None) -> None:
    """The logbook looks into the recorder, which must be there before Home Assistant."""


@pytest.fixture
def told(hass: HomeAssistant) -> list[dict[str, Any]]:
    """What is told of connections, as it comes."""
    events: list[dict[str, Any]] = []

    @callback
    def hear(event: Event[dict[str, Any]]) -> None:
        events.append(dict(event.data))

    hass.bus.async_listen(EVENT_CONNECTION, hear)
    return events


def states(told: list[dict[str, Any]]) -> list[str]:
    return [each["state"] for each in told]


async def test_a_connection_that_comes_goes_and_comes_back_is_told_once_each(
    hass: HomeAssistant, mosquitto: Mosquitto, set_up: SetUp, told: list[dict[str, Any]]
) -> None:
    entry = await set_up(mosquitto.port)
    await until(hass, lambda: is_connected(hass, entry))
    mosquitto.kill()
    attempts = coordinator(entry).household.statistics
    await until(hass, lambda: attempts.snapshot().connection.failed >= 5)
    mosquitto.start()
    await until(hass, lambda: is_connected(hass, entry))
    await hass.config_entries.async_unload(entry.entry_id)

    common = {
        "entry_id": entry.entry_id,
        "device_id": device_id(hass, entry),
        "household": "Villa",
        "home_id": "villa",
        "transport": "tcp",
    }
    quiet = {**common, "cause": None, "reason": None}
    lost = told[1]
    assert lost["reason"]
    assert told == [
        {**quiet, "state": "connected", "previous": "stopped"},
        {
            **common,
            "state": "disconnected",
            "previous": "connected",
            "cause": "closed",
            "reason": lost["reason"],
        },
        {**quiet, "state": "connected", "previous": "disconnected"},
        {**quiet, "state": "stopped", "previous": "connected"},
    ]


async def test_a_broker_that_is_not_there_at_the_start_is_told_when_hope_is_given_up(
    hass: HomeAssistant, set_up: SetUp, told: list[dict[str, Any]]
) -> None:
    entry = await set_up(free_port())
    attempts = coordinator(entry).household.statistics
    await until(hass, lambda: attempts.snapshot().connection.failed >= 6)

    (event,) = told
    assert (event["state"], event["previous"]) == ("disconnected", "stopped")
    assert (event["cause"], event["transport"]) == ("refused", None)


async def test_credentials_that_are_refused_are_told_once_however_often_they_are_tried(
    hass: HomeAssistant,
    start_mosquitto: Callable[..., Mosquitto],
    set_up: SetUp,
    told: list[dict[str, Any]],
) -> None:
    broker = start_mosquitto(users={"me": "another"})
    entry = await set_up(broker.port, username="me", password="wrong")
    await until(hass, lambda: told)
    household = coordinator(entry).household
    failed = household.statistics.snapshot().connection.failed
    household.reconnect()
    await until(hass, lambda: household.statistics.snapshot().connection.failed > failed)
    await until(hass, lambda: household.link.state is ConnectionState.ERROR)

    (event,) = told
    assert (event["state"], event["cause"]) == ("error", "not_authorised")


class Link:
    """Stands for a household whose connection does what a test wants."""

    terms = None
    error: ConnectError | None = None


@pytest.mark.parametrize(
    ("course", "expected"),
    [
        ([(S.CONNECTING, None), (S.CONNECTED, None), (S.CONNECTED, None)], ["connected"]),
        (
            [(S.DISCONNECTED, Cause.REFUSED), (S.CONNECTING, None)] * 2 + [(S.CONNECTED, None)],
            ["connected"],
        ),
        (
            [(S.DISCONNECTED, Cause.REFUSED), (S.CONNECTING, None)] * 9,
            ["disconnected"],
        ),
        (
            [
                (S.ERROR, Cause.CREDENTIALS),
                (S.CONNECTING, None),
                (S.DISCONNECTED, Cause.UNREACHABLE),
                (S.CONNECTING, None),
                (S.ERROR, Cause.CREDENTIALS),
                (S.CONNECTING, None),
                (S.ERROR, Cause.BANNED),
                (S.CONNECTING, None),
                (S.CONNECTED, None),
                (S.ERROR, Cause.CREDENTIALS),
            ],
            ["error", "error", "connected", "error"],
        ),
        (
            [
                (S.CONNECTED, None),
                (S.DISCONNECTED, Cause.CLOSED),
                (S.CONNECTING, None),
                (S.ERROR, Cause.TLS_EXPIRED),
                (S.STOPPING, None),
                (S.STOPPED, None),
            ],
            ["connected", "disconnected", "error", "stopped"],
        ),
        ([(S.CONNECTING, None), (S.STOPPING, None), (S.STOPPED, None)], []),
    ],
)
async def test_only_what_is_news_is_told(
    hass: HomeAssistant,
    told: list[dict[str, Any]],
    course: list[tuple[ConnectionState, Cause | None]],
    expected: list[str],
) -> None:
    link = Link()
    entry = MockConfigEntry(title="Villa", data={"home_id": "villa"})
    events = ConnectionEvents(hass, entry, link, "device")  # type: ignore[arg-type]  # stands for it

    for state, cause in course:
        if cause is not None:
            link.error = ConnectError(cause, Step.LINK, "because")
        elif state is S.CONNECTED:
            link.error = None
        events.on_state(state)
    await hass.async_block_till_done()

    assert states(told) == expected
    assert [each["previous"] for each in told] == ["stopped", *expected][: len(expected)]
    assert all((each["reason"] is None) == (each["cause"] is None) for each in told)


async def test_the_logbook_tells_connections_in_words_also_on_the_devices_page(
    hass: HomeAssistant, mosquitto: Mosquitto, set_up: SetUp, hass_ws_client: WebSocketGenerator
) -> None:
    assert await async_setup_component(hass, "logbook", {})
    since = (dt_util.utcnow() - timedelta(minutes=1)).isoformat()
    entry = await set_up(mosquitto.port)
    await until(hass, lambda: is_connected(hass, entry))
    mosquitto.kill()
    await until(hass, lambda: not is_connected(hass, entry))
    await async_wait_recording_done(hass)
    client = await hass_ws_client()

    for about in ({}, {"device_ids": [device_id(hass, entry)]}):
        await client.send_json_auto_id({"type": "logbook/get_events", "start_time": since, **about})
        answer = await client.receive_json()
        lines = [
            (each["name"], each["message"])
            for each in answer["result"]
            if each.get("domain") == "homesync"
        ]
        assert [name for name, _ in lines] == ["Villa", "Villa"]
        assert lines[0][1] == "connected to its broker"
        assert lines[1][1].startswith("lost the connection to its broker: ")


async def test_the_documented_automation_tells_of_an_outage_that_lasts(
    hass: HomeAssistant, mosquitto: Mosquitto, set_up: SetUp, automations_at_rest: None
) -> None:
    assert await async_setup_component(hass, "persistent_notification", {})
    (example,) = re.findall(r"```yaml\n(alias.*?)```", PAGE, re.DOTALL)
    assert await async_setup_component(hass, "automation", {"automation": yaml.safe_load(example)})
    automation = "automation.household_out_of_reach"

    def running() -> int:
        state = hass.states.get(automation)
        assert state is not None
        return int(state.attributes["current"])

    entry = await set_up(mosquitto.port)
    await until(hass, lambda: is_connected(hass, entry))
    mosquitto.kill()
    await reached(lambda: running() == 1)
    mosquitto.start()
    await reached(lambda: running() == 0)
    assert notifications(hass) == []

    mosquitto.kill()
    await reached(lambda: running() == 1)
    async_fire_time_changed(hass, dt_util.utcnow() + timedelta(minutes=5, seconds=1))
    await reached(lambda: running() == 0)
    ((title, message),) = notifications(hass)
    assert title == "Villa"
    assert message


def notifications(hass: HomeAssistant) -> list[tuple[str | None, str]]:
    shown = hass.data.get("persistent_notification", {})
    return [(each["title"], each["message"]) for each in shown.values()]


async def test_the_documented_fields_are_those_of_the_event(
    hass: HomeAssistant, mosquitto: Mosquitto, set_up: SetUp, told: list[dict[str, Any]]
) -> None:
    entry = await set_up(mosquitto.port)
    await until(hass, lambda: is_connected(hass, entry))

    table = PAGE.partition("## The event `homesync_connection`")[2].partition("An outage")[0]
    rows = [row.split("|")[1] for row in table.splitlines() if row.startswith("| `")]
    assert {name for row in rows for name in re.findall(r"`(\w+)`", row)} == set(told[0])
