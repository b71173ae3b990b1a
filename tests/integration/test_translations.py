"""Every text and icon that is asked for is there, with what it needs to be filled in."""

import json
from pathlib import Path
import re
from string import Formatter
from typing import Any

from homeassistant.data_entry_flow import section
from homeassistant.helpers.entity import EntityDescription
from homeassistant.helpers.selector import SelectSelector
import pytest
import voluptuous as vol
import yaml

from custom_components import homesync
from custom_components.homesync import (
    binary_sensor,
    broker_form,
    button,
    config_flow,
    errors,
    figure_sensors,
    household_sensors,
    issues,
    light,
    options_flow,
    repairs,
    sensor,
    switch,
    update,
)
from custom_components.homesync.client import (
    PRESETS,
    Cause,
    CommandResult,
    ConnectionState,
    Outcome,
    Reason,
)
from custom_components.homesync.const import PLATFORMS
from custom_components.homesync.services import ACTIONS

FOLDER = Path(homesync.__file__).parent
TEXTS: dict[str, Any] = json.loads((FOLDER / "translations" / "en.json").read_text())
ICONS: dict[str, Any] = json.loads((FOLDER / "icons.json").read_text())
SERVICES: dict[str, Any] = yaml.safe_load((FOLDER / "services.yaml").read_text())

DESCRIPTIONS: dict[str, list[EntityDescription]] = {
    "binary_sensor": [
        binary_sensor.CONNECTED,
        *binary_sensor.ALERTS.values(),
        binary_sensor.TELEMETRY_THINNED,
        binary_sensor.NODE_ONLINE,
    ],
    "button": [button.RECONNECT, *button.NODE_BUTTONS.values()],
    "light": [light.LED_LIGHT],
    "sensor": [
        *household_sensors.HOUSEHOLD_SENSORS,
        household_sensors.CLIENT_CERTIFICATE,
        *figure_sensors.FIGURES,
        *sensor.VALUE_SENSORS.values(),
        *sensor.TIME_SENSORS.values(),
        sensor.OTHER_METRIC,
    ],
    "switch": [switch.RELAY_SWITCH],
    "update": [update.NODE_FIRMWARE],
}
# An order that is too late has a text per whether it was sent.
OF_REASONS = {reason.value for reason in Reason if reason is not Reason.TOO_LATE} | {
    "refused_without_reason",
    "expired",
    "expired_unknown",
}
GOOD = (Outcome.CONFIRMED, Outcome.QUEUED)
OF_COMMANDS = {"node", "household", "detail", "attempts"}
EXCEPTIONS = {
    **dict.fromkeys(sorted(OF_REASONS), OF_COMMANDS),
    "not_a_node": {"device"},
    "no_node": set[str](),
    "nodes_or_household": set[str](),
    "use_install_firmware": set[str](),
    "action_not_for_command": {"command", "action"},
    "field_not_for_command": {"command", "fields"},
    "field_missing": {"command", "fields"},
    "firmware_incomplete": {"fields"},
    "several_failed": {"count", "total", "details"},
    "setting_not_allowed": {"field", "detail"},
    "no_connection": {"household"},
    "broker_busy": {"household"},
    "message_too_large": {"household", "size", "limit"},
    "cannot_look": {"household"},
    "not_cleared": {"household", "count"},
    "invalid_setting": {"field", "detail"},
    "no_newer_firmware": {"node", "household"},
    "firmware_not_newer": {"node", "version", "installed"},
    "firmware_host": {"node", "household", "version", "host"},
    "firmware_address": {"node", "household", "version", "host"},
    "unknown_effect": {"node", "effect"},
}
OF_FORMS = {"detail", "name", "home_id", "host", "prefix"}


def placeholders(text: str) -> set[str]:
    return {name for _, name, _, _ in Formatter().parse(text) if name is not None}


def leaves(branch: dict[str, Any]) -> list[str]:
    found: list[str] = []
    for value in branch.values():
        found += leaves(value) if isinstance(value, dict) else [value]
    return found


def source() -> str:
    return "\n".join(path.read_text() for path in FOLDER.glob("*.py"))


@pytest.mark.parametrize("platform", DESCRIPTIONS)
def test_entities_have_names_and_icons_and_nothing_is_left_over(platform: str) -> None:
    keys = {each.translation_key for each in DESCRIPTIONS[platform] if each.translation_key}
    assert set(TEXTS["entity"][platform]) == keys
    assert set(ICONS["entity"][platform]) == keys
    for key in keys:
        assert TEXTS["entity"][platform][key]["name"]
    for each in DESCRIPTIONS[platform]:
        # Without a text of its own the device class gives the name and the icon.
        assert each.translation_key or each.device_class


def test_every_platform_is_covered() -> None:
    assert set(DESCRIPTIONS) == {str(platform) for platform in PLATFORMS}
    assert set(TEXTS["entity"]) == set(ICONS["entity"]) == set(DESCRIPTIONS)


def test_all_states_and_causes_of_a_connection_have_texts() -> None:
    texts = TEXTS["entity"]["sensor"]["connection_state"]
    states = {state.value for state in ConnectionState}
    assert set(texts["state"]) == states
    assert set(ICONS["entity"]["sensor"]["connection_state"]["state"]) <= states
    assert set(texts["state_attributes"]) == {"cause", "reason"}
    causes = {cause.value for cause in Cause}
    assert set(texts["state_attributes"]["cause"]["state"]) == causes | {"none"}


@pytest.mark.parametrize("outcome", [each for each in Outcome if each not in GOOD])
@pytest.mark.parametrize("reason", Reason)
@pytest.mark.parametrize("detail", [None, "because"])
def test_every_failed_command_has_a_text(
    outcome: Outcome, reason: Reason, detail: str | None
) -> None:
    if reason is Reason.TOO_LATE and outcome is not Outcome.EXPIRED:
        return
    for attempts in (0, 1):
        result = CommandResult(
            outcome=outcome,
            node_id="plug-1",
            kind="relay",
            request_id="1",
            attempts=attempts,
            reason=reason,
            detail=detail,
        )
        error = errors.command_error(result, "Villa")
        assert error is not None
        assert error.translation_key in OF_REASONS
        assert error.translation_placeholders is not None
        assert set(error.translation_placeholders) == OF_COMMANDS


def test_exceptions_have_texts_that_can_be_filled_in() -> None:
    assert set(TEXTS["exceptions"]) == set(EXCEPTIONS)
    for key, given in EXCEPTIONS.items():
        assert placeholders(TEXTS["exceptions"][key]["message"]) <= given, key
    modules = [FOLDER / "errors.py", *(FOLDER / "services").glob("*.py")]
    text = "".join(path.read_text() for path in modules)
    raised = set(re.findall(r'\b(?:invalid|failure)\(\s*"(\w+)"', text))
    assert raised <= set(EXCEPTIONS)
    assert {"no_node", "no_connection", "not_cleared", "several_failed"} <= raised


KINDS = {kind.key: kind for kind in (*issues._KINDS, *issues._REPORTED.values())}
OF_ALERTS = {
    "alert_disconnected": {"reason"},
    "alert_connect_failures": {"failed", "attempts"},
    "alert_publish_failures": {"failed", "messages"},
    "alert_queue_age": {"waiting"},
    "alert_bad_messages": {"malformed", "refused"},
    "alert_data": {"used", "forecast"},
    "alert_connections": {"connections", "limit"},
}
OF_ISSUES = {
    "certificate_ended": {"reason"},
    "certificate_ends": {"days"},
    "client_certificate_ends": {"days"},
    "clock": {"reason"},
    "plan_limit": {"reason"},
    "banned": {"reason"},
    "node_limit": {"limit", "node"},
    "dead_letter": {"node", "command"},
    "outbox_refused": {"count"},
    "firmware_catalogue": {"reason"},
    "outbox_set_aside": {"reason", "file"},
    "outbox_unreadable": {"reason", "file"},
    "outbox_not_written": {"reason", "file"},
    "outbox_not_storable": {"reason", "file"},
    "retained_commands": {"count", "topic"},
    "statistics_lost": {"reason", "file"},
    "statistics_in_the_way": {"reason", "file"},
    "other_server": {"server"},
    "older_mqtt": {"reason"},
    "subscription_refused": {"reason"},
    "unproven": {"filters"},
    **{key: {"threshold", *told} for key, told in OF_ALERTS.items()},
}


def test_every_issue_has_texts_and_only_what_can_be_mended_has_a_flow() -> None:
    assert set(TEXTS["issues"]) == set(KINDS)
    assert set(repairs._FLOWS) == {key for key, kind in KINDS.items() if kind.fixable}
    for key, texts in TEXTS["issues"].items():
        if KINDS[key].fixable:
            assert set(texts) == {"title", "fix_flow"}
            assert set(texts["fix_flow"]) <= {"step", "abort"}
            assert set(texts["fix_flow"]["step"]) == {"confirm"}
            assert set(texts["fix_flow"]["step"]["confirm"]) == {"title", "description"}
        else:
            assert set(texts) == {"title", "description"}
        for text in leaves(texts):
            assert placeholders(text) <= {"household"} | OF_ISSUES.get(key, set()), key


def test_errors_of_forms_have_texts_that_can_be_filled_in() -> None:
    own = {"home_id_taken", "client_certificate_missing", "unknown"}
    fields = {"home_id", "host", "prefix", "ca", "client_certificate", "client_key"}
    fields |= {"client_key_passphrase", "websocket_headers"}
    own |= {f"invalid_{field}" for field in fields}
    assert set(TEXTS["config"]["error"]) == own | {cause.value for cause in Cause}
    for text in leaves(TEXTS["config"]["error"]) + leaves(TEXTS["config"]["create_entry"]):
        assert placeholders(text) <= OF_FORMS, text


def test_steps_have_texts_that_can_be_filled_in() -> None:
    own = {"node": {"node", "household"}, "unproven": {"filters"}, "user": set[str]()}
    for step, texts in TEXTS["config"]["step"].items():
        for text in leaves(texts):
            assert placeholders(text) <= own.get(step, OF_FORMS), text
    assert placeholders(TEXTS["config"]["flow_title"]) == {"name"}
    steps = {"user", "broker", "reconfigure", "reauth_confirm", "node", "connect", "unproven"}
    assert set(TEXTS["config"]["step"]) == steps


FORMS = {
    "broker": broker_form.broker_schema("other", new=True),
    "reconfigure": broker_form.broker_schema("other", new=False),
    "reauth_confirm": broker_form.REAUTH_SCHEMA,
}


@pytest.mark.parametrize("form", FORMS)
def test_every_field_of_a_form_is_named_and_described(form: str) -> None:
    assert_described(FORMS[form], TEXTS["config"]["step"][form])


def assert_described(form: vol.Schema, texts: dict[str, Any]) -> None:
    assert texts["title"]
    sections = {str(key): value for key, value in form.schema.items() if isinstance(value, section)}
    fields = {str(key) for key in form.schema}.difference(sections)
    assert set(texts["data"]) == set(texts["data_description"]) == fields
    assert set(texts.get("sections", ())) == set(sections)
    for name, inside in sections.items():
        in_section = texts["sections"][name]
        assert in_section["name"]
        inner = {str(key) for key in inside.schema.schema}
        assert set(in_section["data"]) == set(in_section["data_description"]) == inner


def test_every_choice_of_a_menu_has_a_text_and_a_step() -> None:
    steps = TEXTS["config"]["step"]
    assert set(steps["user"]["menu_options"]) == {*PRESETS, "home_assistant"}
    assert set(steps["unproven"]["menu_options"]) == {"finish", *FORMS}
    for menu in (steps["user"], steps["unproven"]):
        for option in menu["menu_options"]:
            assert hasattr(config_flow.HomeSyncConfigFlow, f"async_step_{option}")


def test_every_end_without_a_household_has_a_text() -> None:
    reasons = set(re.findall(r'reason="(\w+)"', (FOLDER / "config_flow.py").read_text()))
    of_home_assistant = {"already_configured", "reauth_successful", "reconfigure_successful"}
    assert set(TEXTS["config"]["abort"]) == reasons | of_home_assistant


def test_every_option_is_named_and_described() -> None:
    assert_described(options_flow.OPTIONS, TEXTS["options"]["step"]["init"])
    errors = {"invalid_firmware_catalogue", "invalid_firmware_hosts"}
    assert set(TEXTS["options"]["error"]) == errors
    for text in leaves(TEXTS["options"]["error"]):
        assert placeholders(text) == {"detail"}


def test_progress_and_its_end_have_texts() -> None:
    assert set(TEXTS["config"]["progress"]) == {"connect"}
    assert set(TEXTS["config"]["create_entry"]) == {"ready"}
    assert 'progress_action="connect"' in source()
    assert 'description="ready"' in source()


def test_every_action_and_its_fields_are_described_and_have_an_icon() -> None:
    assert set(SERVICES) == set(TEXTS["services"]) == set(ICONS["services"]) == set(ACTIONS)
    for name, action in SERVICES.items():
        texts = TEXTS["services"][name]
        assert texts["name"]
        assert texts["description"]
        assert set(texts["fields"]) == set(action["fields"])
        assert all({"name", "description"} == set(field) for field in texts["fields"].values())


def fields_of(schema: vol.Schema) -> list[object]:
    found: list[object] = []
    for field in schema.schema.values():
        found += fields_of(field.schema) if isinstance(field, section) else [field]
    return found


def test_every_choice_of_an_action_or_a_form_has_a_text() -> None:
    selects = [
        field["selector"]["select"]
        for action in SERVICES.values()
        for field in action["fields"].values()
        if "select" in field["selector"]
    ]
    forms = {
        field.config["translation_key"]: field.config
        for schema in (*FORMS.values(), options_flow.OPTIONS)
        for field in fields_of(schema)
        if isinstance(field, SelectSelector)
    }
    selects += forms.values()
    assert {select["translation_key"] for select in selects} == set(TEXTS["selector"])
    for select in selects:
        assert all(isinstance(option, str) for option in select["options"])
        texts = TEXTS["selector"][select["translation_key"]]["options"]
        assert set(texts) == set(select["options"])


def test_every_figure_of_the_systems_health_has_a_text() -> None:
    told = set(
        re.findall(r'^        "(\w+)":', (FOLDER / "system_health.py").read_text(), re.MULTILINE)
    )
    assert set(TEXTS["system_health"]["info"]) == told


def test_icons_are_material_design() -> None:
    assert all(re.fullmatch(r"mdi:[a-z0-9-]+", icon) for icon in leaves(ICONS))


def test_texts_are_not_empty_and_hold_no_key_of_home_assistants_own() -> None:
    for text in leaves(TEXTS):
        assert text.strip()
        assert "[%key:" not in text
