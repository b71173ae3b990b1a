"""A session and a real broker."""

import asyncio
from pathlib import Path
import re
from unittest.mock import patch

import pytest

from custom_components.homesync.client import ConnectionState, MqttVersion
from custom_components.homesync.client.records import Publication
from tests.broker import Mosquitto

from .link import FILTERS, LOGGER, ProbingLink as Link, told, until

TOPIC = "a/n/status/relay"


@pytest.mark.parametrize("version", [None, *MqttVersion])
async def test_it_connects_subscribes_publishes_and_receives(
    mosquitto: Mosquitto, version: MqttVersion | None
) -> None:
    async with Link(mosquitto.port, version=version) as link:
        await link.connected()
        await link.probed()
        assert link.session.terms is not None
        assert link.session.terms.version is (version or MqttVersion.V5)
        assert link.session.echo is not None
        assert link.session.echo.unproven == ()
        link.session.publish(Publication(TOPIC, b"on"))
        link.session.publish(Publication("a/n/telemetry/x", b"", qos=0))
        link.session.publish(Publication("a/n/elsewhere/x", b"not subscribed"))
        link.session.publish(Publication(TOPIC, b"x" * 100_000, retain=True))
        await until(lambda: len(link.messages) == 3)
        assert link.messages == [
            (TOPIC.encode(), b"on", False),
            (b"a/n/telemetry/x", b"", False),
            (TOPIC.encode(), b"x" * 100_000, False),
        ]
        assert link.batches >= 1
    assert link.states == [
        ConnectionState.CONNECTING,
        ConnectionState.CONNECTED,
        ConnectionState.CONNECTED,  # the probe has ended
        ConnectionState.STOPPING,
        ConnectionState.STOPPED,
    ]
    for topic_filter, qos in FILTERS:
        assert f"{topic_filter} (QoS {qos})" in mosquitto.log


async def test_retained_messages_are_told_from_live_ones(mosquitto: Mosquitto) -> None:
    async with Link(mosquitto.port) as first:
        await first.connected()
        first.session.publish(Publication(TOPIC, b"kept", retain=True))
        await until(lambda: first.messages)
    async with Link(mosquitto.port) as second:
        await until(lambda: second.messages)
    assert first.messages == [(TOPIC.encode(), b"kept", False)]
    assert second.messages == [(TOPIC.encode(), b"kept", True)]


@pytest.mark.parametrize("version", MqttVersion)
async def test_f52_a_clean_stop_says_goodbye_to_the_broker(
    mosquitto: Mosquitto, version: MqttVersion
) -> None:
    async with Link(mosquitto.port, version=version) as link:
        await link.connected()
    await until(lambda: "Client hs-test disconnected." in mosquitto.log)
    assert "Received UNSUBSCRIBE from hs-test" in mosquitto.log
    assert "Received DISCONNECT from hs-test" in mosquitto.log
    assert "hs-test closed its connection" not in mosquitto.log


async def test_f01_nothing_listens_three_tries_then_longer_waits_and_one_line(
    mosquitto: Mosquitto, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO", LOGGER.name)
    mosquitto.stop()
    async with Link(mosquitto.port) as link:
        await link.failed(7)
        assert link.waits == [2, 2, 0.5, 1, 2, 4, 8]
        assert (link.cause, link.step) == ("refused", "tcp")
        assert link.session.state is ConnectionState.DISCONNECTED
        assert len(told(caplog)) == 1
        assert "connection refused" in told(caplog)[0]
        mosquitto.start()
        link.go_on()
        await link.connected()
        assert link.session.error is None
    assert [each.split(":")[1] for each in told(caplog)] == [
        " no connection to its broker",
        " connected to its broker",
    ]


async def test_f02_after_kill_9_it_comes_back_and_each_filter_is_subscribed_once(
    mosquitto: Mosquitto, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO", LOGGER.name)
    async with Link(mosquitto.port) as link:
        await link.connected()
        before = len(mosquitto.log)
        mosquitto.kill()
        await link.failed(3)
        assert (link.cause, link.step) == ("refused", "tcp")
        assert link.waits == [0.5, 1, 2]
        mosquitto.start()
        link.go_on()
        await link.connected()
        log = mosquitto.log[before:]
        assert len(re.findall("Received SUBSCRIBE from hs-test", log)) == 1
        link.session.publish(Publication(TOPIC, b"fresh"))
        await until(lambda: link.messages)
    assert len(told(caplog)) == 3


@pytest.mark.parametrize("version", MqttVersion)
async def test_f03_a_frozen_broker_is_noticed_and_found_again(
    mosquitto: Mosquitto, version: MqttVersion
) -> None:
    async with Link(mosquitto.port, keepalive=1, version=version) as link:
        await link.connected()
        mosquitto.freeze()
        await link.failed()
        assert (link.cause, link.step) == ("silent", "link")
        mosquitto.thaw()
        link.go_on()
        await link.connected()


async def test_pings_keep_a_quiet_connection(mosquitto: Mosquitto) -> None:
    async with Link(mosquitto.port, keepalive=4) as link:
        await link.connected()
        await until(lambda: mosquitto.log.count("Sending PINGRESP to hs-test") >= 2)
        assert link.waits == []


async def test_f18_a_wrong_password_is_an_error_and_a_right_one_is_not(
    tmp_path: Path, socket_enabled: None, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("DEBUG")
    broker = Mosquitto(tmp_path, users={"villa": "right"})
    broker.start()
    try:
        async with Link(broker.port, username="villa", password="canary-wrong") as link:
            await link.failed()
            assert link.session.state is ConnectionState.ERROR
            assert (link.cause, link.step) == ("not_authorised", "connack")
            assert link.waits == [900]
        async with Link(broker.port) as link:
            await link.failed()
            assert link.session.state is ConnectionState.ERROR
        async with Link(broker.port, username="villa", password="right") as link:
            await link.connected()
    finally:
        broker.stop()
    assert "canary" not in caplog.text


async def test_an_unresolvable_name_is_looked_up_at_each_attempt(mosquitto: Mosquitto) -> None:
    loop = asyncio.get_running_loop()
    real, asked = loop.getaddrinfo, []

    async def look_up(host: str, port: int, **options: int) -> object:
        asked.append(host)
        if len(asked) < 3:
            raise OSError(-2, "Name or service not known")
        return await real(mosquitto.host, port, **options)

    with patch.object(loop, "getaddrinfo", look_up):
        async with Link(mosquitto.port, host="broker.example") as link:
            await link.failed(2)
            assert (link.cause, link.step) == ("cannot_resolve", "resolve")
            link.go_on()
            await link.connected()
    assert asked == ["broker.example"] * 3
