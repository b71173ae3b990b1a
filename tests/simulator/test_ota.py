"""Firmware over a real broker and a real HTTPS server."""

from dataclasses import replace
from hashlib import sha256

import aiohttp
import pytest

from simulator import Behaviour, Broker, Event, Node, NodeConfig
from simulator.images import Fault, Image, ImageServer
from simulator.session import End

from .installing import FIRMWARE, FOR_EVER, IMAGE, ended, failure, fetching, install
from .observer import Observer


async def test_an_image_is_fetched_checked_and_started(
    modern_node: Node, observer: Observer, image: Image
) -> None:
    modern_node.offer(image.available("1.3.0", "Measures twice as often."))
    install(observer, image.order("1.3.0"))
    answer = await ended(observer)
    assert (answer["status"], answer["result"]) == ("success", "1.3.0")
    assert observer.installing[0].keys() == {"request_id", "status", "timestamp"}
    assert observer.installing[0]["status"] == "accepted"
    progress = [each for each in observer.installing if each["status"] == "progress"]
    assert [each["percentage"] for each in progress] == list(range(0, 101, 10))
    assert [each["stage"] for each in progress[-4:]] == [
        "downloading",
        "verifying",
        "writing",
        "restarting",
    ]
    assert all(not each.retain and each.qos == 1 for each in observer.on("response/ota"))


async def test_the_new_version_runs_after_a_restart(
    modern_node: Node, observer: Observer, image: Image
) -> None:
    modern_node.offer(image.available("1.3.0"))
    modern_node._reports._booted -= 1000
    install(observer, image.order("1.3.0"))
    await ended(observer)
    assert observer.online == [True, False, True]
    _, left, back = (each.json for each in observer.on("status/online"))
    assert left["reason"] == "update"
    assert (back["uptime"], back["firmware"]) == (0, "1.3.0")
    told = observer.on("status/firmware")[-1]
    assert told.json["version"] == modern_node.firmware == "1.3.0"
    assert observer.on("status/info")[-1].json["available"] is None
    assert observer.seen.index(told) < observer.seen.index(observer.on("response/ota")[-1])
    assert modern_node.update is None
    assert modern_node.restarts == 1
    await modern_node.restart()
    assert modern_node.firmware == "1.3.0"


async def test_an_installation_is_recorded_once_and_its_answer_remembered(
    modern_node: Node, observer: Observer, image: Image, images: ImageServer
) -> None:
    install(observer, image.order("1.3.0"))
    await ended(observer)
    install(observer, image.order("1.3.0"))
    await observer.wait_for(
        lambda: [each["status"] for each in observer.installing].count("success") == 2
    )
    (execution,) = modern_node.executed
    assert (execution.kind, execution.action, execution.result) == ("ota", "install", "1.3.0")
    assert execution.receptions == 2
    assert not execution.pending
    assert len(images.requests) == 1


async def test_an_image_without_size_and_request_id_is_installed_too(
    modern_node: Node, observer: Observer, image: Image, images: ImageServer
) -> None:
    images.spoil(IMAGE, Fault(unsized=True))
    order = {name: value for name, value in image.order("1.3.0").items() if name != "size"}
    observer.command("ota", order)
    await modern_node.wait_for(lambda: bool(modern_node.executed))
    await observer.nothing_more_than(0)
    assert modern_node.firmware == "1.3.0"
    assert not observer.installing


async def test_progress_without_a_known_size_has_no_percentage(
    modern_node: Node, observer: Observer, image: Image, images: ImageServer
) -> None:
    images.spoil(IMAGE, Fault(unsized=True))
    install(
        observer, {name: value for name, value in image.order("1.3.0").items() if name != "size"}
    )
    await ended(observer)
    progress = [each for each in observer.installing if each["status"] == "progress"]
    assert any("percentage" not in each for each in progress)


async def test_progress_is_told_again_while_nothing_moves(
    modern: NodeConfig, broker: Broker, observer: Observer, image: Image, images: ImageServer
) -> None:
    images.spoil(IMAGE, FOR_EVER)
    assert modern.updates is not None
    node = Node(replace(modern, updates=replace(modern.updates, progress_every=0.02)), broker)
    await node.start()
    install(observer, image.order("1.3.0"))
    await observer.wait_for(lambda: len(observer.installing) > 5)
    assert observer.installing[-1]["percentage"] == observer.installing[-2]["percentage"] == 0
    await node.stop()


async def test_a_second_installation_meanwhile_finds_it_busy(
    modern_node: Node, observer: Observer, image: Image, images: ImageServer
) -> None:
    images.spoil(IMAGE, FOR_EVER)
    install(observer, image.order("1.3.0"))
    await fetching(images)
    observer.command("ota", image.order("1.4.0", "r2"))
    assert (await ended(observer, "r2"))["error"] == "busy"
    install(observer, image.order("1.3.0"))
    await modern_node.wait_for(lambda: modern_node.pending[0].receptions == 2)
    await observer.wait_for(lambda: observer.installing[-1]["request_id"] == "r1")
    assert observer.installing[-1]["status"] == "progress"
    assert modern_node.executed == ()
    assert [each.request_id for each in modern_node.pending] == ["r1"]


async def test_it_goes_on_with_other_commands_meanwhile(
    modern_node: Node, observer: Observer, image: Image, images: ImageServer
) -> None:
    images.spoil(IMAGE, FOR_EVER)
    install(observer, image.order("1.3.0"))
    await fetching(images)
    observer.command("relay", {"action": "on", "request_id": "r2"})
    await observer.wait_for(lambda: len(observer.answers) == 1)
    assert observer.answers[0]["result"] == "on"


@pytest.mark.parametrize("clean", [True, False])
async def test_an_installation_that_is_interrupted_says_so(
    modern_node: Node, observer: Observer, image: Image, images: ImageServer, *, clean: bool
) -> None:
    images.spoil(IMAGE, FOR_EVER)
    install(observer, image.order("1.3.0"))
    await fetching(images)
    await modern_node.restart(clean=clean)
    assert (await ended(observer))["error"] == "interrupted"
    images.spoil(IMAGE, None)
    observer.command("ota", image.order("1.3.0", "r2"))
    assert (await ended(observer, "r2"))["result"] == "1.3.0"
    assert len(modern_node.refused) == len(modern_node.executed) == 1


async def test_a_stalled_installation_sends_no_further_word(
    modern_node: Node, observer: Observer, image: Image, events: list[Event]
) -> None:
    modern_node.behaviour = Behaviour(ota_stall=40)
    install(observer, image.order("1.3.0"))
    await modern_node.wait_for(lambda: events[-1].details.get("percentage") == 40)
    await observer.wait_for(
        lambda: [each.get("percentage") for each in observer.installing[-1:]] == [40]
    )
    assert modern_node.firmware == "1.2.3"
    observer.command("ota", image.order("1.4.0", "r2"))
    assert (await ended(observer, "r2"))["error"] == "busy"
    await modern_node.restart()
    assert (await ended(observer))["error"] == "interrupted"


async def test_an_installation_may_fail_as_it_is_told(
    modern_node: Node, observer: Observer, image: Image, images: ImageServer
) -> None:
    modern_node.behaviour = Behaviour(ota_fail="flash worn out", twice=True)
    assert await failure(observer, image.order("1.3.0")) == "flash worn out"
    await observer.wait_for(lambda: len(observer.installing) == 6)
    states = [each["status"] for each in observer.installing]
    assert states == ["accepted"] * 2 + ["progress"] * 2 + ["error"] * 2
    assert images.requests == []


async def test_a_silent_node_installs_without_a_word(
    modern_node: Node, observer: Observer, image: Image
) -> None:
    modern_node.behaviour = Behaviour(silent=True)
    install(observer, image.order("1.3.0"))
    await observer.wait_for(lambda: observer.on("status/firmware")[-1].json["version"] == "1.3.0")
    await modern_node.wait_for(lambda: bool(modern_node.executed))
    await observer.nothing_more_than(0)
    assert not observer.installing


async def test_an_error_that_nobody_could_hear_is_told_after_the_reconnect(
    modern_node: Node, observer: Observer, image: Image, images: ImageServer
) -> None:
    images.spoil(IMAGE, FOR_EVER)
    install(observer, image.order("1.3.0"))
    await fetching(images)
    home, modern_node.broker = modern_node.broker, Broker(port=1)
    assert modern_node._session is not None
    modern_node._session.finish(End.LOST)
    await modern_node.wait_for(lambda: not modern_node.online)
    await images.stop()
    await modern_node.wait_for(lambda: bool(modern_node.refused))
    modern_node.broker = home
    answer = await ended(observer)
    assert str(answer["error"]).startswith("download failed: ")
    assert modern_node.restarts == 0


async def test_the_server_serves_a_catalogue(
    modern: NodeConfig, images: ImageServer, image: Image
) -> None:
    document = [{"version": "1.3.0", "sha256": sha256(FIRMWARE).hexdigest()}]
    url = images.serve_json("catalogue.json", document)
    assert modern.updates is not None
    tls = modern.updates.ssl_context()
    async with aiohttp.ClientSession() as session, session.get(url, ssl=tls) as response:
        assert await response.json() == document
    assert image.sha256 == document[0]["sha256"]
    assert images.requests == ["catalogue.json"]
