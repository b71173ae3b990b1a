"""Brokers that are not mosquitto, each on a free port of the loopback interface."""

from collections.abc import Callable
import json
from pathlib import Path
import shutil
import signal
import socket
import subprocess
import time

from tests.broker import free_port

HOST = "127.0.0.1"
_ROOT = Path(__file__).parents[2]
_DEADLINE = 60.0
_POLL = 0.02


class OtherBroker:
    """A program started with a configuration file; keeps its port over restarts."""

    def __init__(
        self, folder: Path, program: Path, configure: Callable[[Path, int], str], name: str
    ) -> None:
        self.port = free_port()
        self.log = folder / "broker.log"
        self._configuration = folder / name
        self._configuration.write_text(configure(folder, self.port))
        self._program = program
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Return when it accepts connections."""
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                [self._program, "-c", self._configuration],
                stdout=log,
                stderr=log,
                cwd=self._configuration.parent,
            )
        give_up_at = time.monotonic() + _DEADLINE
        while time.monotonic() < give_up_at and self._process.poll() is None:
            try:
                socket.create_connection((HOST, self.port), timeout=1).close()
            except OSError:
                time.sleep(_POLL)
            else:
                return
        self.stop(signal.SIGKILL)
        raise RuntimeError(f"{self._program.name} does not start:\n{self.log.read_text()}")

    def stop(self, how: signal.Signals = signal.SIGTERM) -> None:
        process, self._process = self._process, None
        if process is None:
            return
        process.send_signal(how)
        try:
            process.wait(_DEADLINE)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()

    def restart(self) -> None:
        self.stop(signal.SIGKILL)
        self.start()


def nats(folder: Path) -> OtherBroker:
    """NATS: MQTT 3.1.1 on top of a message system of its own."""
    return OtherBroker(folder, _program("nats-server"), _configure_nats, "nats.conf")


def amqtt(folder: Path) -> OtherBroker:
    """aMQTT: written in Python; MQTT 3.1.1."""
    return OtherBroker(folder, _program("amqtt"), _configure_amqtt, "amqtt.yaml")


def _configure_nats(folder: Path, port: int) -> str:
    return json.dumps(
        {
            "server_name": "homesync",
            "host": HOST,
            "port": free_port(),
            "jetstream": {"store_dir": str(folder / "store")},
            "mqtt": {"host": HOST, "port": port},
        }
    )


def _configure_amqtt(_folder: Path, port: int) -> str:
    plugin = "amqtt.plugins.authentication.AnonymousAuthPlugin"
    # JSON is YAML too.
    return json.dumps(
        {
            "listeners": {"default": {"type": "tcp", "bind": f"{HOST}:{port}"}},
            "plugins": {plugin: {"allow_anonymous": True}},
        }
    )


def _program(name: str) -> Path:
    private = _ROOT / ".cache" / name / "bin" / name
    found = shutil.which(name) or shutil.which(name, path="/usr/sbin:/usr/local/sbin")
    if private.exists():
        return private
    if found is None:
        raise RuntimeError(f"{name} is not installed: scripts/setup brings it")
    return Path(found)
