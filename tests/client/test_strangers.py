"""Others on the same broker: forged answers, foreign households, floods."""

import asyncio
from itertools import product
import json

import pytest

from custom_components.homesync.client import Outcome, RelayAction, RelayCommand
from tests.broker import Mosquitto

from ..transport.link import until
from .home import Home, Stranger

ON = RelayCommand(RelayAction.ON)


async def test_s02_two_households_on_one_broker_never_see_each_other(
    mosquitto: Mosquitto,
) -> None:
    async with (
        Home(mosquitto, "villa") as villa,
        Home(mosquitto, "chalet") as chalet,
        Stranger(mosquitto) as stranger,
    ):
        for home_id, relay in (("villa", "on"), ("chalet", "off")):
            stranger.publish(f"{home_id}/nodes/plug-1/status/relay", f'{{"state": "{relay}"}}')
            stranger.publish(f"{home_id}/nodes/only-{home_id}/status/online", '{"online": true}')
        for home in (villa, chalet):
            await until(lambda home=home: len(home.household.nodes) == 2)  # type: ignore[misc]  # mypy cannot follow
        assert list(villa.household.nodes) == ["plug-1", "only-villa"]
        assert list(chalet.household.nodes) == ["plug-1", "only-chalet"]
        assert villa.plug.get("status/relay") is True
        assert chalet.plug.get("status/relay") is False
        assert "foreign_topic" not in {**villa.household.counts, **chalet.household.counts}


async def test_s02_an_answer_from_anywhere_else_confirms_nothing(mosquitto: Mosquitto) -> None:
    async with (
        Home(mosquitto, "villa") as villa,
        Home(mosquitto, "chalet") as chalet,
        Stranger(mosquitto) as stranger,
    ):
        for home, node_id in product((villa, chalet), ("plug-1", "plug-2")):
            home.household.restore_node(node_id)
        task = asyncio.create_task(villa.household.commands.execute("plug-1", ON))
        await until(lambda: stranger.seen)
        ((topic, payload),) = stranger.seen
        assert topic == "homesync/villa/nodes/plug-1/command/relay"
        answer = {
            "request_id": json.loads(payload)["request_id"],
            "status": "success",
            "result": "on",
        }
        forged = json.dumps(answer)
        for home_id, node_id, leaf in product(
            ("villa", "chalet"), ("plug-1", "plug-2"), ("command", "ota")
        ):
            if (home_id, node_id, leaf) != ("villa", "plug-1", "command"):
                stranger.publish(f"{home_id}/nodes/{node_id}/response/{leaf}", forged)
        wrong = json.dumps({**answer, "request_id": "0" * 32})
        stranger.publish("villa/nodes/plug-1/response/command", wrong)
        await villa.counted("unmatched_answer", 1)
        await villa.counted("foreign_answer", 2)
        await villa.counted("misplaced_answer", 1)
        await chalet.counted("unmatched_answer", 4)
        assert not task.done()
        assert villa.plug.get("status/relay") is None
        stranger.publish("villa/nodes/plug-1/response/command", forged)
        assert (await task).outcome is Outcome.CONFIRMED


async def test_s03_a_retained_answer_from_before_the_start_is_ignored(
    mosquitto: Mosquitto,
) -> None:
    async with Stranger(mosquitto) as stranger:
        answer = '{"request_id": "x", "status": "success", "result": "on"}'
        stranger.publish("villa/nodes/plug-1/response/command", answer, retain=True)
        stranger.publish("villa/nodes/plug-1/status/relay", '{"state": "off"}', retain=True)
        async with Home(mosquitto) as home:
            await home.knows("status/relay", False)
            home.household.restore_node("plug-1")
        async with Home(mosquitto) as home:
            home.household.restore_node("plug-1")
            await home.knows("status/relay", False)
            assert "confirmed" not in home.household.counts


async def test_s04_invented_nodes_end_at_the_limit(mosquitto: Mosquitto) -> None:
    async with Home(mosquitto, max_nodes=10) as home, Stranger(mosquitto) as stranger:
        refused: list[str] = []
        home.household.on_node_refused = refused.append
        stranger.publish_all(
            (f"villa/nodes/n-{number}/telemetry/power", '{"value": 1}') for number in range(500)
        )
        await home.counted("node_refused", 490)
        assert list(home.household.nodes) == [f"n-{number}" for number in range(10)]
        assert len(refused) == 490
        assert len(home.household._intake._routes) <= 10


async def test_a_topic_is_resolved_once_and_then_remembered(
    mosquitto: Mosquitto, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with Home(mosquitto) as home, Stranger(mosquitto) as stranger:
        resolved: list[bytes] = []
        real = home.household._dialect.resolve

        def resolve(topic: bytes) -> object:
            resolved.append(topic)
            return real(topic)

        monkeypatch.setattr(home.household._dialect, "resolve", resolve)
        home.household.restore_node("plug-1")
        stranger.publish_all(
            ("villa/nodes/plug-1/telemetry/power", f'{{"value": {number}}}') for number in range(50)
        )
        await home.knows("telemetry/power", 49)
        assert len(resolved) == 1


async def test_f38_after_a_flood_the_newest_values_are_right(mosquitto: Mosquitto) -> None:
    async with Home(mosquitto) as home, Stranger(mosquitto) as stranger:
        for burst in range(20):
            stranger.publish_all(
                (
                    f"villa/nodes/plug-{number % 10}/telemetry/power",
                    f'{{"value": {number // 10 + burst * 100}}}',
                )
                for number in range(1000)
            )
            await asyncio.sleep(0)
        for node in range(10):
            await home.knows("telemetry/power", 1999, f"plug-{node}")
        assert len(home.changes) <= 20_010
        assert set(home.household.counts) <= {"superseded"}
