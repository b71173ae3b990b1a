"""Answers of the HomeSync dialect, and what they tell of the node."""

import json
from typing import Any

import pytest

from custom_components.homesync.client import (
    Command,
    ConfigCommand,
    HomeSyncDialect,
    LedAction,
    LedCommand,
    LedState,
    RestartCommand,
)
from custom_components.homesync.client.commands import Response, ResponseStatus
from custom_components.homesync.client.errors import ProtocolError
from custom_components.homesync.client.protocol.topics import NodeTopic
from custom_components.homesync.client.records import StatusValue

from .desk import IDENTIFY, OFF, ON, TOGGLE, UPDATE, light

ARRIVAL = 1_738_852_200.0  # 2025-02-06T14:30:00Z
DIALECT = HomeSyncDialect("homesync", "villa")
ANSWER = NodeTopic("plug-1", "response", "command")
LED_OFF = LedCommand(LedAction.OFF)


def answer(**content: Any) -> tuple[Response, list[str]]:
    complaints: list[ProtocolError] = []
    raw = json.dumps({"request_id": "id-1", "status": "success", **content}).encode()
    response = DIALECT.decode_response(ANSWER, raw, ARRIVAL, complaints.append)
    return response, [each.kind for each in complaints]


def told(command: Command, **content: Any) -> dict[str, StatusValue]:
    report = DIALECT.report_of(command, answer(**content)[0])
    return {} if report is None else {str(key): value for key, value in report.fields}


def test_an_answer_names_its_request_and_what_holds_now() -> None:
    response, complaints = answer(result="on", timestamp="2025-02-06T14:29:00Z")
    assert response == Response(
        node_id="plug-1",
        leaf="command",
        request_id="id-1",
        status=ResponseStatus.SUCCESS,
        result="on",
        at=ARRIVAL - 60,
        stamped=True,
    )
    assert not complaints


def test_a_refusal_tells_why() -> None:
    response, complaints = answer(status="error", error="overload protection")
    assert (response.status, response.error) == ("error", "overload protection")
    assert not complaints


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        ("success", "success"),
        ("error", "error"),
        ("accepted", "accepted"),
        ("pending", "accepted"),
        ("progress", "progress"),
    ],
)
def test_an_answer_has_one_of_these_statuses(sent: str, status: str) -> None:
    assert answer(status=sent)[0].status == status


@pytest.mark.parametrize("status", ["ok", "", "Success", None, True, ["success"], {"success": 1}])
def test_an_answer_with_another_status_is_none(status: Any) -> None:
    with pytest.raises(ProtocolError, match="status is none of"):
        answer(status=status)


@pytest.mark.parametrize("request_id", [None, "", 5, "x" * 65, ["id-1"], {}])
def test_an_answer_without_a_request_id_is_none(request_id: Any) -> None:
    with pytest.raises(ProtocolError, match="request_id is"):
        answer(request_id=request_id)


@pytest.mark.parametrize("error", [5, True, "x" * 256, ["why"]])
def test_a_refusal_with_an_unreadable_reason_is_a_refusal_all_the_same(error: Any) -> None:
    response, complaints = answer(status="error", error=error)
    assert (response.status, response.error) == ("error", None)
    assert complaints == ["invalid_field"]


@pytest.mark.parametrize("result", [True, 1, "x" * 256, "", {"state": "on"}])
def test_a_success_with_an_unreadable_result_is_a_success_all_the_same(result: Any) -> None:
    response, complaints = answer(result=result)
    assert (response.status, response.result) == ("success", None)
    assert complaints == ["invalid_field"]


def test_an_answer_that_takes_longer_tells_for_how_long_and_how_far_it_is() -> None:
    response, complaints = answer(status="accepted", wait=120)
    assert (response.wait, response.stage, response.percentage) == (120, None, None)
    response, complaints = answer(status="progress", stage="writing", percentage=99.5)
    assert (response.wait, response.stage, response.percentage) == (None, "writing", 99.5)
    assert not complaints


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("wait", -1),
        ("wait", 1e7),
        ("wait", "120"),
        ("wait", True),
        ("wait", [1]),
        ("percentage", -0.1),
        ("percentage", 100.1),
        ("percentage", "40"),
        ("percentage", {}),
        ("stage", 5),
        ("stage", ""),
        ("stage", "x" * 65),
        ("led", "on"),
        ("led", []),
        ("led", {}),
        ("led", {"state": True}),
        ("config", []),
        ("config", "x"),
        ("config", {"x": "x" * 20_000}),
    ],
)
def test_f34_a_bad_field_is_refused_and_the_answer_counts_all_the_same(
    name: str, value: Any
) -> None:
    response, complaints = answer(status="progress", **{name: value})
    fields = (response.wait, response.percentage, response.stage, response.led, response.settings)
    assert fields == (None,) * 5
    assert len(complaints) == 1


def test_a_config_command_is_answered_with_the_settings_that_now_hold() -> None:
    response, complaints = answer(result="applied", config={"interval": 5, "name": "Küche"})
    assert json.loads(response.settings or "") == {"interval": 5, "name": "Küche"}
    assert "Küche" not in repr(response.settings is None)
    assert not complaints


def test_settings_nested_too_deeply_are_refused() -> None:
    nested: dict[str, Any] = {}
    for _ in range(500):
        nested = {"x": nested}
    response, complaints = answer(config=nested)
    assert (response.settings, complaints) == (None, ["invalid_field"])


def test_a_bad_colour_in_an_answer_leaves_the_rest_of_the_led() -> None:
    response, complaints = answer(led={"state": "on", "brightness": 5, "color": [1, 2]})
    assert response.led == LedState(on=True, brightness=5)
    assert complaints == ["invalid_field"]


@pytest.mark.parametrize(
    ("command", "content", "expected"),
    [
        (ON, {"result": "on"}, {"relay": True}),
        (OFF, {"result": "off"}, {"relay": False}),
        (TOGGLE, {"result": "on"}, {"relay": True}),
        (ON, {"result": "done"}, {}),
        (ON, {}, {}),
        (ON, {"led": {"state": "on"}}, {}),
        (light(brightness=5), {"result": "on"}, {"led": LedState(on=True, brightness=5)}),
        (
            light(color=(1, 2, 3), effect="blink"),
            {"result": "on"},
            {"led": LedState(on=True, color=(1, 2, 3), effect="blink")},
        ),
        (
            light(brightness=5),
            {"result": "on", "led": {"state": "on", "brightness": 4}},
            {"led": LedState(on=True, brightness=4)},
        ),
        (LED_OFF, {"result": "off"}, {"led": LedState(on=False)}),
        (light(brightness=5), {"result": "off"}, {"led": LedState(on=False)}),
        (IDENTIFY, {"result": "identifying"}, {}),
        (UPDATE, {"result": "1.3.0"}, {"firmware": "1.3.0"}),
        (UPDATE, {}, {}),
        (ConfigCommand("{}"), {"result": "on"}, {}),
        (RestartCommand(), {"result": "restarting"}, {}),
    ],
)
def test_a_success_tells_what_now_holds(
    command: Command, content: dict[str, Any], expected: dict[str, StatusValue]
) -> None:
    assert told(command, **content) == expected


@pytest.mark.parametrize("status", ["error", "accepted", "pending", "progress"])
def test_nothing_else_tells_anything_of_the_node(status: str) -> None:
    assert told(ON, status=status, result="on") == {}
