"""A Home Assistant of its own: its folder, its start, its end."""

from datetime import timedelta
import json
from pathlib import Path

from homeassistant import bootstrap, runner
from homeassistant.auth.const import GROUP_ID_ADMIN
from homeassistant.auth.models import TOKEN_TYPE_LONG_LIVED_ACCESS_TOKEN
from homeassistant.core import HomeAssistant

_STABLE = {
    "server_host": ["127.0.0.1"],
    "cors_allowed_origins": [],
    "login_attempts_threshold": -1,
    "ip_ban_enabled": True,
    "ssl_profile": "modern",
    "use_x_frame_options": True,
    "created_at": None,
    "error": None,
    "error_message": None,
}


def prepare(folder: Path, root: Path, port: int) -> bool:
    """Write the least that it starts with: no recorder, no default_config.

    False if that was done before.
    """
    if folder.exists():
        return False
    storage = folder / ".storage"
    storage.mkdir(parents=True)
    (folder / "configuration.yaml").write_text("homeassistant:\nfrontend:\nconfig:\n")
    http = {
        "version": 2,
        "minor_version": 2,
        "key": "http",
        "data": {
            "stable": {**_STABLE, "server_port": port},
            "pending": None,
            "yaml_migration_done": True,
        },
    }
    onboarding = {
        "version": 4,
        "minor_version": 1,
        "key": "onboarding",
        "data": {"done": ["user", "core_config", "analytics", "integration"]},
    }
    (storage / "http").write_text(json.dumps(http))
    (storage / "onboarding").write_text(json.dumps(onboarding))
    (folder / "custom_components").mkdir()
    link = folder / "custom_components" / "homesync"
    link.symlink_to(root / "custom_components" / "homesync")
    return True


async def start(folder: Path) -> HomeAssistant:
    """Start it as the program `hass` does."""
    hass = await bootstrap.async_setup_hass(
        runner.RuntimeConfig(config_dir=str(folder), skip_pip=True, log_no_color=True)
    )
    if hass is None:
        raise RuntimeError("Home Assistant does not start")
    await hass.async_start()
    return hass


async def make_token(hass: HomeAssistant) -> str:
    """Let a browser in."""
    user = await hass.auth.async_create_user("bench", group_ids=[GROUP_ID_ADMIN])
    refresh = await hass.auth.async_create_refresh_token(
        user,
        client_name="bench",
        token_type=TOKEN_TYPE_LONG_LIVED_ACCESS_TOKEN,
        access_token_expiration=timedelta(days=1),
    )
    return hass.auth.async_create_access_token(refresh)
