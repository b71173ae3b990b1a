"""The HTTP API for administrators."""

from http import HTTPStatus
import json
import logging
import re
from typing import Any

from homeassistant.core import HomeAssistant
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry, MockUser
from pytest_homeassistant_custom_component.typing import ClientSessionGenerator

from custom_components.homesync import api
from custom_components.homesync.api import shown_url
from custom_components.homesync.http_api import VIEWS
from tests.broker import Mosquitto

from .actions import respond
from .asking import CANARY, PAGE, steady
from .conftest import SetUp, StartNode
from .figures import at_rest
from .lookup import coordinator, is_connected, state
from .waiting import until


@pytest.fixture
async def entry(
    hass: HomeAssistant, mosquitto: Mosquitto, set_up: SetUp, start_node: StartNode
) -> MockConfigEntry:
    entry = await set_up(mosquitto.port)
    await start_node(relay_on=False)
    await until(hass, lambda: state(hass, entry, "switch", "plug-1", "status/relay") == "off")
    return entry


def routes(hass: HomeAssistant) -> list[tuple[str, str]]:
    """All that Home Assistant serves for us, as its router knows it; preflights are its own."""
    found = [
        (route.method, route.resource.canonical)
        for route in hass.http.app.router.routes()
        if route.resource is not None and route.method != "OPTIONS"
    ]
    return [each for each in found if each[1].startswith("/api/homesync")]


async def test_every_route_wants_a_token(
    hass: HomeAssistant, entry: MockConfigEntry, hass_client_no_auth: ClientSessionGenerator
) -> None:
    client = await hass_client_no_auth()
    found = routes(hass)
    assert len(found) == len(VIEWS)

    for method, path in found:
        answer = await client.request(method, path.replace("{household_id}", "villa"))
        assert answer.status == HTTPStatus.UNAUTHORIZED, path
        assert "household" not in await answer.text()


@pytest.mark.parametrize("groups", [["system-read-only"], ["system-users"], []])
async def test_every_route_is_forbidden_for_who_is_no_administrator(
    hass: HomeAssistant,
    *,
    entry: MockConfigEntry,
    hass_client: ClientSessionGenerator,
    hass_admin_user: MockUser,
    groups: list[str],
) -> None:
    client = await hass_client()
    hass_admin_user.groups = [
        group for each in groups if (group := await hass.auth.async_get_group(each)) is not None
    ]
    assert len(hass_admin_user.groups) == len(groups)

    for method, path in routes(hass):
        for household in ("villa", "nowhere"):
            answer = await client.request(method, path.replace("{household_id}", household))
            assert answer.status == HTTPStatus.FORBIDDEN, path
            assert (await answer.json())["code"] == "forbidden"


async def test_the_figures_are_those_of_the_snapshot(
    hass: HomeAssistant, entry: MockConfigEntry, hass_client: ClientSessionGenerator
) -> None:
    client = await hass_client()
    await at_rest(entry)

    told = await (await client.get("/api/homesync/stats")).json()

    now = coordinator(entry).household.statistics.snapshot()
    (household,), (connection,) = told["households"], told["connections"]
    assert steady(household["statistics"]) == steady(api.plain(now))
    assert told["broker"] == {"url": now.connection.url, "type": "other", "connected": True}
    assert connection["connected"] is True
    assert connection["subscriptions"] == now.connection.subscriptions > 0
    assert (household["household_id"], household["entry_id"]) == ("villa", entry.entry_id)
    assert told["summary"]["messages_received"] == now.traffic.received.total > 0
    assert told["summary"]["active_connections"] == told["summary"]["households"] == 1
    assert told["summary"]["connected_since"] == now.connection.since
    assert told["summary"]["nodes"] == 1


async def test_one_household_is_chosen_by_home_id_or_entry_id(
    hass: HomeAssistant,
    *,
    entry: MockConfigEntry,
    set_up: SetUp,
    mosquitto: Mosquitto,
    hass_client: ClientSessionGenerator,
) -> None:
    client = await hass_client()
    cabin = await set_up(mosquitto.port, "cabin", title="Cabin", preset="emqx_cloud")
    await until(hass, lambda: is_connected(hass, cabin))

    for chosen in ("cabin", cabin.entry_id):
        told = await (await client.get(f"/api/homesync/stats?household_id={chosen}")).json()
        assert [each["name"] for each in told["households"]] == ["Cabin"]
        assert told["broker"]["type"] == "emqx_cloud"
        assert told["summary"]["households"] == 1
        told = await (await client.get(f"/api/homesync/connections?household_id={chosen}")).json()
        assert [each["name"] for each in told] == ["Cabin"]
        told = await (await client.get(f"/api/homesync/households/{chosen}")).json()
        assert (told["name"], told["node_list"]) == ("Cabin", [])
    told = await (await client.get("/api/homesync/stats")).json()
    assert told["broker"]["type"] == "several"
    assert told["broker"]["url"] is not None
    assert told["summary"]["households"] == 2
    told = await (await client.get("/api/homesync/households")).json()
    assert [each["name"] for each in told] == ["Villa", "Cabin"]


async def test_a_household_tells_its_nodes(
    hass: HomeAssistant, entry: MockConfigEntry, hass_client: ClientSessionGenerator
) -> None:
    client = await hass_client()

    told = await (await client.get("/api/homesync/households/villa")).json()

    (node,) = told["node_list"]
    assert (node["node_id"], node["online"]) == ("plug-1", True)
    assert told["nodes"] == {"total": 1, "online": 1, "refused": 0}


async def test_the_status_tells_why_there_is_no_connection(
    hass: HomeAssistant,
    *,
    entry: MockConfigEntry,
    mosquitto: Mosquitto,
    hass_client: ClientSessionGenerator,
) -> None:
    client = await hass_client()
    path = "/api/homesync/households/villa/status"
    told = await (await client.get(path)).json()
    assert (told["state"], told["connected"], told["error"]) == ("connected", True, None)

    mosquitto.kill()
    await until(
        hass, lambda: (error := coordinator(entry).household.link.error) and error.step == "tcp"
    )
    told = await (await client.get(path)).json()
    assert told["connected"] is False
    assert told["reachable"] is True
    assert (told["error"]["cause"], told["error"]["step"]) == ("refused", "tcp")
    assert (await (await client.get("/api/homesync/stats")).json())["broker"]["connected"] is False


async def test_a_household_that_does_not_run_is_told_as_such(
    hass: HomeAssistant, entry: MockConfigEntry, hass_client: ClientSessionGenerator
) -> None:
    client = await hass_client()
    assert await hass.config_entries.async_unload(entry.entry_id)

    told = await (await client.get("/api/homesync/stats")).json()
    assert told["connections"] == []
    assert told["summary"]["households"] == 0
    (household,) = told["households"]
    assert (household["loaded"], household["state"]) == (False, "not_loaded")
    assert household["statistics"] is household["nodes"] is None
    told = await (await client.get("/api/homesync/households/villa/status")).json()
    assert (told["state"], told["connected"], told["reachable"]) == ("not_loaded", False, False)
    told = await (await client.get("/api/homesync/households/villa")).json()
    assert told["node_list"] == []


async def test_a_home_id_on_two_brokers_needs_the_entry_id(
    hass: HomeAssistant,
    *,
    entry: MockConfigEntry,
    hass_client: ClientSessionGenerator,
) -> None:
    MockConfigEntry(domain="homesync", entry_id="other", data=dict(entry.data)).add_to_hass(hass)
    client = await hass_client()

    answer = await client.get("/api/homesync/households/villa")
    assert answer.status == HTTPStatus.CONFLICT
    assert (await answer.json())["code"] == "ambiguous_household"
    answer = await client.get(f"/api/homesync/households/{entry.entry_id}")
    assert (await answer.json())["entry_id"] == entry.entry_id


@pytest.mark.parametrize(
    ("path", "status", "code"),
    [
        ("stats?household_id=nowhere", HTTPStatus.NOT_FOUND, "unknown_household"),
        ("connections?household_id=nowhere", HTTPStatus.NOT_FOUND, "unknown_household"),
        ("households/nowhere", HTTPStatus.NOT_FOUND, "unknown_household"),
        ("households/nowhere/status", HTTPStatus.NOT_FOUND, "unknown_household"),
        ("households/a%2Fb", HTTPStatus.BAD_REQUEST, "invalid_parameter"),
        ("households/%C3%A9/status", HTTPStatus.BAD_REQUEST, "invalid_parameter"),
        ("stats?household_id=", HTTPStatus.BAD_REQUEST, "invalid_parameter"),
        ("stats?household_id=a%2Fb", HTTPStatus.BAD_REQUEST, "invalid_parameter"),
        ("stats?household_id=villa%20x", HTTPStatus.BAD_REQUEST, "invalid_parameter"),
        ("stats?household_id=villa&household_id=x", HTTPStatus.BAD_REQUEST, "invalid_parameter"),
        ("stats?token=x", HTTPStatus.BAD_REQUEST, "invalid_parameter"),
        ("households?household_id=villa", HTTPStatus.BAD_REQUEST, "invalid_parameter"),
        ("households/villa?household_id=x", HTTPStatus.BAD_REQUEST, "invalid_parameter"),
    ],
)
async def test_what_cannot_be_answered_is_told_as_json(
    entry: MockConfigEntry,
    hass_client: ClientSessionGenerator,
    path: str,
    status: HTTPStatus,
    code: str,
) -> None:
    client = await hass_client()

    answer = await client.get(f"/api/homesync/{path}")

    assert answer.status == status
    told = await answer.json()
    assert told["code"] == code
    assert "nowhere" not in told["message"]


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE", "HEAD"])
async def test_another_method_is_not_allowed(
    hass: HomeAssistant, entry: MockConfigEntry, hass_client: ClientSessionGenerator, method: str
) -> None:
    client = await hass_client()

    for _, path in routes(hass):
        answer = await client.request(method, path.replace("{household_id}", "villa"))
        assert answer.status == HTTPStatus.METHOD_NOT_ALLOWED


async def test_other_origins_are_not_let_in(
    hass: HomeAssistant, entry: MockConfigEntry, hass_client: ClientSessionGenerator
) -> None:
    client = await hass_client()

    answer = await client.get("/api/homesync/stats", headers={"Origin": "https://evil.example"})

    assert not [name for name in answer.headers if name.startswith("Access-Control")]


async def test_no_secret_is_told(
    hass: HomeAssistant,
    *,
    mosquitto: Mosquitto,
    set_up: SetUp,
    hass_client: ClientSessionGenerator,
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.DEBUG)
    await set_up(
        mosquitto.port,
        username=f"user-{CANARY}",
        password=CANARY,
        websocket_port=1,
        websocket_path=f"/mqtt?token={CANARY}",
        websocket_headers=f"X-Key: {CANARY}",
        transport="websocket",
        client_id=CANARY,
    )
    client = await hass_client()

    for _, path in routes(hass):
        answer = await client.get(path.replace("{household_id}", "villa"))
        assert answer.status == HTTPStatus.OK
        text = await answer.text()
        assert CANARY not in text
        assert "127.0.0.1" in text or "status" in path
    assert CANARY not in repr(await respond(hass, "get_statistics"))
    assert CANARY not in caplog.text


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("mqtts://me:secret@broker.example:8883", "mqtts://broker.example:8883"),
        ("wss://broker.example:443/mqtt?token=secret#x", "wss://broker.example:443/mqtt"),
        ("mqtt://a@b@c:1883", "mqtt://c:1883"),
        ("mqtt://fe80::1:1883", "mqtt://fe80::1:1883"),
        ("mqtt://[::1:secret", ""),
    ],
)
def test_an_address_is_shown_without_what_may_be_secret(url: str, shown: str) -> None:
    assert shown_url(url) == shown


async def test_the_action_tells_the_same(
    hass: HomeAssistant, entry: MockConfigEntry, hass_client: ClientSessionGenerator
) -> None:
    client = await hass_client()
    await at_rest(entry)

    for data, query in (({}, ""), ({"config_entry_id": entry.entry_id}, "?household_id=villa")):
        told = await (await client.get(f"/api/homesync/stats{query}")).json()
        assert steady(await respond(hass, "get_statistics", **data)) == steady(told)


def has_the_form(told: Any, written: Any) -> bool:
    """Whether an answer has just the keys that are written; an empty object is left out."""
    match told, written:
        case dict(), dict():
            same = told.keys() == written.keys()
            return not written or (
                same and all(has_the_form(told[key], written[key]) for key in told)
            )
        case list(), list():
            return len(told) == len(written) and all(
                has_the_form(*each) for each in zip(told, written, strict=True)
            )
        case _:
            return told is None or written is None or isinstance(told, type(written))


async def test_every_call_on_the_page_answers_what_is_written(
    hass: HomeAssistant, entry: MockConfigEntry, hass_client: ClientSessionGenerator
) -> None:
    client = await hass_client()
    calls = re.findall(
        r'```sh\ncurl [^\n]*"\$HA(/[^"]*)"\n```\n\n```json\n(.*?)```', PAGE, re.DOTALL
    )
    assert {path.partition("?")[0].replace("villa", "{household_id}") for path, _ in calls} == {
        path for _, path in routes(hass)
    }

    for path, written in calls:
        told = await (await client.get(path)).json()
        assert has_the_form(told, json.loads(written)), path
