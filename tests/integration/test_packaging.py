"""What is shipped can be installed, and needs nothing that is not shipped."""

import ast
from importlib import import_module
import json
from pathlib import Path
import re
import shutil
import subprocess
import sys
from typing import Any

from awesomeversion import AwesomeVersion
from homeassistant.const import REQUIRED_PYTHON_VER, __version__ as installed
from packaging.requirements import Requirement
import pytest
import voluptuous as vol
import yaml

from custom_components import homesync
from custom_components.homesync.const import DOMAIN
from custom_components.homesync.services import ACTIONS
from custom_components.homesync.services.targets import TARGET_FIELDS

FOLDER = Path(homesync.__file__).parent
REPOSITORY = FOLDER.parent.parent
MANIFEST: dict[str, Any] = json.loads((FOLDER / "manifest.json").read_text())
HACS: dict[str, Any] = json.loads((REPOSITORY / "hacs.json").read_text())
SERVICES: dict[str, Any] = yaml.safe_load((FOLDER / "services.yaml").read_text())
MODULES = sorted(FOLDER.rglob("*.py"))

# Home Assistant requires these itself.
WITH_HOME_ASSISTANT = {
    "aiohappyeyeballs",
    "aiohttp",
    "awesomeversion",
    "cryptography",
    "homeassistant",
    "orjson",
    "voluptuous",
    "yarl",
}


def test_the_manifest_has_the_keys_that_home_assistant_wants_in_its_order() -> None:
    assert list(MANIFEST)[:2] == ["domain", "name"]
    assert list(MANIFEST)[2:] == sorted(list(MANIFEST)[2:])
    assert set(MANIFEST) == {
        "after_dependencies",
        "codeowners",
        "config_flow",
        "dependencies",
        "documentation",
        "domain",
        "integration_type",
        "iot_class",
        "issue_tracker",
        "mqtt",
        "name",
        "requirements",
        "version",
    }
    assert MANIFEST["domain"] == FOLDER.name == DOMAIN
    assert MANIFEST["config_flow"] is True
    assert MANIFEST["integration_type"] == "hub"
    assert MANIFEST["iot_class"] == "local_push"
    assert MANIFEST["documentation"].startswith("https://")
    assert MANIFEST["issue_tracker"].startswith("https://")
    assert all(owner.startswith("@") for owner in MANIFEST["codeowners"])
    assert AwesomeVersion(MANIFEST["version"]).valid


def test_the_versions_of_project_and_integration_agree() -> None:
    project = (REPOSITORY / "pyproject.toml").read_text()
    assert f'version = "{MANIFEST["version"]}"' in project
    assert f">={'.'.join(map(str, REQUIRED_PYTHON_VER))}" in project


def test_home_assistants_own_paho_is_among_those_that_are_allowed() -> None:
    (paho,) = [Requirement(each) for each in MANIFEST["requirements"]]
    assert paho.name == "paho-mqtt"
    assert paho.specifier.contains("2.1.0")
    assert paho.specifier.contains("2.2.0")
    assert not paho.specifier.contains("1.6.1")
    assert not paho.specifier.contains("3.0.0")
    constraints = Path(import_module("homeassistant").__file__ or "").parent
    pinned = re.search(
        r"^paho-mqtt==(\S+)$", (constraints / "package_constraints.txt").read_text(), re.MULTILINE
    )
    assert pinned is None or paho.specifier.contains(pinned[1])


def test_hacs_finds_what_it_knows() -> None:
    known = {
        "content_in_root",
        "country",
        "filename",
        "hacs",
        "hide_default_branch",
        "homeassistant",
        "name",
        "persistent_directory",
        "render_readme",
        "zip_release",
    }
    assert set(HACS) <= known
    assert HACS["name"] == MANIFEST["name"]
    assert AwesomeVersion(HACS["homeassistant"]) <= AwesomeVersion(installed)
    assert [each.name for each in FOLDER.parent.iterdir() if (each / "manifest.json").exists()] == [
        "homesync"
    ]


@pytest.mark.parametrize(("name", "pixels"), [("icon.png", 256), ("icon@2x.png", 512)])
def test_the_brand_icon_is_there_in_its_size(name: str, pixels: int) -> None:
    png = (FOLDER / "brand" / name).read_bytes()
    assert png.startswith(b"\x89PNG\r\n\x1a\n")
    assert png[16:24] == pixels.to_bytes(4) * 2


@pytest.mark.parametrize("module", MODULES, ids=lambda path: str(path.relative_to(FOLDER)))
def test_a_module_imports_only_what_is_installed_with_it(module: Path) -> None:
    depth = len(module.relative_to(FOLDER).parts)
    allowed = {*sys.stdlib_module_names, *WITH_HOME_ASSISTANT, "paho"}
    for node in ast.walk(ast.parse(module.read_text())):
        if isinstance(node, ast.ImportFrom) and node.level:
            assert node.level <= depth
        elif isinstance(node, ast.ImportFrom):
            assert str(node.module).partition(".")[0] in allowed
        elif isinstance(node, ast.Import):
            assert {alias.name.partition(".")[0] for alias in node.names} <= allowed


def test_the_folder_alone_is_enough(tmp_path: Path) -> None:
    alone = tmp_path / "custom_components" / "homesync"
    shutil.copytree(FOLDER, alone, ignore=shutil.ignore_patterns("__pycache__"))
    names = ["", ".config_flow", ".repairs", ".binary_sensor", ".sensor", ".switch"]
    program = "\n".join(f"import custom_components.homesync{name}" for name in names)
    program += "\nprint(custom_components.homesync.__file__)"

    done = subprocess.run(
        # -B: what is compiled of a copy is of no use later.
        [sys.executable, "-B", "-c", program],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
    )

    assert Path(done.stdout.strip()).parent == alone


@pytest.mark.parametrize("action", ACTIONS)
def test_the_form_of_an_action_and_its_schema_agree(action: str) -> None:
    fields = SERVICES[action]["fields"]
    in_schema = {str(marker): marker for marker in ACTIONS[action].schema.schema}
    if "target" in SERVICES[action]:
        assert SERVICES[action]["target"] == {"device": {"integration": "homesync"}}
        for marker in TARGET_FIELDS:
            del in_schema[str(marker)]
    assert set(in_schema) == set(fields)
    for name, field in fields.items():
        marker = in_schema[name]
        assert isinstance(marker, vol.Required) == field.get("required", False)
        default = getattr(marker, "default", vol.UNDEFINED)
        assert ("default" in field) is callable(default)
        if callable(default):
            assert default() == field["default"]
        number = field["selector"].get("number", {})
        for bound in number.keys() & {"min", "max"}:
            ACTIONS[action].schema.schema[marker](number[bound])


def test_the_actions_and_their_forms_are_the_same() -> None:
    assert set(SERVICES) == set(ACTIONS)
