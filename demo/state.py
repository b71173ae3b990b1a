"""What the demo keeps between two runs."""

from dataclasses import asdict, dataclass, field
import fcntl
import json
import os
from pathlib import Path
import secrets
import shutil
from typing import Self

from .errors import DemoError

_FILE = "state.json"


@dataclass(slots=True, kw_only=True)
class State:
    """Ports, passwords, and by `home_id` the config entries and the host of their firmware.

    Home Assistant keeps the rest. Zero and empty: not known yet.
    """

    folder: Path
    broker_port: int = 0
    port: int = 0
    firmware_port: int = 0
    password: str = field(default="", repr=False)
    token: str = field(default="", repr=False)
    broker_passwords: dict[str, str] = field(default_factory=dict, repr=False)
    entries: dict[str, str] = field(default_factory=dict)
    firmware_hosts: dict[str, str] = field(default_factory=dict)

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Read the folder's state, an empty one if there is none."""
        try:
            values = json.loads((folder / _FILE).read_text())
            return cls(folder=folder, **values)
        except FileNotFoundError:
            return cls(folder=folder)
        except (ValueError, TypeError) as error:
            raise DemoError(f"{folder.name}/{_FILE} is damaged; use --fresh") from error

    def save(self) -> None:
        """Replace the file at once, readable by its owner only."""
        values = asdict(self)
        del values["folder"]
        write_private(self.folder / _FILE, json.dumps(values, indent=2) + "\n")

    def broker_password(self, home_id: str) -> str:
        """Give the household's password at the broker, made at the first call."""
        return self.broker_passwords.setdefault(home_id, secrets.token_urlsafe(18))


def write_private(path: Path, text: str) -> None:
    """Write a file that never was readable by others."""
    new = path.with_name(path.name + ".new")
    new.unlink(missing_ok=True)
    with os.fdopen(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(text)
    new.replace(path)


def claim(folder: Path, *, fresh: bool) -> int:
    """Make the folder ours until the returned descriptor is closed; DemoError if it is in use."""
    folder.mkdir(mode=0o700, exist_ok=True)
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        raise DemoError(f"already running: another process uses {folder.name}/") from None
    if fresh:
        empty(folder)
    return descriptor


def empty(folder: Path) -> None:
    """Remove everything in it; a link is removed, not what it points to."""
    for path in folder.iterdir():
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink()
