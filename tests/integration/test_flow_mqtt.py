"""Households on the broker of Home Assistant's own MQTT integration."""

from typing import Any

from homeassistant.config_entries import (
    SOURCE_IGNORE,
    SOURCE_MQTT,
    SOURCE_USER,
    ConfigEntryDisabler,
    ConfigFlowResult,
)
from homeassistant.core import HomeAssistant
from homeassistant.data_entry_flow import FlowResultType
from homeassistant.helpers.service_info.mqtt import MqttServiceInfo
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry

from custom_components.homesync.const import DOMAIN
from custom_components.homesync.home_assistant_broker import broker_of_home_assistant
from tests.broker import Mosquitto

from .conftest import SetUp
from .flows import begin, choose, proposed, submit, suggested
from .lookup import is_connected
from .waiting import until


def add_mqtt(hass: HomeAssistant, **data: Any) -> MockConfigEntry:
    """Home Assistant's own MQTT integration, which is not started."""
    entry = MockConfigEntry(
        domain="mqtt",
        data={"broker": "127.0.0.1", "port": 1883, **data},
        disabled_by=ConfigEntryDisabler.USER,
    )
    entry.add_to_hass(hass)
    return entry


async def discover(hass: HomeAssistant, topic: str) -> ConfigFlowResult:
    heard = MqttServiceInfo(
        topic=topic,
        payload='{"online": true}',
        qos=1,
        retain=True,
        subscribed_topic="homesync/+/nodes/+/status/online",
        timestamp=0.0,
    )
    return await hass.config_entries.flow.async_init(
        DOMAIN, context={"source": SOURCE_MQTT}, data=heard
    )


VARIANTS: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "plain": ({}, {"port": 1883, "tls": False, "verify": True}),
    "with a user": (
        {"username": "me", "password": "secret"},
        {"port": 1883, "tls": False, "verify": True, "username": "me", "password": "secret"},
    ),
    "usual authorities": (
        {"port": 8883, "certificate": "auto"},
        {"port": 8883, "tls": True, "verify": True},
    ),
    "own authority": (
        {"port": 8883, "certificate": "pem", "client_cert": "cert", "client_key": "key"},
        {
            "port": 8883,
            "tls": True,
            "verify": True,
            "ca": "pem",
            "client_certificate": "cert",
            "client_key": "key",
        },
    ),
    "unverified": (
        {"port": 8883, "certificate": "auto", "tls_insecure": True},
        {"port": 8883, "tls": True, "verify": False},
    ),
    "websockets": (
        {"port": 9001, "transport": "websockets", "ws_path": "/ws", "ws_headers": {"A": "b"}},
        {
            "port": 9001,
            "tls": False,
            "verify": True,
            "transport": "websocket",
            "websocket_port": 9001,
            "websocket_path": "/ws",
            "websocket_headers": "A: b",
        },
    ),
    "usual websockets": (
        {"port": 9001, "transport": "websockets", "ws_headers": {}},
        {
            "port": 9001,
            "tls": False,
            "verify": True,
            "transport": "websocket",
            "websocket_port": 9001,
            "websocket_path": "/",
        },
    ),
}


@pytest.mark.parametrize("variant", VARIANTS)
def test_its_settings_become_a_households(hass: HomeAssistant, variant: str) -> None:
    own, wanted = VARIANTS[variant]
    add_mqtt(hass, **own)

    assert broker_of_home_assistant(hass) == {"host": "127.0.0.1", **wanted}


async def test_it_is_offered_only_if_it_is_there(hass: HomeAssistant) -> None:
    result = await hass.config_entries.flow.async_init(DOMAIN, context={"source": SOURCE_USER})
    assert "home_assistant" not in result["menu_options"]

    add_mqtt(hass)
    result = await hass.config_entries.flow.async_init(DOMAIN, context={"source": SOURCE_USER})
    assert result["menu_options"] == [
        "hivemq_cloud",
        "emqx_cloud",
        "aws_iot",
        "other",
        "home_assistant",
    ]


async def test_it_fills_the_form_in_but_for_its_password_which_is_used(
    hass: HomeAssistant, mosquitto: Mosquitto
) -> None:
    add_mqtt(hass, port=mosquitto.port, username="me", password="canary")

    form = await choose(hass, "home_assistant")
    assert suggested(form)["username"] == "me"
    assert "canary" not in repr(form)
    result = await submit(hass, form["flow_id"], proposed(form) | {"name": "Villa"})

    assert result["type"] is FlowResultType.CREATE_ENTRY
    (entry,) = hass.config_entries.async_entries(DOMAIN)
    assert entry.data["password"] == "canary"
    await until(hass, lambda: is_connected(hass, entry))
    assert await hass.config_entries.async_unload(entry.entry_id)


async def test_a_choice_that_is_gone_leads_to_an_empty_form(hass: HomeAssistant) -> None:
    mqtt = add_mqtt(hass)
    menu = await hass.config_entries.flow.async_init(DOMAIN, context={"source": SOURCE_USER})
    await hass.config_entries.async_remove(mqtt.entry_id)

    result = await hass.config_entries.flow.async_configure(
        menu["flow_id"], {"next_step_id": "home_assistant"}
    )

    assert result["step_id"] == "broker"
    assert "host" not in suggested(result)


async def test_a_household_that_is_heard_there_is_offered_with_all_filled_in(
    hass: HomeAssistant, mosquitto: Mosquitto
) -> None:
    add_mqtt(hass, port=mosquitto.port)

    form = await discover(hass, "homesync/villa/nodes/plug-1/status/online")

    assert form["type"] is FlowResultType.FORM
    assert form["step_id"] == "broker"
    (flow,) = hass.config_entries.flow.async_progress()
    assert flow["context"]["title_placeholders"] == {"name": "villa"}
    assert flow["context"]["unique_id"] == f"villa@127.0.0.1:{mosquitto.port}"
    result = await submit(hass, form["flow_id"], proposed(form))
    assert result["type"] is FlowResultType.CREATE_ENTRY
    assert result["title"] == "villa"
    (entry,) = hass.config_entries.async_entries(DOMAIN)
    assert entry.data["home_id"] == "villa"
    assert entry.data["prefix"] == "homesync"
    await until(hass, lambda: is_connected(hass, entry))
    assert await hass.config_entries.async_unload(entry.entry_id)


async def test_a_household_that_is_known_is_not_offered(
    hass: HomeAssistant, mosquitto: Mosquitto, set_up: SetUp
) -> None:
    await set_up(mosquitto.port)
    add_mqtt(hass, port=mosquitto.port)

    result = await discover(hass, "homesync/villa/nodes/plug-1/status/online")

    assert result["type"] is FlowResultType.ABORT
    assert result["reason"] == "already_configured"


async def test_a_household_that_is_ignored_is_not_offered_again_but_can_be_added(
    hass: HomeAssistant, mosquitto: Mosquitto
) -> None:
    add_mqtt(hass, port=mosquitto.port)
    await discover(hass, "homesync/villa/nodes/plug-1/status/online")
    await hass.config_entries.flow.async_init(
        DOMAIN,
        context={"source": SOURCE_IGNORE},
        data={"unique_id": f"villa@127.0.0.1:{mosquitto.port}", "title": "villa"},
    )

    result = await discover(hass, "homesync/villa/nodes/plug-2/status/online")
    assert result["reason"] == "already_configured"

    form = await choose(hass, "home_assistant")
    result = await submit(hass, form["flow_id"], proposed(form) | {"name": "Villa"})
    assert result["type"] is FlowResultType.CREATE_ENTRY
    (entry,) = hass.config_entries.async_entries(DOMAIN)
    assert entry.source == SOURCE_USER
    assert await hass.config_entries.async_unload(entry.entry_id)


async def test_many_nodes_of_a_household_offer_it_once(hass: HomeAssistant) -> None:
    add_mqtt(hass)
    await discover(hass, "homesync/villa/nodes/plug-1/status/online")

    again = await discover(hass, "homesync/villa/nodes/plug-2/status/online")
    other = await discover(hass, "homesync/cabin/nodes/plug-1/status/online")

    assert again["reason"] == "already_in_progress"
    assert other["type"] is FlowResultType.FORM
    assert len(hass.config_entries.flow.async_progress()) == 2


@pytest.mark.parametrize("home_id", ["böse", "a b", "a" * 65, ""])
async def test_what_is_no_household_is_not_offered(hass: HomeAssistant, home_id: str) -> None:
    add_mqtt(hass)

    result = await discover(hass, f"homesync/{home_id}/nodes/plug-1/status/online")

    assert result["type"] is FlowResultType.ABORT
    assert result["reason"] == "not_a_household"


async def test_nothing_is_offered_once_the_broker_is_gone(hass: HomeAssistant) -> None:
    result = await discover(hass, "homesync/villa/nodes/plug-1/status/online")

    assert result["type"] is FlowResultType.ABORT
    assert result["reason"] == "no_broker"


async def test_a_dialog_of_ones_own_is_not_disturbed_by_an_offer(
    hass: HomeAssistant, mosquitto: Mosquitto
) -> None:
    add_mqtt(hass, port=mosquitto.port)
    await discover(hass, "homesync/villa/nodes/plug-1/status/online")
    flow = await begin(hass, "home_assistant")
    form = await hass.config_entries.flow.async_configure(flow)

    result = await submit(hass, flow, proposed(form) | {"name": "Villa"})

    assert result["type"] is FlowResultType.CREATE_ENTRY
    assert hass.config_entries.flow.async_progress() == []
    (entry,) = hass.config_entries.async_entries(DOMAIN)
    assert await hass.config_entries.async_unload(entry.entry_id)
