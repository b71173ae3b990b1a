"""The mosquitto under all measurements; it drops nothing and logs nothing."""

import os
from pathlib import Path
import pwd
import shutil
import socket
import subprocess
import time

from .errors import BenchError
from .packets import LOOPBACK

# Where packages put it that an ordinary user's PATH leaves out.
_OTHER_FOLDERS = "/usr/sbin:/usr/local/sbin:/opt/homebrew/sbin"
# Its queues have no bound here, or it would drop most of a burst for a slow reader.
SETTINGS = (
    "max_queued_messages 0",
    "max_inflight_messages 0",
    "allow_anonymous true",
    "persistence false",
    "log_dest stderr",
    "log_type error",
)


class Broker:
    """Keeps its port over restarts."""

    def __init__(self, folder: Path) -> None:
        self.port = free_port()
        self._folder = folder
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Return when it listens."""
        configuration = self._folder / "mosquitto.conf"
        # Started by root it would change to a user who cannot read these files.
        user = f"user {pwd.getpwuid(os.getuid()).pw_name}"
        lines = [f"listener {self.port} {LOOPBACK}", *SETTINGS, user]
        configuration.write_text("\n".join(lines) + "\n")
        with (self._folder / "mosquitto.log").open("ab") as log:
            self._process = subprocess.Popen(
                [program(), "-c", configuration], stdout=log, stderr=log, start_new_session=True
            )
        deadline = time.monotonic() + 10
        while time.monotonic() < deadline:
            try:
                socket.create_connection((LOOPBACK, self.port), timeout=1).close()
            except OSError:
                time.sleep(0.02)
            else:
                return
        raise BenchError("mosquitto does not start")

    def stop(self) -> None:
        """End it."""
        if self._process is not None:
            self._process.terminate()
            self._process.wait(10)
            self._process = None


def program() -> str:
    """Where mosquitto is."""
    found = shutil.which("mosquitto") or shutil.which("mosquitto", path=_OTHER_FOLDERS)
    if found is None:
        raise BenchError("mosquitto is missing; scripts/setup brings it")
    return found


def free_port() -> int:
    """A port that nobody listens on now."""
    with socket.create_server((LOOPBACK, 0)) as server:
        port: int = server.getsockname()[1]
        return port
