"""A mosquitto of our own, with one user a household."""

import asyncio
import base64
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
import hashlib
import os
from pathlib import Path
import pwd
import secrets
import shutil

from .errors import DemoError
from .ports import LOOPBACK
from .processes import Child, Processes
from .state import write_private
from .waiting import until

# Where packages put it that an ordinary user's PATH leaves out.
_OTHER_FOLDERS = "/usr/sbin:/usr/local/sbin:/opt/homebrew/sbin"
# mosquitto_passwd's own number; the passwords are random, nothing can be guessed.
_HASH_ROUNDS = 101


@dataclass(slots=True)
class Broker:
    """A configured mosquitto that can be stopped and started again."""

    processes: Processes
    folder: Path
    port: int
    name: str
    program: str
    child: Child | None = None

    async def start(self) -> None:
        """Return when it listens."""
        configuration = self.folder / "mosquitto.conf"
        command: list[str | Path] = [self.program, "-c", configuration]
        self.child = await self.processes.start(self.name, command, cwd=self.folder)
        await until(lambda: _listens(self.port), "the broker listens", 10)

    async def stop(self) -> None:
        """End it as a service would."""
        if self.child is not None:
            await self.child.stop()

    async def kill(self) -> None:
        """End it without a word to its clients."""
        if self.child is not None:
            await self.child.kill()


async def start_broker(
    processes: Processes,
    folder: Path,
    port: int,
    passwords: Mapping[str, str],
    name: str = "broker",
) -> Broker:
    """Return when it listens; each user may read and write its own household's topics."""
    program = shutil.which("mosquitto") or shutil.which("mosquitto", path=_OTHER_FOLDERS)
    if program is None:
        raise DemoError("mosquitto is missing; scripts/setup brings it")
    _configure(folder, port, passwords)
    broker = Broker(processes, folder, port, name, program)
    await broker.start()
    return broker


def _configure(folder: Path, port: int, passwords: Mapping[str, str]) -> None:
    folder.mkdir(exist_ok=True)
    users = "".join(f"{user}:{_hash(password)}\n" for user, password in passwords.items())
    rules = "".join(f"user {user}\ntopic readwrite homesync/{user}/#\n\n" for user in passwords)
    write_private(folder / "users", users)
    write_private(folder / "rules", rules)
    settings = (
        f"listener {port} {LOOPBACK}",
        "allow_anonymous false",
        "password_file users",
        "acl_file rules",
        "persistence false",
        "log_dest stderr",
        "log_type error",
        "log_type warning",
        "log_type notice",
        # Started by root it would change to a user who cannot read these files.
        f"user {pwd.getpwuid(os.getuid()).pw_name}",
    )
    write_private(folder / "mosquitto.conf", "\n".join(settings) + "\n")


def _hash(password: str) -> str:
    """In the form of mosquitto_passwd, which would show the password in the list of processes."""
    salt = secrets.token_bytes(12)
    key = hashlib.pbkdf2_hmac("sha512", password.encode(), salt, _HASH_ROUNDS)
    parts = (base64.b64encode(part).decode() for part in (salt, key))
    return "$".join(("", "7", str(_HASH_ROUNDS), *parts))


async def _listens(port: int) -> bool:
    with suppress(OSError):
        _, writer = await asyncio.open_connection(LOOPBACK, port)
        writer.close()
        return True
    return False
