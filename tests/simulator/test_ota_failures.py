"""Images that are bad, and servers that are."""

from dataclasses import replace

import pytest
import trustme

from simulator import Broker, Node, NodeConfig, Updates
from simulator.images import Fault, Image, ImageServer

from .installing import FIRMWARE, FOR_EVER, IMAGE, ended, failure, install
from .observer import Observer


@pytest.mark.parametrize(
    ("fault", "error"),
    [
        (Fault(wrong=True), "hash mismatch"),
        (Fault(extra=1), "too large"),
        (Fault(extra=1, unsized=True), "too large"),
        (Fault(status=404), "download failed: HTTP 404"),
    ],
)
async def test_a_bad_image_is_not_started(
    modern_node: Node,
    observer: Observer,
    image: Image,
    images: ImageServer,
    *,
    fault: Fault,
    error: str,
) -> None:
    images.spoil(IMAGE, fault)
    assert await failure(observer, image.order("1.3.0")) == error
    assert modern_node.firmware == "1.2.3"
    assert modern_node.executed == ()
    assert [each.error for each in modern_node.refused] == [error]
    assert modern_node.restarts == 0


async def test_an_image_beyond_the_nodes_memory_is_too_large(
    modern_node: Node, observer: Observer, images: ImageServer
) -> None:
    image = images.serve("huge.bin", bytes(1_000_001))
    order = {name: value for name, value in image.order("1.3.0").items() if name != "size"}
    assert await failure(observer, order) == "too large"


async def test_an_image_that_is_shorter_than_said_is_refused(
    modern_node: Node, observer: Observer, image: Image
) -> None:
    order = {**image.order("1.3.0"), "size": len(FIRMWARE) + 1}
    assert await failure(observer, order) == "size mismatch"


async def test_a_redirect_to_another_host_is_refused(
    modern_node: Node, observer: Observer, image: Image, images: ImageServer
) -> None:
    elsewhere = images.url(IMAGE, host="localhost")
    images.spoil("moved.bin", Fault(redirect=elsewhere))
    order = {**image.order("1.3.0"), "url": images.url("moved.bin")}
    assert await failure(observer, order) == "redirect refused"
    assert images.requests == ["moved.bin"]


async def test_a_redirect_away_from_https_is_refused(
    modern_node: Node, observer: Observer, image: Image, images: ImageServer
) -> None:
    plain = image.url.replace("https:", "http:")
    images.spoil("moved.bin", Fault(redirect=plain))
    order = {**image.order("1.3.0"), "url": images.url("moved.bin")}
    assert await failure(observer, order) == "redirect refused"


async def test_a_redirect_on_the_same_host_is_followed(
    modern_node: Node, observer: Observer, image: Image, images: ImageServer
) -> None:
    images.spoil("moved.bin", Fault(redirect=f"/{IMAGE}"))
    install(observer, {**image.order("1.3.0"), "url": images.url("moved.bin")})
    assert (await ended(observer))["status"] == "success"


async def test_redirects_in_a_circle_end(
    modern_node: Node, observer: Observer, image: Image, images: ImageServer
) -> None:
    images.spoil(IMAGE, Fault(redirect=image.url))
    assert await failure(observer, image.order("1.3.0")) == "download failed: too many redirects"


@pytest.mark.parametrize("url", ["https://127.0.0.1:1/x", "https://127.0.0.1:99999/x"])
async def test_a_server_that_cannot_be_reached_is_told(
    modern_node: Node, observer: Observer, image: Image, url: str
) -> None:
    error = await failure(observer, {**image.order("1.3.0"), "url": url})
    assert str(error).startswith("download failed: ")
    assert len(str(error)) <= 255


async def test_a_server_that_is_not_trusted_is_not_asked_for_an_image(
    modern: NodeConfig, broker: Broker, observer: Observer, image: Image, images: ImageServer
) -> None:
    assert modern.updates is not None
    assert modern.updates.ca is not None
    stranger = modern.updates.ca.with_name("stranger.pem")
    trustme.CA().cert_pem.write_to_path(stranger)
    node = Node(replace(modern, updates=Updates(ca=stranger)), broker)
    await node.start()
    error = await failure(observer, image.order("1.3.0"))
    assert str(error).startswith("download failed: ")
    assert "CERTIFICATE_VERIFY_FAILED" in str(error)
    assert images.requests == []
    await node.stop()


async def test_a_server_that_says_nothing_any_more_is_given_up(
    modern: NodeConfig, broker: Broker, observer: Observer, image: Image, images: ImageServer
) -> None:
    images.spoil(IMAGE, FOR_EVER)
    assert modern.updates is not None
    node = Node(replace(modern, updates=replace(modern.updates, timeout=0.2)), broker)
    await node.start()
    assert await failure(observer, image.order("1.3.0")) == "download failed: timed out"
    await node.stop()
