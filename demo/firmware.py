"""Newer firmware for the nodes: an HTTPS server of its own authority, and who may use it."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
import ssl

import trustme

from simulator.images import Fault, Image, ImageServer

from .nodes import Nodes
from .ports import LOOPBACK

VERSION = "1.3.0"
NOTES = "Measures twice as often."

_NAME = "plug-s-1.3.0.bin"
_IMAGE = bytes(range(256)) * 512
# Each 4 KiB take so long that a person sees the percentage rise: about 4 s in all.
_SLOW = 0.12


@asynccontextmanager
async def serve_firmware(
    folder: Path, port: int, slow: float = _SLOW
) -> AsyncIterator[tuple[Image, Path]]:
    """Give the image that is served, and the authority's certificate for those who fetch it."""
    tls, certificate = _issue(folder)
    async with ImageServer(tls, LOOPBACK, port) as server:
        yield server.serve(_NAME, _IMAGE, Fault(slow=slow)), certificate


async def announce(nodes: Nodes, node_ids: tuple[str, ...], image: Image) -> None:
    """Let nodes know of the newer firmware, as if their maker had told them."""
    facts = {"version": VERSION, "notes": NOTES, **image.available(VERSION).as_json()}
    words = [f"'{name}={value}'" for name, value in facts.items()]
    for node_id in node_ids:
        await nodes.on_node("offer", node_id, *words)


def _issue(folder: Path) -> tuple[ssl.SSLContext, Path]:
    """Give a server's certificate and the file of the new authority that signed it."""
    folder.mkdir(exist_ok=True)
    authority = trustme.CA()
    certificate = folder / "authority.pem"
    authority.cert_pem.write_to_path(certificate)
    tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert(LOOPBACK).configure_cert(tls)
    return tls, certificate
