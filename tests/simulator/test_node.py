"""The life of a node: status, last will, reconnecting, telemetry."""

import asyncio
from collections.abc import Callable
import os
from pathlib import Path
import socket
import threading

import pytest
import trustme

from simulator import Broker, Event, Fleet, Node, NodeConfig, NotConnected
from tests.broker import Mosquitto

from .observer import Observer

PLUG = "homesync/villa/nodes/plug-1"


def config(**changes: object) -> NodeConfig:
    fields: dict[str, object] = {"home_id": "villa", "node_id": "plug-1", "interval": None}
    return NodeConfig(**{**fields, **changes})  # type: ignore[arg-type]  # a test is loose here


async def failing(broker: Broker) -> Node:
    """Let a node fail to connect, and leave it trying."""
    events: list[Event] = []
    node = Node(config(backoff_min=60.0, backoff_max=60.0), broker, on_event=events.append)
    node.launch()
    await node.wait_for(lambda: bool(events))
    assert [each.name for each in events] == ["cannot connect"]
    return node


async def test_it_greets_with_retained_status_and_online_first(
    node: Node, observer: Observer
) -> None:
    assert [each.topic.removeprefix(f"{PLUG}/") for each in observer.seen] == [
        "status/online",
        "status/firmware",
        "status/rssi",
        "status/relay",
    ]
    assert all(each.retain and each.qos == 1 for each in observer.seen)
    online, firmware, rssi, relay = (each.json for each in observer.seen)
    assert online["online"] is True
    assert online["firmware"] == firmware["version"] == "1.2.3"
    assert online["uptime"] == 0
    assert -150 <= rssi["value"] <= 0
    assert relay["state"] == "off"
    assert all("timestamp" in each.json for each in observer.seen)


async def test_a_clean_stop_says_offline_and_sends_no_will(
    node: Node, observer: Observer, mosquitto: Mosquitto
) -> None:
    await node.stop()
    await observer.wait_for(lambda: observer.online == [True, False])
    farewell = observer.on("status/online")[-1]
    assert farewell.json == {"online": False, "reason": "shutdown"}
    assert farewell.retain
    later = Observer("later")
    await later.start(mosquitto)
    await later.wait_for(lambda: later.online == [False])
    assert "Received DISCONNECT from villa.plug-1" in mosquitto.log
    await later.stop()


async def test_a_silent_death_makes_the_broker_send_the_will(
    node: Node, observer: Observer, mosquitto: Mosquitto
) -> None:
    node.die()
    assert not node.running
    await observer.wait_for(lambda: observer.online == [True, False])
    will = observer.on("status/online")[-1]
    assert will.json == {"online": False, "reason": "unexpected_disconnect"}
    assert will.retain
    assert "Received DISCONNECT from villa.plug-1" not in mosquitto.log


async def test_after_death_it_can_start_again(node: Node, observer: Observer) -> None:
    node.die()
    await node.start()
    await observer.wait_for(lambda: observer.online == [True, False, True])
    assert node.connections == 2


async def test_starts_and_ends_may_come_faster_than_they_are_carried_out(
    node: Node, observer: Observer
) -> None:
    before = asyncio.all_tasks()
    node.die()
    node.launch()
    node.die()
    node.launch()
    await node.stop()
    assert asyncio.all_tasks() < before
    await node.start()
    await observer.wait_for(lambda: observer.online == [True, False, True])


@pytest.mark.parametrize(("clean", "reason"), [(True, "restart"), (False, "unexpected_disconnect")])
async def test_a_restart_goes_away_and_comes_back(
    node: Node, observer: Observer, *, clean: bool, reason: str
) -> None:
    await node.restart(clean=clean)
    await observer.wait_for(lambda: observer.online == [True, False, True])
    assert observer.on("status/online")[1].json["reason"] == reason


async def test_a_request_is_remembered_over_a_restart(node: Node, observer: Observer) -> None:
    observer.command("relay", {"action": "toggle", "request_id": "r1"})
    await observer.wait_for(lambda: len(observer.answers) == 1)
    await node.restart()
    observer.command("relay", {"action": "toggle", "request_id": "r1"})
    await observer.wait_for(lambda: len(observer.answers) == 2)
    assert node.relay is True


async def test_it_comes_back_by_itself_after_the_broker_was_killed(
    node: Node, broker: Broker, mosquitto: Mosquitto, events: list[Event]
) -> None:
    mosquitto.kill()
    await node.wait_for(lambda: events[-1].name == "cannot connect")
    assert not node.online
    assert node.running
    with pytest.raises(NotConnected):
        node.publish("status/relay", {"state": "on"})
    mosquitto.start()
    await node.wait_for(lambda: node.connections == 2)
    later = Observer("later")
    await later.start(mosquitto)
    await later.wait_for(lambda: later.online == [True] and len(later.seen) == 4)
    await later.stop()


async def test_it_can_be_stopped_while_the_broker_is_away(
    node: Node, mosquitto: Mosquitto, events: list[Event]
) -> None:
    mosquitto.kill()
    await node.wait_for(lambda: events[-1].name == "cannot connect")
    await node.stop()
    assert not node.running


async def test_a_stop_does_not_wait_for_a_broker_that_stands_still(
    node: Node, mosquitto: Mosquitto, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("simulator.link._CLOSE_TIMEOUT", 0.05)
    mosquitto.freeze()
    await node.stop()
    mosquitto.thaw()


async def test_drained_waits_for_the_acknowledgement(node: Node, mosquitto: Mosquitto) -> None:
    await node.drained()
    mosquitto.freeze()
    node.press()
    draining = asyncio.ensure_future(node.drained())
    await asyncio.wait({draining}, timeout=0.05)
    assert not draining.done()
    mosquitto.thaw()
    await draining


async def test_start_says_why_it_failed(broker: Broker, mosquitto: Mosquitto) -> None:
    mosquitto.stop()
    node = await failing(broker)
    with pytest.raises(TimeoutError, match=r"villa\.plug-1 not online .* Connect call"):
        await node.start(timeout=0.01)
    assert not node.running


async def test_a_connection_closed_before_its_answer_is_tried_again(
    socket_enabled: None,
) -> None:
    def hang_up(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.close()

    server = await asyncio.start_server(hang_up, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    events: list[Event] = []
    fast = config(backoff_min=0.01, backoff_max=0.02)
    node = Node(fast, Broker(port=port), on_event=events.append)
    node.launch()
    await node.wait_for(lambda: len(events) == 2)
    assert events[1].details == {"error": "closed by the broker"}
    await node.stop()
    server.close()
    await server.wait_closed()


async def test_a_wrong_password_is_told_and_the_right_one_works(
    start_mosquitto: Callable[..., Mosquitto],
) -> None:
    mosquitto = start_mosquitto(users={"villa": "right"})
    wrong = Broker(port=mosquitto.port, username="villa", password="wrong")
    node = await failing(wrong)
    with pytest.raises(TimeoutError, match="not authorised"):
        await node.start(timeout=0.01)
    node.broker = Broker(port=mosquitto.port, username="villa", password="right")
    await node.start()
    await node.stop()
    assert "right" not in repr(node.broker)


async def test_a_refused_subscription_is_told(
    broker: Broker, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def refuse(*_: object) -> bool:
        return False

    # mosquitto grants what its ACL forbids, so the refusal is made here.
    monkeypatch.setattr("simulator.link.Link.subscribe", refuse)
    node = await failing(broker)
    with pytest.raises(TimeoutError, match="subscription refused"):
        await node.start(timeout=0.01)


async def test_tls_with_a_ca_of_ones_own(
    tmp_path: Path, start_mosquitto: Callable[..., Mosquitto]
) -> None:
    ca = trustme.CA()
    ca.cert_pem.write_to_path(tmp_path / "ca.pem")
    certificate = ca.issue_cert("127.0.0.1")
    certificate.private_key_pem.write_to_path(tmp_path / "key.pem")
    certificate.cert_chain_pems[0].write_to_path(tmp_path / "cert.pem")
    files = (f"certfile {tmp_path}/cert.pem", f"keyfile {tmp_path}/key.pem")
    mosquitto = start_mosquitto(settings=files)
    node = Node(config(), Broker(port=mosquitto.port, tls_ca=tmp_path / "ca.pem"))
    await node.start()
    node.die()
    await node.start()
    await node.stop()
    distrustful = await failing(Broker(port=mosquitto.port, tls=True))
    with pytest.raises(TimeoutError, match="CERTIFICATE_VERIFY_FAILED"):
        await distrustful.start(timeout=0.01)
    assert "Received DISCONNECT from villa.plug-1" in mosquitto.log


async def test_mqtt_5_takes_a_burst_beyond_the_brokers_window(
    broker: Broker, observer: Observer
) -> None:
    node = Node(config(mqtt_version=5), broker)
    await node.start()
    for number in range(100):
        node.publish("response/command", {"request_id": str(number)})
    await node.drained()
    await observer.wait_for(lambda: len(observer.answers) == 100)
    await node.stop()


async def test_telemetry_is_neither_retained_nor_acknowledged(
    node: Node, observer: Observer
) -> None:
    await node.send_telemetry({"power": 12.5, "voltage": {"value": "text"}})
    await observer.wait_for(lambda: bool(observer.on("telemetry/voltage")))
    power = observer.on("telemetry/power")[0]
    assert (power.qos, power.retain) == (0, False)
    assert power.json["value"] == 12.5
    assert power.json["unit"] == "W"
    assert 0 <= power.json["quality"] <= 100
    assert "timestamp" in power.json
    assert observer.on("telemetry/voltage")[0].json == {"value": "text"}


async def test_telemetry_comes_by_itself_at_its_interval(
    broker: Broker, observer: Observer
) -> None:
    node = Node(config(interval=0.02), broker)
    await node.start()
    await observer.wait_for(lambda: len(observer.on("telemetry/power")) >= 3)
    await node.stop()


async def test_a_node_without_relay_does_not_speak_of_one(
    broker: Broker, observer: Observer
) -> None:
    node = Node(config(has_relay=False), broker)
    await node.start()
    observer.command("relay", {"action": "on", "request_id": "r1"})
    await observer.wait_for(lambda: len(observer.answers) == 1)
    assert observer.answers[0]["error"] == "unsupported"
    assert not observer.on("status/relay")
    with pytest.raises(ValueError, match="no relay"):
        node.press()
    await node.stop()


async def test_the_button_on_the_device_is_reported(node: Node, observer: Observer) -> None:
    node.press()
    await observer.wait_for(lambda: len(observer.on("status/relay")) == 2)
    assert observer.on("status/relay")[-1].json["state"] == "on"


async def test_nothing_is_left_after_stop(broker: Broker) -> None:
    before = _resources()
    fleet = Fleet.build(broker, {"villa": 8, "cabin": 4}, interval=0.05)
    await fleet.start()
    assert len(fleet) == 12
    assert fleet.online
    fleet["cabin", "plug-2"].die()
    await fleet.stop()
    # Fewer is fine: what earlier tests left may go meanwhile.
    for now, was in zip(_resources(), before, strict=True):
        assert now <= was


def _resources() -> tuple[int, int, int]:
    """Count tasks, threads and open files."""
    tasks, threads = len(asyncio.all_tasks()), threading.active_count()
    return tasks, threads, len(os.listdir("/dev/fd"))  # noqa: PTH208


async def test_a_fleet_that_cannot_start_is_stopped(socket_enabled: None) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        silent = Broker(port=server.getsockname()[1])
        fleet = Fleet.build(silent, {"villa": 3})
        with pytest.raises(TimeoutError):
            await fleet.start(timeout=0.1)
    assert not any(node.running for node in fleet)


@pytest.mark.parametrize("name", ["", "a b", "a/b", "x" * 65, "ä", "_echo"])
def test_an_impossible_node_id_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match=r"no id|reserved"):
        config(node_id=name)


@pytest.mark.parametrize(
    "changes", [{"prefix": "a//b"}, {"prefix": "a/#"}, {"interval": -1}, {"interval": float("nan")}]
)
def test_settings_that_make_no_sense_are_refused(changes: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=r"no prefix|no interval"):
        config(**changes)


def test_an_impossible_port_is_refused() -> None:
    with pytest.raises(ValueError, match="no port"):
        Broker(port=65_536)
