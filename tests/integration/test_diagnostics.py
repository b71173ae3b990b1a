"""What a bug report tells: how a household is, and neither who nor where."""

from collections.abc import Callable
import json
from pathlib import Path
from typing import Any

from homeassistant.config_entries import ConfigEntryState
from homeassistant.core import HomeAssistant
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry
from pytest_homeassistant_custom_component.components.diagnostics import (
    get_diagnostics_for_config_entry,
    get_diagnostics_for_device,
)
from pytest_homeassistant_custom_component.typing import ClientSessionGenerator
import trustme

from custom_components.homesync.client import Cause, Household
from custom_components.homesync.const import DEFAULT_OPTIONS
from custom_components.homesync.diagnostics import async_get_config_entry_diagnostics
from custom_components.homesync.diagnostics.plain import figures, plain, text
from tests.broker import Mosquitto, free_port

from .certificates import certificate_of, key_of, listener, pem_of
from .conftest import SetUp, entry_data
from .lookup import coordinator, device, is_connected, state
from .waiting import until
from .wire import Wire

WHO = "whoami"
INFO: dict[str, object] = {
    "model": "Plug S",
    "manufacturer": "Maker\n\x1b[31m",
    "hardware": "B2",
    "capabilities": ["relay", "led", f"{WHO}-skill"],
}


@pytest.fixture
async def entry(hass: HomeAssistant, mosquitto: Mosquitto, set_up: SetUp) -> MockConfigEntry:
    """A household whose every name gives somebody away."""
    entry = await set_up(
        mosquitto.port,
        f"{WHO}-home",
        title=f"{WHO} House",
        host="localhost",
        prefix=f"{WHO}/prefix",
        client_id=f"{WHO}-client",
        client_id_base=WHO,
        username=f"{WHO}-user",
        password=f"{WHO}-password",
        websocket_port=8884,
        websocket_path=f"/{WHO}",
        websocket_headers=f"X-{WHO}: {WHO}",
        accepted_nodes=[f"{WHO}-node"],
        options={"firmware_hosts": [f"{WHO}.example:443"], "max_nodes": 2},
    )
    await until(hass, lambda: is_connected(hass, entry))
    return entry


async def say_all(hass: HomeAssistant, entry: MockConfigEntry, wire: Wire) -> None:
    """Have two nodes tell all there is to tell."""
    for node in (f"{WHO}-node", f"{WHO}-other"):
        said: dict[str, dict[str, object]] = {
            "status/online": {"online": True},
            "status/info": INFO,
            "status/firmware": {"version": "1.2.0"},
            "telemetry/power": {"value": 4711.5, "unit": "W", "quality": 99},
            f"telemetry/{WHO}_metric": {"value": 1, "unit": WHO},
            "telemetry/energy": {"value": WHO},
            f"telemetry/{WHO}/more": {"value": 1},
        }
        for leaf, payload in said.items():
            wire.publish(f"{WHO}/prefix/{WHO}-home/nodes/{node}/{leaf}", payload)
    power = f"{WHO}-other", "telemetry/power"
    await until(hass, lambda: state(hass, entry, "sensor", *power) == "4711.5")


async def test_a_household_is_told_without_any_name(
    hass: HomeAssistant,
    hass_client: ClientSessionGenerator,
    entry: MockConfigEntry,
    wire: Wire,
) -> None:
    await say_all(hass, entry, wire)
    await until(hass, lambda: coordinator(entry).household.link.echo is not None)

    told: Any = await get_diagnostics_for_config_entry(hass, hass_client, entry)

    assert WHO not in json.dumps(told).lower()
    assert "localhost" not in json.dumps(told)
    assert "4711.5" not in json.dumps(told)
    assert told["versions"]["homesync"] == "0.1.0"
    assert told["versions"]["paho_mqtt"].startswith("2.")
    assert told["entry_state"] == "loaded"
    assert told["settings"]["address"] == "name"
    assert told["settings"]["port"] == entry.data["port"]
    assert told["settings"]["password_set"] is True
    assert told["settings"]["client_key_set"] is False
    assert told["settings"]["prefix_usual"] is False
    assert told["settings"]["accepted_nodes"] == 1
    assert told["options"]["firmware_hosts"] == 1
    assert told["options"]["firmware_catalogue_set"] is False
    assert told["options"]["max_nodes"] == 2
    assert told["options"]["new_nodes"] == "add"
    assert told["connection"]["state"] == "connected"
    assert told["connection"]["error"] is None
    assert told["connection"]["terms"]["version"] == "V5"
    assert told["connection"]["limits"]["receive_maximum"] == 20
    assert told["connection"]["learned"] == {"version": "V5", "transport": None}
    assert told["connection"]["echo"]["round_trip_ms"] > 0
    assert told["connection"]["echo"]["unproven"] == []
    assert told["counts"]["invalid_field"] == 2
    assert told["commands"] == {"waiting": 0, "sent": 0}
    assert told["statistics"]["connection"]["connects"] == 1
    assert told["statistics"]["connection"]["transport"] == "tcp"
    assert "url" not in told["statistics"]["connection"]
    assert told["statistics"]["others"] == 0
    assert told["entities"]["enabled"]["binary_sensor"] == 8
    assert [node["node"] for node in told["nodes"]] == [1, 2]


async def test_a_nodes_device_tells_of_that_node_alone(
    hass: HomeAssistant,
    hass_client: ClientSessionGenerator,
    entry: MockConfigEntry,
    wire: Wire,
) -> None:
    await say_all(hass, entry, wire)
    found = device(hass, entry, f"{WHO}-other")
    assert found is not None

    told: Any = await get_diagnostics_for_device(hass, hass_client, entry, found)

    assert WHO not in json.dumps(told).lower()
    (node,) = told["nodes"]
    assert node["node"] == 2
    assert node["online"] is node["told_online"] is True
    assert node["last_seen_seconds"] in range(10)
    assert node["model"] == "Plug S"
    assert node["manufacturer"] == "Maker[31m"
    assert (node["hardware"], node["firmware"]) == ("B2", "1.2.0")
    assert node["capabilities"] == ["relay", "led"]
    assert node["other_metrics"] == 1
    power = node["values"]["telemetry/power"]
    assert power.pop("seconds") in range(10)
    assert power == {
        "known": True,
        "unit": "W",
        "quality": 99,
        "stamped": False,
        "held_back": False,
    }
    assert told["entities"]["enabled"]["binary_sensor"] == 1
    household = device(hass, entry)
    assert household is not None
    told = await get_diagnostics_for_device(hass, hass_client, entry, household)
    assert told["nodes"] == []


async def test_a_household_that_cannot_connect_tells_the_cause_the_step_and_its_issues(
    hass: HomeAssistant, hass_client: ClientSessionGenerator, set_up: SetUp
) -> None:
    entry = await set_up(free_port(), tls=True, verify=False)
    await until(hass, lambda: coordinator(entry).household.link.error)

    told: Any = await get_diagnostics_for_config_entry(hass, hass_client, entry)

    assert told["connection"]["error"] == {
        "cause": "refused",
        "step": "tcp",
        "code": None,
        "other_server": False,
    }
    assert told["connection"]["reachable"] is False
    assert told["issues"] == ["insecure_tls"]
    assert told["tls"]["secured"] is True
    assert told["tls"]["verified"] is False
    assert told["settings"]["address"] == "IPv4"


async def test_certificates_are_told_by_the_days_that_are_left(
    hass: HomeAssistant,
    *,
    start_mosquitto: Callable[..., Mosquitto],
    set_up: SetUp,
    tmp_path: Path,
    authority: trustme.CA,
) -> None:
    me = authority.issue_cert("villa@homesync.example")
    broker = start_mosquitto(settings=listener(tmp_path, authority, clients=authority, days=50))
    entry = await set_up(
        broker.port,
        tls=True,
        ca=pem_of(authority),
        client_certificate=certificate_of(me),
        client_key=key_of(me),
    )
    await until(hass, lambda: is_connected(hass, entry))

    told = await async_get_config_entry_diagnostics(hass, entry)

    assert 49 < told["tls"]["broker_certificate_days"] <= 50
    assert told["tls"]["client_certificate_days"] > 300
    assert told["tls"]["verified"] is True
    assert told["settings"]["ca_set"] is told["settings"]["client_certificate_set"] is True
    assert "CERTIFICATE" not in json.dumps(told)


@pytest.mark.usefixtures("short_echo")
async def test_filters_that_stay_silent_are_told_as_branches(
    hass: HomeAssistant, start_mosquitto: Callable[..., Mosquitto], set_up: SetUp
) -> None:
    acl = (
        "topic read homesync/villa/nodes/+/status/+\n"
        "topic write homesync/villa/nodes/_echo/#\n"
        "topic read homesync/villa/nodes/x/#\n"
    )
    broker = start_mosquitto(acl=acl)
    entry = await set_up(broker.port, version="3.1.1")

    def unproven() -> Any:
        household: Household = coordinator(entry).household
        return household.link.echo is not None and household.link.echo.unproven

    await until(hass, unproven)

    told = await async_get_config_entry_diagnostics(hass, entry)

    assert told["connection"]["echo"]["unproven"] == ["telemetry", "response"]
    assert "unproven" in told["issues"]


async def test_a_household_that_is_not_loaded_tells_its_settings(hass: HomeAssistant) -> None:
    entry = MockConfigEntry(
        domain="homesync",
        data=entry_data(
            1883, host="host.example", preset="hivemq_cloud", version=WHO, keepalive=WHO
        ),
        options={"new_nodes": WHO, "plan_data": 2.5, "plan_connections": WHO, "alert_data": 70},
    )
    entry.add_to_hass(hass)

    told: Any = await async_get_config_entry_diagnostics(hass, entry)

    assert entry.state is ConfigEntryState.NOT_LOADED
    assert told["entry_state"] == "not_loaded"
    assert "connection" not in told
    assert told["settings"]["preset"] == "hivemq_cloud"
    assert told["settings"]["version"] is None
    assert told["options"]["new_nodes"] is None
    assert told["options"]["alert_data"] == 70
    assert told["options"]["plan_data"] == 2.5
    assert told["options"]["plan_connections"] is None
    assert told["options"]["plan_both_ways"] is True
    assert told["options"]["plan_stops"] is False
    assert set(told["options"]) == {
        *(each for each in DEFAULT_OPTIONS if each != "firmware_catalogue"),
        *("firmware_catalogue_set", "plan_data", "plan_connections"),
        *("plan_both_ways", "plan_stops"),
    }


def test_a_text_is_told_only_if_it_is_a_word_of_ours() -> None:
    assert plain("a", ("a", "b")) == "a"
    assert plain("c", ("a", "b")) is None
    assert plain(["a"], ("a",)) is None
    assert plain(False) is False
    assert figures({"a": WHO, "b": Cause.CLOSED, "c": "left", "d": None, "e": {"f": 1.5}}) == {
        "b": "closed",
        "c": "left",
        "d": None,
        "e": {"f": 1.5},
    }
    assert text("a\n\x1b\u202e" + "b" * 100) == "a" + "b" * 63
    assert text(7) is None
