"""Secrets are planted in every field that takes one, and looked for wherever people look."""

from collections.abc import Callable, Iterator
import logging
from pathlib import Path
from typing import Any
from unittest.mock import patch

from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    PrivateFormat,
    load_pem_private_key,
)
from homeassistant.core import HomeAssistant
from homeassistant.exceptions import HomeAssistantError
import pytest
import trustme

from custom_components.homesync.diagnostics import async_get_config_entry_diagnostics
from tests.broker import Mosquitto, free_port

from .actions import act, respond, send
from .canaries import CANARY, OwnEvents, everything_downloaded, everything_shown, logged
from .certificates import certificate_of, listener, pem_of
from .conftest import SetUp, StartNode, StartScripted
from .flows import begin, submit, typed
from .lookup import connection_state, coordinator, device_id, is_connected, state
from .scripted import refusal_5
from .waiting import reached, until
from .wire import Wire

OURS = "custom_components.homesync"
RELAY = ("switch", "plug-1", "status/relay")
COMMENT = f"# {CANARY}-comment\n"
WIFI = {"wifi": {"ssid": "home", "password": f"{CANARY}-wifi"}}


@pytest.fixture(autouse=True)
def _no_canary_in_our_log(caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    """Home Assistant itself logs, at debug, every event and thus what actions were given."""
    caplog.set_level(logging.DEBUG)
    yield
    assert CANARY not in logged(caplog, OURS)


@pytest.fixture
def me(authority: trustme.CA) -> dict[str, str]:
    """Every credential that a household can have."""
    identity = authority.issue_cert("villa@homesync.example")
    key = load_pem_private_key(identity.private_key_pem.bytes(), None)
    lock = BestAvailableEncryption(f"{CANARY}-passphrase".encode())
    encrypted = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, lock).decode()
    return {
        "username": f"{CANARY}-user",
        "password": f"{CANARY}-password",
        "ca": COMMENT + pem_of(authority),
        "client_certificate": COMMENT + certificate_of(identity),
        "client_key": COMMENT + encrypted,
        "client_key_passphrase": f"{CANARY}-passphrase",
        "websocket_headers": f"Authorization: {CANARY}-header",
    }


def no_canary(hass: HomeAssistant, events: OwnEvents, *others: object) -> None:
    assert CANARY not in everything_shown(hass)
    assert CANARY not in repr(events.told)
    assert CANARY not in repr(others)


async def test_s06_credentials_that_work_come_up_nowhere(
    hass: HomeAssistant,
    *,
    start_mosquitto: Callable[..., Mosquitto],
    set_up: SetUp,
    tmp_path: Path,
    authority: trustme.CA,
    me: dict[str, str],
    caplog: pytest.LogCaptureFixture,
) -> None:
    side_door = free_port()
    broker = start_mosquitto(
        users={me["username"]: me["password"], "wire": "wire"},
        settings=(
            *listener(tmp_path, authority, clients=authority),
            f"listener {side_door} 127.0.0.1",
            "protocol mqtt",
        ),
    )
    events = OwnEvents(hass)
    entry = await set_up(broker.port, tls=True, websocket_port=free_port(), **me)
    await until(hass, lambda: is_connected(hass, entry))
    wire = Wire(side_door, username="wire", password="wire")
    await wire.open()
    wire.say("status/relay", {"state": "on"})
    await until(hass, lambda: state(hass, entry, *RELAY) == "on")
    await wire.close()

    no_canary(hass, events)
    assert CANARY not in await everything_downloaded(hass, entry, "plug-1")
    broker.kill()
    await until(hass, lambda: not is_connected(hass, entry))
    no_canary(hass, events, coordinator(entry).household.link.error)
    assert CANARY not in await everything_downloaded(hass, entry, "plug-1")
    assert "Household Villa: disconnected" in logged(caplog, OURS)


@pytest.mark.parametrize("transport", ["tcp", "websocket"])
async def test_s06_credentials_that_are_refused_come_up_nowhere(
    hass: HomeAssistant,
    *,
    start_mosquitto: Callable[..., Mosquitto],
    set_up: SetUp,
    me: dict[str, str],
    transport: str,
) -> None:
    websocket = ("protocol websockets",) if transport == "websocket" else ()
    broker = start_mosquitto(users={"another": "one"}, settings=websocket)
    events = OwnEvents(hass)
    entry = await set_up(broker.port, transport=transport, websocket_port=broker.port, **me)
    await until(hass, lambda: connection_state(hass, entry) == "error")

    assert events.told
    no_canary(hass, events, coordinator(entry).household.link.error)
    assert CANARY not in await everything_downloaded(hass, entry)


@pytest.mark.parametrize(
    "field", ["ca", "client_certificate", "client_key", "client_key_passphrase"]
)
async def test_s06_credentials_that_cannot_be_used_come_up_nowhere(
    hass: HomeAssistant, set_up: SetUp, me: dict[str, str], field: str
) -> None:
    me[field] = f"{CANARY}-junk"
    entry = await _set_up_in_vain(hass, set_up, me)

    assert entry.reason
    assert CANARY not in everything_shown(hass)
    assert CANARY not in repr(await async_get_config_entry_diagnostics(hass, entry))


async def _set_up_in_vain(hass: HomeAssistant, set_up: SetUp, me: dict[str, str]) -> Any:
    with pytest.raises(AssertionError):
        await set_up(free_port(), tls=True, **me)
    (entry,) = hass.config_entries.async_entries("homesync")
    return entry


@pytest.mark.parametrize("transport", ["tcp", "websocket"])
@pytest.mark.parametrize(
    "host",
    [
        f"me:{CANARY}@127.0.0.1",
        f"mqtts://me:{CANARY}@127.0.0.1",
        f"https://me:p@{CANARY}@127.0.0.1/mqtt",
    ],
)
async def test_s06_a_password_in_the_address_is_refused_and_does_not_come_back(
    hass: HomeAssistant, socket_enabled: None, host: str, transport: str
) -> None:
    port = free_port()
    flow = await begin(hass)
    result = await submit(
        hass, flow, typed(port, host=host, transport=transport, websocket_port=port)
    )

    assert result["errors"] == {"host": "invalid_host"}
    assert CANARY not in repr(result)
    assert CANARY not in everything_shown(hass)
    result = await submit(hass, flow, typed(port))
    assert result["errors"] == {"port": "refused"}


async def test_s06_a_password_in_the_catalogues_address_is_refused(
    hass: HomeAssistant, mosquitto: Mosquitto, set_up: SetUp
) -> None:
    entry = await set_up(mosquitto.port)
    await until(hass, lambda: is_connected(hass, entry))
    form = await hass.config_entries.options.async_init(entry.entry_id)
    address = f"https://me:{CANARY}@firmware.example/catalogue.json"

    result = await hass.config_entries.options.async_configure(
        form["flow_id"], {"firmware": {"firmware_catalogue": address}}
    )

    assert result["errors"] == {"base": "invalid_firmware_catalogue"}
    assert CANARY not in repr(result["description_placeholders"])
    assert CANARY not in everything_shown(hass)


async def test_s06_secrets_that_commands_carry_go_to_the_node_alone(
    hass: HomeAssistant, mosquitto: Mosquitto, set_up: SetUp, start_node: StartNode
) -> None:
    events = OwnEvents(hass)
    entry = await set_up(mosquitto.port)
    node = await start_node()
    await until(hass, lambda: state(hass, entry, *RELAY) is not None)
    target = device_id(hass, entry, "plug-1")

    told = [await send(hass, target, command="config", config=WIFI)]
    # The node says what it has set; only the caller hears it.
    assert told[0].pop("settings") == WIFI
    assert any(CANARY in repr(each.payload) for each in node.received)
    node.die()
    await until(hass, lambda: state(hass, entry, *RELAY) == "unavailable")
    told.append(await send(hass, target, command="config", config=WIFI))
    queued = send(hass, target, command="config", config=WIFI, queue=True)
    call = hass.async_create_background_task(queued, "queued")
    await reached(lambda: coordinator(entry).household.commands.waiting == 1)

    no_canary(hass, events, told)
    assert CANARY not in await everything_downloaded(hass, entry, "plug-1")
    await respond(hass, "cancel_commands", device_id=target)
    no_canary(hass, events, await call)


@pytest.mark.parametrize(
    ("action", "data"),
    [
        (
            "install_firmware",
            {"version": "2", "sha256": "0" * 64, "url": f"https://me:{CANARY}@x.example/i"},
        ),
        ("install_firmware", {"version": "2", "sha256": CANARY, "url": "https://x.example/i"}),
        ("send_command", {"command": "relay", "action": "on", "config": WIFI}),
        ("send_command", {"command": "config"}),
    ],
)
async def test_s06_actions_that_fail_do_not_repeat_what_they_were_given(
    hass: HomeAssistant,
    *,
    mosquitto: Mosquitto,
    set_up: SetUp,
    start_node: StartNode,
    action: str,
    data: dict[str, Any],
) -> None:
    events = OwnEvents(hass)
    entry = await set_up(mosquitto.port)
    await start_node()
    await until(hass, lambda: state(hass, entry, *RELAY) is not None)

    with pytest.raises(HomeAssistantError) as caught:
        await act(hass, action, device_id=device_id(hass, entry, "plug-1"), **data)

    no_canary(hass, events, caught.value, str(caught.value))


async def test_s06_an_unexpected_failure_logs_no_credential(
    hass: HomeAssistant, set_up: SetUp, socket_enabled: None, me: dict[str, str]
) -> None:
    events = OwnEvents(hass)
    failing = patch(
        "custom_components.homesync.client.transport.connection.open_stream",
        side_effect=RuntimeError("broken"),
    )
    plain = {key: value for key, value in me.items() if key in ("username", "password")}
    with failing:
        entry = await set_up(free_port(), **plain)
        await until(hass, lambda: coordinator(entry).household.link.error)
        no_canary(hass, events)
        await hass.config_entries.async_unload(entry.entry_id)


async def test_s15_what_a_broker_says_cannot_forge_lines_of_the_log(
    hass: HomeAssistant,
    start_scripted: StartScripted,
    set_up: SetUp,
    caplog: pytest.LogCaptureFixture,
) -> None:
    broker = await start_scripted(
        connack=refusal_5(0x9D, "a\n\x1b[31mHousehold Villa: forged"), version=5
    )
    entry = await set_up(broker.port)
    await until(hass, lambda: connection_state(hass, entry) == "error")

    for record in caplog.get_records("call"):
        if record.name.startswith(OURS):
            assert "\n" not in record.getMessage()
            assert "\x1b" not in record.getMessage()
