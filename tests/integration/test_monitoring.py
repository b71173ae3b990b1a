"""docs/monitoring.md: its automation runs, and its rules find what Home Assistant exports."""

from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
import re
from typing import Any
from unittest.mock import patch

from homeassistant.components import persistent_notification
from homeassistant.core import HomeAssistant, ServiceCall
from homeassistant.helpers import entity_registry as er
from homeassistant.setup import async_setup_component
import prometheus_client
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry, async_mock_service
from pytest_homeassistant_custom_component.typing import ClientSessionGenerator
import trustme
import yaml

from custom_components.homesync.client import Alert, NotConnectedError, Publication
from custom_components.homesync.issues import alert_key
from tests.broker import Mosquitto

from .alert_rules import Series, read_export, read_rules
from .certificates import certificate_of, key_of, listener, pem_of
from .conftest import SetUp, StartNode, quick
from .figures import BYTE, a_minute_passes, grow_older, look
from .lookup import coordinator, entity_id, is_connected, state
from .queueing import queue
from .waiting import reached, until

type Export = Callable[[], Awaitable[list[Series]]]
type SetUpSecured = Callable[..., Awaitable[tuple[MockConfigEntry, Mosquitto]]]

PAGE = (Path(__file__).parents[2] / "docs" / "monitoring.md").read_text()
BLOCKS = [yaml.safe_load(each) for each in re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL)]
(CONFIGURATION,) = (each for each in BLOCKS if "prometheus" in each)
(SCRAPING,) = (each for each in BLOCKS if "scrape_configs" in each)
(RULE_FILE,) = (each for each in BLOCKS if "groups" in each)
(AUTOMATION,) = (each for each in BLOCKS if "alias" in each)
RULES = read_rules(RULE_FILE, but="HomeAssistantAway")
RELAY = ("switch", "plug-1", "status/relay")
# What Home Assistant tells of every entity, whatever it is.
OF_ALL = {
    *("entity_available", "last_updated_time_seconds"),
    *("state_change_total", "state_change_created"),
}
# It takes the word "closed" for a number, as of a cover.
NO_FIGURE = ("sensor_enum_None", "last_disconnect")
PLAN = {"plan_data": 1, "plan_connections": 10, "plan_stops": True, "thin_at_limit": True}


def holding(export: list[Series]) -> set[str]:
    return {name for name, rule in RULES.items() if rule.holds(export)}


def named(text: str) -> set[str]:
    """The words in backticks."""
    return set(re.findall(r"`([^`]+)`", text))


def alert_sensors(hass: HomeAssistant, entry: MockConfigEntry) -> set[str | None]:
    return {entity_id(hass, entry, "binary_sensor", alert_key(each)) for each in Alert}


@pytest.fixture(autouse=True)
def _own_registry() -> Iterator[None]:
    """What is exported is kept for the whole process, other tests' households too."""
    with patch("prometheus_client.REGISTRY", prometheus_client.CollectorRegistry()):
        yield


@pytest.fixture
def hass_storage() -> dict[str, Any]:
    """Let Home Assistant's stores read and write files, as they do outside of tests."""
    return {}


@pytest.fixture
async def export(hass: HomeAssistant, hass_client: ClientSessionGenerator) -> Export:
    """Configure Home Assistant as the page does, and read as the page lets Prometheus read."""
    assert await async_setup_component(hass, "prometheus", CONFIGURATION)
    (job,) = SCRAPING["scrape_configs"]

    async def read() -> list[Series]:
        client = await hass_client()
        answer = await client.get(job["metrics_path"])
        return read_export(await answer.text())

    return read


@pytest.fixture
def set_up_secured(
    hass: HomeAssistant,
    *,
    start_mosquitto: Callable[..., Mosquitto],
    set_up: SetUp,
    tmp_path: Path,
    authority: trustme.CA,
) -> SetUpSecured:
    """Set up a household with certificates and a plan: it has every entity there is."""

    async def set_up_secured(*, days: float = 20) -> tuple[MockConfigEntry, Mosquitto]:
        me = authority.issue_cert("villa@homesync.example")
        settings = listener(tmp_path, authority, clients=authority, days=days)
        broker = start_mosquitto(settings=settings)
        entry = await set_up(
            broker.port,
            tls=True,
            ca=pem_of(authority),
            client_certificate=certificate_of(me),
            client_key=key_of(me),
            options=PLAN,
        )
        await until(hass, lambda: is_connected(hass, entry))
        return entry, broker

    return set_up_secured


@pytest.mark.usefixtures("all_enabled")
async def test_the_table_names_all_that_is_exported_and_nothing_else(
    hass: HomeAssistant, export: Export, set_up_secured: SetUpSecured
) -> None:
    # Long enough to be seen waiting.
    with patch("custom_components.homesync.broker.Timing", quick(first_gap=30, longest_gap=30)):
        entry, broker = await set_up_secured()
    # A rate needs two looks.
    await a_minute_passes(hass)
    await a_minute_passes(hass)
    told = await export()
    broker.kill()
    await reached(lambda: state(hass, entry, "sensor", "next_attempt") not in {None, "unknown"})
    told += await export()

    found = {
        (each.metric.removeprefix("homeassistant_"), each.entity.partition("villa_")[2])
        for each in told
    }
    rows = re.findall(r"^\| `homeassistant_(\w+)` \| (.*) \|$", PAGE, re.MULTILINE)
    written = {
        (metric, name)
        for metric, names in rows
        for name in named(names)
        if not name.endswith("villa_…")
    }
    assert {each for each in found if each[0] not in OF_ALL} - {NO_FIGURE} == written


@pytest.mark.usefixtures("all_enabled")
async def test_each_rule_finds_its_series_and_is_silent_while_all_is_well(
    hass: HomeAssistant, export: Export, set_up_secured: SetUpSecured
) -> None:
    entry, _ = await set_up_secured()
    await a_minute_passes(hass)

    told = await export()

    assert [name for name, rule in RULES.items() if not rule.found(told)] == []
    assert holding(told) == set()
    assert {each.entity for each in RULES["HouseholdAlert"].found(told)} == alert_sensors(
        hass, entry
    )


async def test_an_outage_is_found(
    hass: HomeAssistant,
    *,
    mosquitto: Mosquitto,
    set_up: SetUp,
    start_node: StartNode,
    export: Export,
) -> None:
    entry = await set_up(mosquitto.port)
    node = await start_node()
    await until(hass, lambda: state(hass, entry, *RELAY) == "on")
    node.die()
    await until(hass, lambda: state(hass, entry, *RELAY) == "unavailable")
    waiting = queue(hass, entry)
    await reached(lambda: coordinator(entry).household.commands.waiting == 1)
    mosquitto.kill()
    await until(hass, lambda: not is_connected(hass, entry))
    grow_older(entry, 16)
    household = coordinator(entry).household
    for _ in range(20):
        with pytest.raises(NotConnectedError):
            household.publish(Publication("villa/note", b""))
    await reached(lambda: household.statistics.snapshot().connection.recent_failed >= 10)
    await look(hass)
    await a_minute_passes(hass)

    assert holding(await export()) == {
        "HouseholdAlert",
        "HouseholdDisconnected",
        "HouseholdConnectFailures",
        "HouseholdPublishFailures",
        "HouseholdCommandsWait",
    }
    assert await hass.config_entries.async_unload(entry.entry_id)
    assert holding(await export()) == {"HouseholdNotRunning"}
    waiting.cancel()


async def test_a_plan_that_is_used_up_is_found(
    hass: HomeAssistant, mosquitto: Mosquitto, set_up: SetUp, export: Export
) -> None:
    entry = await set_up(mosquitto.port, options={"plan_data": 100 * BYTE})
    await until(hass, lambda: is_connected(hass, entry))
    await look(hass)
    await a_minute_passes(hass)

    assert holding(await export()) == {
        "HouseholdAlert",
        "HouseholdPlanUsed",
        "HouseholdPlanWillBeUsed",
    }


async def test_connections_that_are_used_up_are_found(
    hass: HomeAssistant, mosquitto: Mosquitto, set_up: SetUp, export: Export
) -> None:
    entry = await set_up(mosquitto.port, options={"plan_connections": 1})
    await until(hass, lambda: is_connected(hass, entry))
    await look(hass)
    await a_minute_passes(hass)

    assert holding(await export()) == {"HouseholdAlert", "HouseholdPlanUsed"}


@pytest.mark.usefixtures("all_enabled")
async def test_a_certificate_that_ends_is_found(
    hass: HomeAssistant, export: Export, set_up_secured: SetUpSecured
) -> None:
    await set_up_secured(days=13)
    await a_minute_passes(hass)

    assert holding(await export()) == {"BrokerCertificateEnds"}


@pytest.mark.usefixtures("all_enabled")
async def test_the_page_names_the_statistics_that_are_kept(
    hass: HomeAssistant, set_up_secured: SetUpSecured
) -> None:
    await set_up_secured()

    kept = {
        each.name.removeprefix("Villa ")
        for each in hass.states.async_all("sensor")
        if "state_class" in each.attributes
    }

    (listed,) = re.findall(r"Of a household:\n\n(.*?)\n\n", PAGE, re.DOTALL)
    assert set(re.findall(r"\*([^*]+)\*", listed)) == kept


async def test_the_page_names_what_is_off_at_first(
    hass: HomeAssistant, set_up_secured: SetUpSecured
) -> None:
    entry, _ = await set_up_secured()

    off = {
        each.entity_id.removeprefix("sensor.villa_")
        for each in er.async_entries_for_config_entry(er.async_get(hass), entry.entry_id)
        if each.disabled
    }

    (listed,) = re.findall(r"^Off at first, .*$", PAGE, re.MULTILINE)
    assert named(listed) == off


@pytest.mark.usefixtures("automations_at_rest")
async def test_the_automation_tells_of_an_alert_and_takes_it_back(
    hass: HomeAssistant, mosquitto: Mosquitto, set_up: SetUp
) -> None:
    def told() -> dict[str, str]:
        found = persistent_notification._async_get_or_create_notifications(hass)
        return {each["notification_id"]: str(each["title"]) for each in found.values()}

    entry = await set_up(mosquitto.port, options=PLAN)
    await until(hass, lambda: is_connected(hass, entry))
    assert set(AUTOMATION["triggers"][0]["entity_id"]) == alert_sensors(hass, entry)
    assert await async_setup_component(hass, "persistent_notification", {})
    assert await async_setup_component(hass, "automation", {"automation": AUTOMATION})
    mosquitto.kill()
    await until(hass, lambda: not is_connected(hass, entry))
    assert told() == {}

    grow_older(entry, 6)
    await look(hass)
    assert told()["binary_sensor.villa_out_of_reach"] == "Villa Out of reach"

    mosquitto.start()
    await until(hass, lambda: is_connected(hass, entry))
    assert "binary_sensor.villa_out_of_reach" not in told()


@pytest.mark.usefixtures("automations_at_rest")
async def test_the_automation_tells_nothing_again_after_a_reload(
    hass: HomeAssistant, mosquitto: Mosquitto, set_up: SetUp
) -> None:
    created = async_mock_service(hass, "persistent_notification", "create")
    dismissed = async_mock_service(hass, "persistent_notification", "dismiss")
    assert await async_setup_component(hass, "automation", {"automation": AUTOMATION})
    entry = await set_up(mosquitto.port, options={**PLAN, "plan_data": BYTE})
    await until(hass, lambda: is_connected(hass, entry))

    def told(calls: list[ServiceCall]) -> list[str]:
        return [each.data["notification_id"].removeprefix("binary_sensor.villa_") for each in calls]

    await look(hass)
    assert told(created) == ["data_of_the_plan"]
    dismissed.clear()

    assert await hass.config_entries.async_reload(entry.entry_id)
    await until(hass, lambda: is_connected(hass, entry))
    assert told(created) == ["data_of_the_plan"]
    assert "data_of_the_plan" not in told(dismissed)

    # It is over with the limit that is raised.
    hass.config_entries.async_update_entry(entry, options=PLAN)
    await hass.async_block_till_done()
    await until(hass, lambda: is_connected(hass, entry))
    assert told(created) == ["data_of_the_plan"]
    assert "data_of_the_plan" in told(dismissed)
