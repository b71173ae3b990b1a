"""What can be seen and steered of the newer abilities, line by line."""

from pathlib import Path

import trustme

from simulator.images import ImageServer
from tests.broker import Mosquitto

from .observer import Observer
from .program import simulator

ONE = ("--household", "villa=1", "--interval", "0", "--json", "--control")


async def test_a_node_is_offered_firmware_and_installs_it(
    mosquitto: Mosquitto,
    observer: Observer,
    images: ImageServer,
    authority: trustme.CA,
    tmp_path: Path,
) -> None:
    ca = tmp_path / "authority.pem"
    authority.cert_pem.write_to_path(ca)
    image = images.serve("1.3.0.bin", b"firmware")
    offer = f"version=1.3.0 url={image.url} sha256={image.sha256} size={image.size}"
    async with simulator(*ONE, "--port", mosquitto.port, "--firmware-ca", str(ca)) as program:
        await program.until("event", "ready")
        reply = await program.control(f'offer villa plug-1 {offer} notes="Twice as often."')
        assert reply["available"] == image.available("1.3.0", "Twice as often.").as_json()
        assert (await program.control("state villa plug-1"))["available"] == reply["available"]
        observer.command("ota", image.order("1.3.0", "r1"))
        await observer.wait_for(
            lambda: "success" in [each["status"] for each in observer.installing]
        )
        state = await program.control("state villa plug-1")
        assert (state["firmware"], state["restarts"], state["update"]) == ("1.3.0", 1, None)
        assert state["available"] is None
        record = await program.control("executed villa plug-1")
        assert [each["result"] for each in record["executed"]] == ["1.3.0"]
        assert record["pending"] == []
        assert (await program.control("offer villa plug-1"))["available"] is None


async def test_the_state_tells_everything_about_a_node(
    mosquitto: Mosquitto, observer: Observer
) -> None:
    options = (*ONE, "--port", mosquitto.port, "--model", "Plug M", "--own-command", "say")
    async with simulator(*options, "--firmware", "2.0") as program:
        await program.until("event", "ready")
        observer.command("say", {"word": "hello", "request_id": "r1"})
        observer.command("config", {"config": {"max_power": 7}, "request_id": "r2"})
        observer.command("led", {"action": "identify", "request_id": "r3"})
        await observer.wait_for(lambda: len(observer.answers) == 3)
        state = await program.control("state villa plug-1")
        assert (state["model"], state["firmware"], state["online"]) == ("Plug M", "2.0", True)
        assert (state["identified"], state["restarts"]) == (1, 0)
        assert state["settings"] == {"max_power": 7}
        assert state["led"]["state"] == "off"
        assert state["behaviour"]["ota_stall"] == 0
        record = await program.control("executed villa plug-1")
        assert [each["kind"] for each in record["executed"]] == ["say", "config", "led"]


async def test_misbehaviour_of_installations_is_steered_too(
    mosquitto: Mosquitto, observer: Observer
) -> None:
    async with simulator(*ONE, "--port", mosquitto.port) as program:
        await program.until("event", "ready")
        reply = await program.control("behave villa plug-1 ota_fail=never")
        assert reply["ok"]
        url = "https://127.0.0.1:1/image"
        order = {"action": "install", "version": "2", "url": url, "sha256": 64 * "a"}
        observer.command("ota", {**order, "request_id": "r1"})
        await observer.wait_for(lambda: bool(observer.installing))
        await program.until("event", "update failed")
        record = await program.control("executed villa plug-1")
        assert record["refused"][0]["error"] == "never"


async def test_plain_nodes_are_of_old(mosquitto: Mosquitto, observer: Observer) -> None:
    async with simulator(*ONE, "--plain", "--port", mosquitto.port) as program:
        await program.until("event", "ready")
        observer.command("ota", {"request_id": "r1"})
        await observer.wait_for(lambda: bool(observer.installing))
        assert observer.installing[0]["error"] == "unsupported"
        assert not observer.on("status/info")
        assert not observer.on("status/led")
        (node,) = (await program.control("nodes"))["nodes"]
        assert (node["model"], node["firmware"]) == (None, "1.2.3")
