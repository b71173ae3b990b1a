"""A real mosquitto for tests, on a free port of the loopback interface."""

from collections.abc import Iterable, Iterator, Mapping
from itertools import cycle
import os
from pathlib import Path
import random
import shutil
import signal
import socket
import subprocess
import time

_DEADLINE = 60.0
_POLL = 0.01
# Debian keeps the broker where only root's PATH looks.
_PLACES = "/usr/sbin:/usr/local/sbin:/opt/homebrew/sbin"


class Mosquitto:
    """Keeps its port over restarts; `settings` are configuration lines of the listener.

    With `users` (name to password) anonymous clients are refused.
    """

    host = "127.0.0.1"

    def __init__(
        self,
        folder: Path,
        *,
        users: Mapping[str, str] | None = None,
        acl: str | None = None,
        settings: Iterable[str] = (),
    ) -> None:
        self.port = 0
        self._folder = folder
        self._users = users
        self._acl = acl
        self._settings = tuple(settings)
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def log(self) -> str:
        """Everything it logged so far, over all its lives."""
        return self._log_file.read_text(errors="replace")

    @property
    def pid(self) -> int:
        if self._process is None:
            raise RuntimeError("mosquitto does not run")
        return self._process.pid

    def start(self) -> None:
        """Return when it accepts connections."""
        chosen = self.port
        for _ in range(3):
            self.port = chosen or free_port()
            if self._try_to_start():
                return
        raise RuntimeError(f"mosquitto does not start:\n{self.log}")

    def stop(self) -> None:
        """End it as a service would."""
        self._end(signal.SIGTERM)

    def kill(self) -> None:
        """End it without giving it a chance to say anything."""
        self._end(signal.SIGKILL)

    def restart(self) -> None:
        self.stop()
        self.start()

    def change_users(self, users: Mapping[str, str]) -> None:
        """Start anew with other passwords."""
        self._users = users
        self.restart()

    def revoke_users(self, users: Mapping[str, str]) -> None:
        """Take other passwords for whoever connects from now on; connections stay."""
        self._write_passwords(users)
        os.kill(self.pid, signal.SIGHUP)

    def freeze(self) -> None:
        """Stop its clock: connections stay, nothing is read or answered."""
        os.kill(self.pid, signal.SIGSTOP)

    def thaw(self) -> None:
        os.kill(self.pid, signal.SIGCONT)

    @property
    def _log_file(self) -> Path:
        return self._folder / "mosquitto.log"

    def _try_to_start(self) -> bool:
        configuration = self._write_configuration()
        with self._log_file.open("ab") as log:
            self._process = subprocess.Popen(
                [_program("mosquitto"), "-c", configuration], stdout=log, stderr=log
            )
        give_up_at = time.monotonic() + _DEADLINE
        while time.monotonic() < give_up_at:
            if self._process.poll() is not None:
                break
            try:
                socket.create_connection((self.host, self.port), timeout=1).close()
            except OSError:
                time.sleep(_POLL)
            else:
                return True
        self.kill()
        return False

    def _write_configuration(self) -> Path:
        lines = [
            # As root it would become another user, who cannot read these files.
            "user root",
            "persistence false",
            "log_dest stderr",
            "log_type all",
            f"listener {self.port} {self.host}",
            f"allow_anonymous {'false' if self._users else 'true'}",
            *self._settings,
        ]
        if "protocol websockets" in self._settings:
            # It counts its WebSocket listeners as none, and does not start without one.
            lines.append(f"listener {free_port()} {self.host}")
        if self._users:
            lines.append(f"password_file {self._write_passwords(self._users)}")
        if self._acl is not None:
            acl = self._folder / "acl"
            acl.write_text(self._acl)
            acl.chmod(0o600)
            lines.append(f"acl_file {acl}")
        configuration = self._folder / "mosquitto.conf"
        configuration.write_text("\n".join(lines) + "\n")
        return configuration

    def _write_passwords(self, users: Mapping[str, str]) -> Path:
        passwords = self._folder / "passwords"
        passwords.write_text("".join(f"{user}:{word}\n" for user, word in users.items()))
        passwords.chmod(0o600)
        hash_them = [_program("mosquitto_passwd"), "-U", str(passwords)]
        subprocess.run(hash_them, check=True, capture_output=True)
        return passwords

    def _end(self, how: signal.Signals) -> None:
        process, self._process = self._process, None
        if process is None:
            return
        process.send_signal(signal.SIGCONT)
        process.send_signal(how)
        try:
            process.wait(_DEADLINE)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def free_port() -> int:
    """Return a port that nobody listens on, and that no other process of tests takes meanwhile.

    What the system chooses is free now and perhaps another's a moment later: a test would
    talk to the broker of another one, or to somebody where it expects nobody.
    """
    return _PORTS.take()


class _Ports:
    """The ports of this process: a hundred that it keeps until it ends."""

    # Below what systems give to whoever does not ask for a certain port.
    _blocks = range(10_000, 16_000, 100)

    def __init__(self) -> None:
        self._guard: socket.socket | None = None
        self._ports: Iterator[int] = iter(())

    def take(self) -> int:
        if self._guard is None:
            self._guard, block = self._take_block()
            self._ports = cycle(block)
        return next(port for port in self._ports if _is_free(port))

    def _take_block(self) -> tuple[socket.socket, range]:
        """Choose ports; the socket, on the first of them, keeps other processes off."""
        for first in random.sample(self._blocks, len(self._blocks)):
            guard = socket.socket()
            try:
                guard.bind((Mosquitto.host, first))
            except OSError:
                guard.close()
            else:
                return guard, range(first + 1, first + self._blocks.step)
        raise RuntimeError("there are more processes of tests than ports for them")


def _is_free(port: int) -> bool:
    try:
        socket.create_server((Mosquitto.host, port)).close()
    except OSError:
        return False
    return True


_PORTS = _Ports()


def _program(name: str) -> str:
    found = shutil.which(name) or shutil.which(name, path=_PLACES)
    if found is None:
        raise RuntimeError(f"{name} is not installed: scripts/setup brings it")
    return found
