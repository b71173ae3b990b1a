"""What a node tells of itself, its LED, its restarts and commands of its own."""

from collections.abc import Mapping
from dataclasses import replace

import pytest

from simulator import Available, Broker, Event, Info, Led, Node, NodeConfig, Refused
from tests.broker import Mosquitto

from .observer import Observer

NEWER = Available(
    version="1.3.0", url="https://firmware.example/1.3.0.bin", sha256=64 * "a", size=10
)


async def test_it_tells_what_it_is_and_can_do(modern_node: Node, observer: Observer) -> None:
    (info,) = observer.on("status/info")
    assert (info.qos, info.retain) == (1, True)
    assert {name: value for name, value in info.json.items() if name != "timestamp"} == {
        "model": "Plug S",
        "manufacturer": "Example Works",
        "hardware": "rev B",
        "capabilities": ["relay", "led", "identify", "config", "ota", "restart"],
        "effects": ["rainbow", "blink"],
        "available": None,
    }
    (led,) = observer.on("status/led")
    assert (led.qos, led.retain) == (1, True)
    assert led.json["state"] == "off"


async def test_a_node_of_old_tells_nothing_and_reports_no_led(
    node: Node, observer: Observer
) -> None:
    observer.command("led", {"action": "on", "request_id": "r1"})
    await observer.wait_for(lambda: len(observer.answers) == 1)
    await node.drained()
    await observer.nothing_more_than(1)
    assert not observer.on("status/info")
    assert not observer.on("status/led")
    assert node.led.on


async def test_a_node_may_report_its_led_and_announce_nothing(
    modern: NodeConfig, broker: Broker, observer: Observer
) -> None:
    node = Node(replace(modern, info=None, reports_led=True), broker)
    await node.start()
    await observer.wait_for(lambda: bool(observer.on("status/led")))
    assert not observer.on("status/info")
    with pytest.raises(ValueError, match="announces nothing"):
        node.offer(NEWER)
    await node.stop()


async def test_a_node_without_led_announces_none(
    modern: NodeConfig, broker: Broker, observer: Observer
) -> None:
    node = Node(replace(modern, has_led=False, updates=None), broker)
    await node.start()
    observer.command("led", {"action": "on", "request_id": "r1"})
    await observer.wait_for(lambda: len(observer.answers) == 1)
    assert observer.answers[0]["error"] == "unsupported"
    info = observer.on("status/info")[0].json
    assert info["capabilities"] == ["relay", "config", "restart"]
    assert info["effects"] == []
    assert not observer.on("status/led")
    with pytest.raises(ValueError, match="no LED"):
        node.show(Led())
    await node.stop()


async def test_what_it_announces_can_be_chosen(
    modern: NodeConfig, broker: Broker, observer: Observer
) -> None:
    info = Info(
        model=None, manufacturer="Me", hardware=None, capabilities=("led",), available=NEWER
    )
    node = Node(replace(modern, info=info), broker)
    await node.start()
    await observer.wait_for(lambda: bool(observer.on("status/led")))
    told = observer.on("status/info")[0].json
    assert "model" not in told
    assert "hardware" not in told
    assert told["manufacturer"] == "Me"
    assert told["capabilities"] == ["led"]
    assert told["available"] == {
        "version": "1.3.0",
        "url": "https://firmware.example/1.3.0.bin",
        "sha256": 64 * "a",
        "size": 10,
    }
    await node.stop()


async def test_newer_firmware_is_announced_and_taken_back(
    modern_node: Node, observer: Observer
) -> None:
    modern_node.offer(NEWER)
    modern_node.offer(None)
    await observer.wait_for(lambda: len(observer.on("status/info")) == 3)
    _, offered, withdrawn = (each.json["available"] for each in observer.on("status/info"))
    assert offered["version"] == "1.3.0"
    assert withdrawn is None


async def test_the_led_is_reported_after_every_change(
    modern_node: Node, observer: Observer
) -> None:
    lit = {"action": "on", "brightness": 9, "color": [1, 2, 3], "effect": "blink"}
    observer.command("led", {**lit, "request_id": "r1"})
    await observer.wait_for(lambda: len(observer.on("status/led")) == 2)
    shown = {"state": "on", "brightness": 9, "color": [1, 2, 3], "effect": "blink"}
    assert observer.answers[0]["result"] == "on"
    assert observer.answers[0]["led"] == shown
    reported = observer.on("status/led")[-1]
    assert reported.retain
    assert reported.json.items() >= shown.items()
    modern_node.show(Led())
    await observer.wait_for(lambda: len(observer.on("status/led")) == 3)
    assert observer.on("status/led")[-1].json["state"] == "off"
    assert "effect" not in observer.on("status/led")[-1].json


async def test_an_effect_that_was_not_listed_is_refused(
    modern_node: Node, observer: Observer
) -> None:
    observer.command("led", {"action": "on", "effect": "fire", "request_id": "r1"})
    await observer.wait_for(lambda: len(observer.answers) == 1)
    assert observer.answers[0]["error"] == "unknown effect"
    assert not modern_node.led.on


async def test_identify_blinks_and_shows_again_what_was_shown(
    modern: NodeConfig, broker: Broker, observer: Observer, events: list[Event]
) -> None:
    node = Node(replace(modern, identify_seconds=0.05), broker, on_event=events.append)
    await node.start()
    for number in range(2):
        observer.command("led", {"action": "identify", "request_id": f"r{number}"})
    await observer.wait_for(lambda: len(observer.answers) == 2)
    assert observer.answers[0]["result"] == "off"
    assert observer.answers[0]["led"]["state"] == "off"
    await node.wait_for(lambda: node.identified == 2 and not node.identifying)
    assert "blinked" in [event.name for event in events]
    assert node.led == Led()
    assert len(observer.on("status/led")) == 1
    await node.stop()


async def test_a_led_that_is_set_stops_blinking(modern_node: Node, observer: Observer) -> None:
    observer.command("led", {"action": "identify"})
    await modern_node.wait_for(lambda: modern_node.identifying)
    observer.command("led", {"action": "on"})
    await modern_node.wait_for(lambda: not modern_node.identifying)
    assert modern_node.led.on


async def test_the_answer_to_config_tells_what_holds_now(
    modern_node: Node, observer: Observer
) -> None:
    observer.command("config", {"config": {"a": 1, "b": 2}, "request_id": "r1"})
    observer.command("config", {"config": {"b": 3}, "request_id": "r2"})
    await observer.wait_for(lambda: len(observer.answers) == 2)
    assert [each["config"] for each in observer.answers] == [{"a": 1, "b": 2}, {"a": 1, "b": 3}]


@pytest.mark.parametrize("version", [4, 5])
async def test_restart_answers_and_then_really_restarts(
    modern: NodeConfig, broker: Broker, observer: Observer, mosquitto: Mosquitto, version: int
) -> None:
    config = replace(modern, mqtt_version=version)  # type: ignore[arg-type]  # one of the two
    node = Node(config, broker)
    await node.start()
    node._reports._booted -= 1000
    command = {"request_id": "r1"}
    observer.command("restart", command)
    await observer.wait_for(lambda: observer.online == [True, False, True])
    await node.wait_online()
    observer.command("restart", command)
    await observer.wait_for(lambda: len(observer.answers) == 2)
    assert observer.answers[0] | {"timestamp": ""} == observer.answers[1] | {"timestamp": ""}
    answered, left = observer.on("response/command")[0], observer.on("status/online")[1]
    assert answered.json["result"] == "restarting"
    assert observer.seen.index(answered) < observer.seen.index(left)
    assert left.json == {"online": False, "reason": "restart"}
    assert "Received DISCONNECT from villa.plug-1" in mosquitto.log
    assert observer.on("status/online")[2].json["uptime"] == 0
    assert node.restarts == 1
    assert [each.kind for each in node.executed] == ["restart"]
    await node.stop()


def beep(fields: Mapping[str, object]) -> str:
    if fields.get("times") == 0:
        raise Refused("nothing to do")
    return f"beeped {fields['times']} times"


async def test_commands_of_its_own_are_functions_or_an_echo(
    modern: NodeConfig, broker: Broker, observer: Observer
) -> None:
    node = Node(replace(modern, own_commands={"beep": beep, "say": None}), broker)
    await node.start()
    observer.command("beep", {"times": 3, "request_id": "r1", "timestamp": "now"})
    observer.command("beep", {"times": 0, "request_id": "r2"})
    observer.command("say", {"word": "hé", "request_id": "r3", "timestamp": "now"})
    observer.command("sing", {"request_id": "r4"})
    await observer.wait_for(lambda: len(observer.answers) == 4)
    outcomes = [each.get("result", each.get("error")) for each in observer.answers]
    assert outcomes == ["beeped 3 times", "nothing to do", '{"word": "hé"}', "unsupported"]
    assert observer.on("status/info")[0].json["capabilities"][-2:] == ["beep", "say"]
    assert [each.kind for each in node.executed] == ["beep", "say"]
    await node.stop()


@pytest.mark.parametrize("kind", ["relay", "a b", ""])
def test_a_command_of_ones_own_needs_a_name_of_its_own(modern: NodeConfig, kind: str) -> None:
    with pytest.raises(ValueError, match="one's own"):
        replace(modern, own_commands={kind: None})
