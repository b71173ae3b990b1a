"""Fixtures of the transport's tests."""

from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass
import ssl
from typing import Any

import aiohttp
import pytest
import trustme

from custom_components.homesync.client import BrokerSettings, retained

from .chaos import Proxy
from .link import Means, Way
from .scripted import Script, ScriptedBroker
from .web import WebFront


@pytest.fixture(scope="session")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture(scope="session")
def broker_tls(authority: trustme.CA) -> ssl.SSLContext:
    """What a broker on the loopback address shows."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    return context


@pytest.fixture
def client_tls(authority: trustme.CA) -> ssl.SSLContext:
    """A client's context that trusts the authority."""
    context = ssl.create_default_context()
    authority.configure_trust(context)
    return context


@pytest.fixture(autouse=True)
def _short_look(monkeypatch: pytest.MonkeyPatch) -> None:
    """Look for retained messages only for as long as a broker on this machine needs."""
    monkeypatch.setattr(retained, "_STEP", 0.1)
    monkeypatch.setattr(retained, "_QUIET", 0.4)


@pytest.fixture
async def http(socket_enabled: None) -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession() as session:
        yield session


@pytest.fixture
def means(
    broker_tls: ssl.SSLContext, client_tls: ssl.SSLContext, http: aiohttp.ClientSession
) -> Means:
    return Means(broker_tls, client_tls, http)


@dataclass(slots=True)
class Stage:
    """A scripted broker behind a chaos proxy; `settings` lead to it the chosen way."""

    broker: ScriptedBroker
    proxy: Proxy
    settings: BrokerSettings
    front: WebFront | None = None


type Serve = Callable[..., Any]


@pytest.fixture
async def serve(means: Means) -> AsyncIterator[Serve]:
    """Play a script to clients that come the given way; everything ends with the test."""
    async with AsyncExitStack() as stack:

        async def start(script: Script, way: Way = Way.TCP, **changes: Any) -> Stage:
            tls = means.broker_tls if way is Way.TLS else None
            broker = await stack.enter_async_context(ScriptedBroker(script, tls))
            front = None
            target = broker.port
            if way is Way.WSS:
                front = await stack.enter_async_context(WebFront(broker.port, means.broker_tls))
                target = front.port
            proxy = await stack.enter_async_context(Proxy(target))
            return Stage(broker, proxy, means.settings(way, proxy.port, **changes), front)

        yield start
