"""What is queued outlives a Home Assistant that is killed or stopped: a real process."""

from collections.abc import AsyncIterator, Callable
from functools import partial
import json
from pathlib import Path

import pytest

from simulator import Behaviour, Node
from tests.broker import Mosquitto

from .conftest import StartNode
from .plain_home_assistant import PlainHomeAssistant

# Home Assistant starts four times, beside whatever else the machine does.
pytestmark = pytest.mark.timeout(600)

HOMES = ("enqueued", "published", "puback", "answered")


@pytest.fixture(autouse=True)
def _custom_integrations() -> None:
    """Home Assistant runs elsewhere."""


@pytest.fixture
def brokers(start_mosquitto: Callable[..., Mosquitto], tmp_path: Path) -> dict[str, Mosquitto]:
    """One for each household; that of `enqueued` does not run yet."""
    running = {home_id: start_mosquitto() for home_id in HOMES}
    running["enqueued"].stop()
    return running


@pytest.fixture
async def home_assistant(
    tmp_path: Path, brokers: dict[str, Mosquitto]
) -> AsyncIterator[PlainHomeAssistant]:
    folder = tmp_path / "config"
    folder.mkdir()
    plain = PlainHomeAssistant(
        folder,
        [
            {
                "home_id": home_id,
                "host": "127.0.0.1",
                "port": broker.port,
                "client_id": f"homesync_{home_id}",
            }
            for home_id, broker in brokers.items()
        ],
    )
    yield plain
    await plain.kill()


async def test_f51_killed_at_any_moment_each_stored_command_ends_in_one_event_and_is_done_once(
    home_assistant: PlainHomeAssistant, brokers: dict[str, Mosquitto], start_node: StartNode
) -> None:
    nodes: dict[str, Node] = {
        home_id: await start_node("plug-1", home_id, port=broker.port, relay_on=False)
        for home_id, broker in brokers.items()
        if home_id != "enqueued"
    }
    nodes["puback"].behaviour = Behaviour(silent=True)
    nodes["answered"].behaviour = Behaviour(silent=True)
    await home_assistant.start()
    for home_id in nodes:
        await home_assistant.until(partial(connected, brokers, home_id))
    brokers["published"].freeze()

    send(home_assistant, "enqueued", "plug-1", ttl=3600)
    send(home_assistant, "enqueued", "plug-2", ttl=60)
    send(home_assistant, "published", "plug-1", ttl=3600)
    send(home_assistant, "puback", "plug-1", ttl=3600)
    await home_assistant.until(lambda: len(home_assistant.stored("enqueued")) == 2)
    for home_id in ("published", "puback"):
        await home_assistant.until(partial(was_sent, home_assistant, home_id))
    await nodes["puback"].wait_for(lambda: bool(nodes["puback"].executed))
    await home_assistant.until(lambda: "Sending PUBACK" in brokers["puback"].log)
    send(home_assistant, "answered", "plug-1", ttl=3600)
    await home_assistant.until(lambda: was_sent(home_assistant, "answered"))
    await nodes["answered"].wait_for(lambda: bool(nodes["answered"].executed))
    home_assistant.freeze()
    (executed,) = nodes["answered"].executed
    answer = {"request_id": executed.request_id, "status": "success", "result": "on"}
    nodes["answered"].publish("response/command", answer)
    await home_assistant.until(lambda: "/response/command'" in brokers["answered"].log)
    await home_assistant.kill()

    assert home_assistant.events == []
    stored = {home_id: home_assistant.stored(home_id) for home_id in HOMES}
    an_hour_passes(home_assistant.outbox("enqueued"), "plug-2")
    brokers["published"].thaw()
    brokers["enqueued"].start()
    port = brokers["enqueued"].port
    nodes["enqueued"] = await start_node("plug-1", "enqueued", port=port, relay_on=False)
    too_late = await start_node("plug-2", "enqueued", port=port, relay_on=False)
    nodes["puback"].behaviour = nodes["answered"].behaviour = Behaviour()
    await home_assistant.start()
    await home_assistant.until(lambda: len(home_assistant.events) >= 5)

    ended = {(each["home_id"], each["node_id"]): each for each in home_assistant.events}
    assert len(home_assistant.events) == len(ended) == 5
    for home_id, commands in stored.items():
        for command in commands:
            event = ended[home_id, command["node_id"]]
            assert event["request_id"] == command["request_id"]
            late = command["node_id"] == "plug-2"
            assert event["outcome"] == ("expired" if late else "confirmed"), event
    for home_id, node in nodes.items():
        (executed,) = node.executed
        assert executed.request_id == stored[home_id][0]["request_id"]
        assert node.relay is True
    # They had it before, maybe more than once, and knew the request id again.
    assert all(nodes[each].executed[0].receptions >= 2 for each in ("puback", "answered"))
    assert too_late.received == ()
    for home_id in HOMES:
        await home_assistant.until(partial(has_nothing_stored, home_assistant, home_id))


async def test_f52_stopped_with_a_command_that_waits_the_caller_hears_queued_and_it_goes_on(
    home_assistant: PlainHomeAssistant, brokers: dict[str, Mosquitto], start_node: StartNode
) -> None:
    node = await start_node("plug-1", "puback", port=brokers["puback"].port, relay_on=False)
    node.behaviour = Behaviour(deaf=True)
    await home_assistant.start()
    await home_assistant.until(lambda: connected(brokers, "puback"))
    # Sent once, however long it takes until Home Assistant is stopped.
    send(home_assistant, "puback", "plug-1", ttl=3600, timeout=60)
    send(home_assistant, "enqueued", "plug-1", ttl=3600)
    await node.wait_for(lambda: bool(node.received))
    await home_assistant.until(lambda: len(home_assistant.stored("enqueued")) == 1)

    await home_assistant.stop()

    assert [(each["outcome"], each["reason"]) for each in home_assistant.results] == [
        ("queued", "stopped")
    ] * 2
    assert home_assistant.events == []
    log = brokers["puback"].log
    assert "Received DISCONNECT from homesync_puback" in log
    (sent,) = home_assistant.stored("puback")
    (waiting,) = home_assistant.stored("enqueued")
    assert (sent["attempts"], waiting["attempts"]) == (1, 0)
    assert waiting["ttl"] == 3600

    node.behaviour = Behaviour()
    await home_assistant.start()
    await home_assistant.until(lambda: home_assistant.events)
    (event,) = home_assistant.events
    assert (event["outcome"], event["request_id"]) == ("confirmed", sent["request_id"])
    assert [each.request_id for each in node.executed] == [sent["request_id"]]
    assert home_assistant.stored("enqueued") == [waiting]


def send(home_assistant: PlainHomeAssistant, home_id: str, node_id: str, **delivery: float) -> None:
    home_assistant.act(home_id=home_id, node_id=node_id, action="on", queue=True, **delivery)


def connected(brokers: dict[str, Mosquitto], home_id: str) -> bool:
    """Whether Home Assistant has subscribed to what its nodes say."""
    return f"Sending SUBACK to homesync_{home_id}" in brokers[home_id].log


def was_sent(home_assistant: PlainHomeAssistant, home_id: str) -> bool:
    """Whether the file tells that the household's one command was sent."""
    return [each["attempts"] > 0 for each in home_assistant.stored(home_id)] == [True]


def has_nothing_stored(home_assistant: PlainHomeAssistant, home_id: str) -> bool:
    return home_assistant.stored(home_id) == []


def an_hour_passes(outbox: Path, node_id: str) -> None:
    """Let a stored command be as old as if it had waited that long."""
    content = json.loads(outbox.read_bytes())
    for command in content["commands"]:
        if command["node_id"] == node_id:
            command["created"] -= 3600
    outbox.write_text(json.dumps(content))
