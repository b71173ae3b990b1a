"""Home Assistant itself: its folder, its start, its first user."""

import json
import os
from pathlib import Path
import secrets
import sys
from typing import Any

import aiohttp

from .api import open_api
from .errors import DemoError
from .ports import LOOPBACK
from .processes import Child, Processes
from .state import State
from .waiting import until

USER = "demo"

_INTEGRATION = Path("custom_components") / "homesync"
_UP_WITHIN = 150.0
_CONFIGURATION = """\
# No default_config: it starts what looks for devices in the network.
homeassistant:
frontend:
config:
history:
logbook:
energy:
system_health:
automation: !include automations.yaml
"""
# Without l, 1, o and 0: it is read from a terminal.
_PASSWORD_LETTERS = "abcdefghijkmnpqrstuvwxyz23456789"  # noqa: S105  # letters to choose from


async def start_home_assistant(processes: Processes, root: Path, folder: Path, port: int) -> str:
    """Return its address when it answers."""
    await launch_home_assistant(processes, root, folder, port)
    base = address(port)
    await wait_until_answering(base)
    return base


def address(port: int) -> str:
    """Where it answers."""
    return f"http://{LOOPBACK}:{port}"


async def launch_home_assistant(processes: Processes, root: Path, folder: Path, port: int) -> Child:
    """Start it without waiting for anything."""
    _prepare(root, folder, port)
    hass = Path(sys.executable).with_name("hass")
    return await processes.start(
        "home-assistant",
        [sys.executable, "-P", hass, "--config", folder, "--skip-pip", "--log-no-color"],
        cwd=folder,
        # Its own limit for the last writes is 60 s.
        grace=70.0,
    )


async def wait_until_answering(base: str) -> None:
    """Return when it serves its pages."""
    async with aiohttp.ClientSession() as session:
        await until(lambda: _answers(session, base), "Home Assistant answers", _UP_WITHIN)


async def sign_up(base: str, state: State) -> None:
    """Create the user through onboarding; keeps its password and a long-lived token."""
    if state.token:
        return
    if not state.password:
        state.password = "".join(secrets.choice(_PASSWORD_LETTERS) for _ in range(10))
        state.save()
    tokens = await _create_user(base, state.password) or await sign_in(base, state)
    async with open_api(base, tokens["access_token"]) as api:
        state.token = await api.call(
            "auth/long_lived_access_token", client_name="scripts/demo", lifespan=3650
        )
        await api.call(
            "config/core/update",
            location_name="HomeSync demo",
            time_zone=_time_zone(),
            unit_system="metric",
            currency="EUR",
            country="NL",
        )
    state.save()


async def sign_in(base: str, state: State) -> dict[str, Any]:
    """Give what a browser would have in its storage after signing in."""
    client = f"{base}/"
    async with aiohttp.ClientSession(base) as session:
        flow = await _post(
            session,
            "/auth/login_flow",
            json={
                "client_id": client,
                "handler": ["homeassistant", None],
                "redirect_uri": client,
            },
        )
        login = {"client_id": client, "username": USER, "password": state.password}
        answer = await _post(session, f"/auth/login_flow/{flow['flow_id']}", json=login)
        grant = {"grant_type": "authorization_code", "code": answer["result"]}
        return await _post(session, "/auth/token", data={**grant, "client_id": client})


async def _create_user(base: str, password: str) -> dict[str, Any] | None:
    """Give its tokens; None if a first run that was cut short has created it."""
    client = f"{base}/"
    async with aiohttp.ClientSession(base) as session:
        async with session.get("/api/onboarding") as response:
            steps = await response.json() if response.status == 200 else []
        if not any(step["step"] == "user" and not step["done"] for step in steps):
            return None
        user = {"name": "Demo", "username": USER, "password": password}
        answer = await _post(
            session, "/api/onboarding/users", json={**user, "client_id": client, "language": "en"}
        )
        grant = {"grant_type": "authorization_code", "code": answer["auth_code"]}
        return await _post(session, "/auth/token", data={**grant, "client_id": client})


def _prepare(root: Path, folder: Path, port: int) -> None:
    storage = folder / ".storage"
    storage.mkdir(parents=True, exist_ok=True)
    configuration = folder / "configuration.yaml"
    if not configuration.exists():
        configuration.write_text(_CONFIGURATION)
        (folder / "automations.yaml").write_text("[]\n")
    (storage / "http").write_text(json.dumps(_http(port)))
    if not (storage / "onboarding").exists():
        (storage / "onboarding").write_text(json.dumps(_ONBOARDING))
    link = folder / _INTEGRATION
    link.parent.mkdir(exist_ok=True)
    link.unlink(missing_ok=True)
    # Relative, so that the whole project may be moved.
    link.symlink_to(os.path.relpath(root / _INTEGRATION, link.parent))


# All but the user; the other steps would start what looks for devices in the network.
_ONBOARDING = {
    "version": 4,
    "minor_version": 1,
    "key": "onboarding",
    "data": {"done": ["core_config", "analytics", "integration"]},
}


def _http(port: int) -> dict[str, Any]:
    """Settings that Home Assistant takes as proven; in YAML they would be on trial."""
    stable = {
        "server_port": port,
        "server_host": [LOOPBACK],
        "cors_allowed_origins": [],
        "login_attempts_threshold": -1,
        "ip_ban_enabled": True,
        "ssl_profile": "modern",
        "use_x_frame_options": True,
        "created_at": None,
        "error": None,
        "error_message": None,
    }
    return {
        "version": 2,
        "minor_version": 2,
        "key": "http",
        "data": {"stable": stable, "pending": None, "yaml_migration_done": True},
    }


async def _answers(session: aiohttp.ClientSession, base: str) -> bool:
    try:
        async with session.get(f"{base}/manifest.json") as response:
            return response.status == 200
    except aiohttp.ClientError:
        return False


async def _post(session: aiohttp.ClientSession, path: str, **body: Any) -> dict[str, Any]:
    async with session.post(path, **body) as response:
        if response.status >= 400:
            raise DemoError(f"{path}: {response.status} {await response.text()}")
        answer: dict[str, Any] = await response.json()
        return answer


def _time_zone() -> str:
    name = str(Path("/etc/localtime").resolve())
    return name.partition("/zoneinfo/")[2] or "UTC"
