"""What a node is and can do, its LED, its newer firmware; and whatever strangers invent."""

from functools import partial
import json
from typing import Any

from hypothesis import given, strategies as st
import pytest

from custom_components.homesync.client import Firmware, HomeSyncDialect, LedState
from custom_components.homesync.client.errors import ProtocolError
from custom_components.homesync.client.protocol.topics import NodeTopic
from custom_components.homesync.client.records import StatusReport, StatusValue

from .refusals import refusal

ARRIVAL = 1_738_852_200.0  # 2025-02-06T14:30:00Z
DIALECT = HomeSyncDialect("homesync", "villa")
FIRMWARE: dict[str, Any] = {
    "version": "1.3.0",
    "url": "https://firmware.example/plug-s-1.3.0.bin",
    "sha256": "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
    "size": 412_672,
    "notes": "Measures twice as often.",
}


def decode(leaf: str, payload: bytes) -> tuple[StatusReport, int]:
    complaints: list[ProtocolError] = []
    target = NodeTopic("plug-1", "status", leaf)
    report = DIALECT.decode_status(target, payload, ARRIVAL, complaints.append)
    return report, len(complaints)


def fields(leaf: str, **content: Any) -> tuple[dict[str, StatusValue], int]:
    report, complaints = decode(leaf, json.dumps(content).encode())
    return {str(key): value for key, value in report.fields}, complaints


@pytest.mark.parametrize(
    ("content", "led"),
    [
        ({"state": "on"}, LedState(on=True)),
        ({"state": "off", "brightness": 0}, LedState(on=False, brightness=0)),
        (
            {"state": "on", "brightness": 200, "color": [255, 120, 0], "effect": "rainbow"},
            LedState(on=True, brightness=200, color=(255, 120, 0), effect="rainbow"),
        ),
        ({"state": "on", "brightness": None, "color": None}, LedState(on=True)),
    ],
)
def test_an_led_tells_what_it_shows(content: dict[str, Any], led: LedState) -> None:
    assert fields("led", **content) == ({"led": led}, 0)


@pytest.mark.parametrize("leaf", ["led", "info"])
def test_any_of_them_may_carry_the_uptime(leaf: str) -> None:
    found, complaints = fields(leaf, state="on", uptime=5)
    assert (found["uptime"], complaints) == (5, 0)
    found, complaints = fields(leaf, state="on", uptime="long")
    assert ("uptime" in found, complaints) == (False, 1)


@pytest.mark.parametrize(
    "bad",
    [
        {"brightness": 256},
        {"brightness": -1},
        {"brightness": "5"},
        {"brightness": True},
        {"color": [1, 2]},
        {"color": [1, 2, 3, 4]},
        {"color": [1, 2, 256]},
        {"color": [1, 2, "3"]},
        {"color": "red"},
        {"color": {"r": 1}},
        {"effect": 5},
        {"effect": ""},
        {"effect": "x" * 65},
    ],
)
def test_f34_a_bad_field_of_an_led_leaves_the_others(bad: dict[str, Any]) -> None:
    good = {"brightness": 5, "color": [1, 2, 3], "effect": "blink"}
    expected = {"brightness": 5, "color": (1, 2, 3), "effect": "blink"}
    expected[next(iter(bad))] = None
    found = fields("led", state="on", **{**good, **bad})
    assert found == ({"led": LedState(on=True, **expected)}, 1)  # type: ignore[arg-type]  # a table


@pytest.mark.parametrize("state", [None, True, "ON", 1, ["on"]])
def test_an_led_of_which_nobody_knows_whether_it_is_on_is_refused(state: Any) -> None:
    with pytest.raises(ProtocolError, match="state is neither"):
        fields("led", state=state, brightness=5)


@pytest.mark.parametrize("leaf", ["info", "firmware"])
def test_info_may_come_on_either_topic(leaf: str) -> None:
    version = {"version": "1.2.3"} if leaf == "firmware" else {}
    content: dict[str, Any] = {
        "model": "Plug S",
        "manufacturer": "Example Works",
        "hardware": "rev B",
        "capabilities": ["relay", "led", "dance"],
        "effects": ["rainbow"],
        "available": FIRMWARE,
    }
    found, complaints = fields(leaf, **version, **content)
    assert found == {
        **({"firmware": "1.2.3"} if leaf == "firmware" else {}),
        **content,
        "capabilities": ("relay", "led", "dance"),
        "effects": ("rainbow",),
        "available": Firmware(**FIRMWARE),
    }
    assert not complaints


def test_what_is_not_sent_keeps_its_value_and_null_takes_it_back() -> None:
    assert fields("info", model="Plug S") == ({"model": "Plug S"}, 0)
    assert fields("info", available=None, model=None) == ({"available": None, "model": None}, 0)
    assert fields("info") == ({}, 0)
    assert fields("firmware", version="1", effects=None) == ({"firmware": "1", "effects": None}, 0)
    assert fields("firmware", version=None) == ({}, 1)


def test_f39_an_empty_payload_takes_all_of_the_topic_back() -> None:
    report, _ = decode("info", b"")
    assert {str(key): value for key, value in report.fields} == dict.fromkeys(
        ("model", "manufacturer", "hardware", "capabilities", "effects", "available")
    )
    report, _ = decode("led", b"")
    assert report.fields == (("led", None),)


@pytest.mark.parametrize("name", ["capabilities", "effects"])
@pytest.mark.parametrize(
    "value", ["led", 5, True, {}, [1], ["led", None], ["led", ""], [["led"]], ["x" * 65]]
)
def test_f34_a_list_of_something_else_is_refused(name: str, value: Any) -> None:
    assert fields("info", model="Plug S", **{name: value}) == ({"model": "Plug S"}, 1)


@pytest.mark.parametrize("name", ["capabilities", "effects"])
def test_of_a_long_list_the_first_32_names_are_taken_and_each_once(name: str) -> None:
    names = [f"own-{number}" for number in range(100)]
    assert fields("info", **{name: names}) == ({name: tuple(names[:32])}, 0)
    assert fields("info", **{name: ["led", "relay", "led"]}) == ({name: ("led", "relay")}, 0)
    assert fields("info", **{name: []}) == ({name: ()}, 0)


@pytest.mark.parametrize(
    "bad",
    [
        {"version": None},
        {"version": 1.3},
        {"version": "x" * 65},
        {"url": None},
        {"url": "http://firmware.example/x"},
        {"url": "javascript:alert(1)"},
        {"url": "https://firmware.example/a b"},
        {"url": "https://"},
        {"url": "https://" + "x" * 3000},
        {"sha256": None},
        {"sha256": "a" * 63},
        {"sha256": "g" * 64},
        {"sha256": 5},
        {"size": 0},
        {"size": -1},
        {"size": 1.5},
        {"size": "412672"},
        {"size": True},
        {"notes": 5},
        {"notes": "x" * 256},
    ],
)
def test_s12_firmware_that_no_node_should_be_sent_is_not_offered(bad: dict[str, Any]) -> None:
    found = fields("info", model="Plug S", available={**FIRMWARE, **bad})
    assert found == ({"model": "Plug S"}, 1)


@pytest.mark.parametrize("value", ["1.3.0", [], 5, True, {}])
def test_firmware_is_an_object(value: Any) -> None:
    assert fields("info", available=value) == ({}, 1)


@pytest.mark.parametrize("missing", [{"size": None}, {"notes": None}, {"notes": ""}])
def test_size_and_notes_of_firmware_may_be_missing(missing: dict[str, Any]) -> None:
    found, complaints = fields("info", available={**FIRMWARE, **missing})
    wanted: dict[str, Any] = {
        name: value or None for name, value in {**FIRMWARE, **missing}.items()
    }
    assert (found, complaints) == ({"available": Firmware(**wanted)}, 0)


leaves = st.sampled_from(
    [("status", leaf) for leaf in ("online", "relay", "led", "firmware", "info", "rssi")]
    + [("response", "command"), ("response", "ota"), ("telemetry", "power"), ("telemetry", "own")]
)
words = [
    "online",
    "state",
    "relay",
    "brightness",
    "color",
    "effect",
    "version",
    "firmware",
    "model",
    "manufacturer",
    "hardware",
    "capabilities",
    "effects",
    "available",
    "value",
    "rssi",
    "uptime",
    "timestamp",
    "url",
    "sha256",
    "size",
    "notes",
    "request_id",
    "status",
    "result",
    "error",
    "wait",
    "stage",
    "percentage",
    "led",
    "config",
    "unit",
    "quality",
]
values: st.SearchStrategy[Any] = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=300)
    | st.sampled_from(["on", "success", "progress", "id-1", FIRMWARE]),
    lambda inner: st.lists(inner) | st.dictionaries(st.sampled_from(words) | st.text(), inner),
    max_leaves=8,
)


@given(leaves, st.dictionaries(st.sampled_from(words), values), st.booleans())
def test_any_json_on_any_topic_is_decoded_or_refused(
    target: tuple[str, str], content: dict[str, Any], answers: bool
) -> None:
    if answers:
        content = {**content, "request_id": "id-1", "status": "success", "state": "on", "value": 1}
    check(*target, json.dumps(content).encode())


@given(leaves, st.binary() | values.map(lambda value: json.dumps(value).encode()))
def test_any_payload_on_any_topic_is_decoded_or_refused(
    target: tuple[str, str], payload: bytes
) -> None:
    check(*target, payload)


def check(branch: str, leaf: str, payload: bytes) -> None:
    complaints: list[ProtocolError] = []
    decoders: dict[str, Any] = {
        "telemetry": DIALECT.decode_reading,
        "status": DIALECT.decode_status,
        "response": DIALECT.decode_response,
    }
    target = NodeTopic("plug-1", branch, leaf)
    decode = partial(decoders[branch], target, payload, ARRIVAL, complaints.append)
    refused = refusal(decode)
    known = {None, "malformed_json", "invalid_field", "out_of_range", "unknown_unit"}
    assert {refused, *(each.kind for each in complaints)} <= known
