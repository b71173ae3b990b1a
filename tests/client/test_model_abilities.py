"""What a node can do, what its LED shows, and firmware on its way into it."""

import pytest

from custom_components.homesync.client import Firmware, Installation, LedState
from custom_components.homesync.client.model.household import (
    AVAILABLE,
    CAPABILITIES,
    EFFECTS,
    HARDWARE,
    IDENTIFY,
    INSTALLATION,
    LED,
    MANUFACTURER,
    MODEL,
    RESTART,
    HouseholdModel,
    NodeState,
)
from custom_components.homesync.client.protocol.metrics import METRICS
from custom_components.homesync.client.records import StatusKey, StatusReport, StatusValue

NOW = 1_738_852_200.0
FIRMWARE = Firmware(version="1.3.0", url="https://firmware.example/x", sha256="a" * 64)


@pytest.fixture
def model() -> HouseholdModel:
    model = HouseholdModel(2, METRICS)
    model.add("plug-1")
    return model


@pytest.fixture
def node(model: HouseholdModel) -> NodeState:
    return model.nodes["plug-1"]


def tell(
    model: HouseholdModel, *fields: tuple[StatusKey, StatusValue], at: float | None = None
) -> set[str]:
    """Report something, at a time that the node gives or at none; return what changed."""
    report = StatusReport(node_id="plug-1", fields=fields, at=at or NOW, stamped=at is not None)
    return set(model.apply_status(report, live=False))


def can(model: HouseholdModel, *names: str) -> set[str]:
    return tell(model, (StatusKey.CAPABILITIES, names))


def shows(model: HouseholdModel, led: LedState | None, at: float | None = None) -> set[str]:
    return tell(model, (StatusKey.LED, led), at=at)


def test_each_ability_is_told_under_the_key_of_what_it_brings(
    model: HouseholdModel, node: NodeState
) -> None:
    changed = can(model, "relay", "led", "config", "ota", "restart", "identify", "dance")
    assert changed - {"last_seen"} == {CAPABILITIES, LED, RESTART, IDENTIFY}
    assert LED in node.values
    assert node.get(LED) is None
    assert IDENTIFY not in node.values


def test_the_same_abilities_again_are_no_news(model: HouseholdModel) -> None:
    can(model, "led", "restart")
    assert can(model, "led", "restart") == set()


def test_an_ability_that_is_new_is_told_beside_the_old_ones(model: HouseholdModel) -> None:
    can(model, "led")
    assert can(model, "led", "identify") >= {CAPABILITIES, IDENTIFY}


def test_abilities_that_are_taken_back_leave_nothing_to_tell(
    model: HouseholdModel, node: NodeState
) -> None:
    can(model, "led", "identify")
    assert tell(model, (StatusKey.CAPABILITIES, None)) == {CAPABILITIES}
    assert node.get(CAPABILITIES) is None


def test_an_led_that_shows_something_keeps_it_when_the_ability_is_told(
    model: HouseholdModel, node: NodeState
) -> None:
    led = LedState(on=True, brightness=5)
    shows(model, led)
    can(model, "led")
    assert node.get(LED) == led


def test_an_led_keeps_brightness_and_colour_that_it_does_not_tell_but_no_effect(
    model: HouseholdModel, node: NodeState
) -> None:
    shows(model, LedState(on=True, brightness=5, color=(1, 2, 3), effect="blink"))
    assert shows(model, LedState(on=False)) == {LED}
    assert node.get(LED) == LedState(on=False, brightness=5, color=(1, 2, 3))
    assert shows(model, LedState(on=True, color=(9, 9, 9))) == {LED}
    assert node.get(LED) == LedState(on=True, brightness=5, color=(9, 9, 9))
    assert shows(model, LedState(on=True)) == set()


def test_an_led_that_was_taken_back_has_forgotten_all(
    model: HouseholdModel, node: NodeState
) -> None:
    shows(model, LedState(on=True, brightness=5))
    assert shows(model, None) == {LED}
    shows(model, LedState(on=True))
    assert node.get(LED) == LedState(on=True)


def test_f36_of_two_the_older_changes_no_led(model: HouseholdModel, node: NodeState) -> None:
    shows(model, LedState(on=True), at=NOW)
    assert shows(model, LedState(on=False, brightness=5), at=NOW - 1) == set()
    assert node.get(LED) == LedState(on=True)
    assert model.counts["outdated"] == 1


def test_the_rest_of_what_a_node_is_becomes_a_value_each(
    model: HouseholdModel, node: NodeState
) -> None:
    told: dict[StatusKey, StatusValue] = {
        StatusKey.MODEL: "Plug S",
        StatusKey.MANUFACTURER: "Example Works",
        StatusKey.HARDWARE: "rev B",
        StatusKey.EFFECTS: ("rainbow",),
        StatusKey.AVAILABLE: FIRMWARE,
    }
    keys = {MODEL, MANUFACTURER, HARDWARE, EFFECTS, AVAILABLE}
    assert tell(model, *told.items()) == keys
    assert {node.get(key) for key in keys} == set(told.values())
    assert tell(model, *((key, None) for key in told)) == keys


def test_an_installation_is_told_from_its_begin_to_its_end(
    model: HouseholdModel, node: NodeState
) -> None:
    begun = Installation(version="1.3.0")
    under_way = Installation(version="1.3.0", stage="writing", percentage=40.0)
    assert model.set_installation("plug-1", begun) == (INSTALLATION,)
    assert model.set_installation("plug-1", begun) == ()
    assert model.set_installation("plug-1", under_way) == (INSTALLATION,)
    assert node.get(INSTALLATION) == under_way
    assert model.set_installation("plug-1", None) == (INSTALLATION,)
    assert model.set_installation("plug-1", None) == ()
