"""What the tests' ports promise."""

from collections.abc import Callable
import socket
import subprocess
import sys

import pytest

from tests.broker import Mosquitto, free_port

from .simulator.program import ROOT

pytestmark = pytest.mark.usefixtures("socket_enabled")
TELL = "from tests.broker import free_port; print(*(free_port() for _ in range(99)))"


def test_no_two_processes_get_the_same_ports() -> None:
    mine = {free_port() for _ in range(99)}
    done = subprocess.run(
        [sys.executable, "-c", TELL], cwd=ROOT, capture_output=True, text=True, check=True
    )
    theirs = set(map(int, done.stdout.split()))
    assert len(theirs) > 50
    assert not mine & theirs


def test_a_port_comes_again_only_after_all_others() -> None:
    ports = [free_port() for _ in range(50)]
    assert len(set(ports)) == 50


def test_a_port_on_which_somebody_listens_is_left_out() -> None:
    taken = free_port()
    with socket.create_server((Mosquitto.host, taken)):
        assert taken not in {free_port() for _ in range(200)}


def test_each_broker_has_its_own_port(start_mosquitto: Callable[..., Mosquitto]) -> None:
    brokers = [start_mosquitto() for _ in range(3)]
    assert len({each.port for each in brokers}) == 3
