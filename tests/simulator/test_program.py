"""The command line, as a program of its own."""

import asyncio
from collections.abc import Callable
import json
import os
from pathlib import Path
import signal
import sys

import pytest

from simulator import Broker, Fleet
from simulator.control import Control
from tests.broker import Mosquitto

from .observer import Observer
from .program import DEADLINE, ROOT, simulator

CLOSED_PORT = 1


async def test_the_script_explains_itself() -> None:
    process = await asyncio.create_subprocess_exec(
        ROOT / "scripts/simulate", "--help", stdout=asyncio.subprocess.PIPE
    )
    out, _ = await process.communicate()
    assert process.returncode == 0
    for word in ("--household", "--control", "HOMESYNC_SIM_PASSWORD", "skip_first"):
        assert word in out.decode()


@pytest.mark.parametrize(
    "arguments",
    [
        ["--household", "villa"],
        ["--household", "vi lla=2"],
        ["--misbehave", "rude=yes"],
        ["--tls-ca", "missing.pem"],
        ["--firmware-ca", "missing.pem"],
        ["--own-command", "relay"],
        ["--password", "secret"],
    ],
)
async def test_wrong_options_are_refused_without_a_traceback(
    arguments: list[str],
) -> None:
    async with simulator(*arguments) as program:
        code, errors = await program.ended()
    assert code == 2
    assert "error:" in errors
    assert "Traceback" not in errors


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM])
async def test_a_signal_ends_it_cleanly(
    mosquitto: Mosquitto, observer: Observer, how: signal.Signals
) -> None:
    options: list[str | int] = ["--port", mosquitto.port, "--household", "villa=2"]
    async with simulator(*options, "--household", "cabin=1") as program:
        lines = [await program.line() for _ in range(4)]
        program.process.send_signal(how)
        assert await program.ended() == (0, "")
    assert sum("connected" in line for line in lines) == 3
    assert "ready nodes=3" in lines[-1]
    await observer.wait_for(lambda: observer.online.count(False) == 3)
    reasons = {each.json.get("reason") for each in observer.on("status/online")}
    assert reasons == {None, "shutdown"}


async def test_control_mode_steers_single_nodes(mosquitto: Mosquitto, observer: Observer) -> None:
    options: list[str | int] = ["--port", mosquitto.port, "--household", "villa=2", "--interval", 0]
    async with simulator(*options, "--json", "--control") as program:
        await program.until("event", "ready")
        assert (await program.control("behave villa plug-1 twice=yes"))["ok"]
        observer.command("relay", {"action": "off", "request_id": "r1"})
        await observer.wait_for(lambda: len(observer.answers) == 2)
        record = await program.control("executed villa plug-1")
        assert record["refused"] == []
        assert record["executed"][0]["request_id"] == "r1"
        assert record["executed"][0]["receptions"] == 1

        reply = await program.control('behave villa plug-1 reject="too hot"')
        assert reply["behaviour"]["twice"]
        assert reply["behaviour"]["reject"] == "too hot"
        assert not (await program.control("behave villa plug-1"))["behaviour"]["twice"]

        assert (await program.control("press villa plug-2"))["relay"] is False
        assert (await program.control("telemetry villa plug-2 power=7"))["ok"]
        await observer.wait_for(lambda: bool(observer.on("plug-2/telemetry/power")))

        for line in ("die", "start", "stop", "start", "restart"):
            assert (await program.control(f"{line} villa plug-2"))["ok"], line
        assert (await program.control("stop villa plug-1"))["ok"]
        nodes = (await program.control("nodes"))["nodes"]
        assert [node["online"] for node in nodes] == [False, True]

        assert (await program.control("quit")) == {"reply": "quit", "ok": True}
        assert await program.ended() == (0, "")


@pytest.mark.parametrize(
    ("line", "error"),
    [
        ("dance villa plug-1", "unknown_command"),
        ("die villa", "wrong_arguments"),
        ("die villa plug-1 now", "wrong_arguments"),
        ("die villa plug-9", "unknown_node"),
        ("behave villa plug-1 rude=yes", "bad_behaviour"),
        ('behave villa plug-1 reject="open', "unreadable"),
        ("press villa plug-1 maybe", "wrong_arguments"),
        ("state villa plug-1 all", "wrong_arguments"),
        ("offer villa plug-1 version=1.3.0", "bad_offer"),
        ("offer villa plug-1 colour=red", "bad_offer"),
        ("telemetry villa plug-1 power=", "bad_value"),
        ("telemetry villa plug-1 power=1", "not_connected"),
        ("", "unreadable"),
    ],
)
async def test_control_names_what_is_wrong(line: str, error: str) -> None:
    fleet = Fleet.build(Broker(port=CLOSED_PORT), {"villa": 1})
    reply = await Control(fleet).handle(line)
    assert reply["reply"] == line.partition(" ")[0]
    assert not reply["ok"]
    assert reply["error"] == error
    assert reply["message"]


async def test_control_mode_ends_with_its_input_though_no_broker_is_there() -> None:
    options: list[str | int] = ["--port", CLOSED_PORT, "--household", "villa=1"]
    async with simulator(*options, "--json", "--control") as program:
        assert (await program.control("nodes"))["ok"]
        assert await program.ended() == (0, "")


async def test_control_read_from_a_file_ends_with_it(mosquitto: Mosquitto, tmp_path: Path) -> None:
    script = tmp_path / "lines"
    script.write_text("start villa plug-1\n\nnodes")
    with script.open() as lines:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "simulator", "--control", "--json"),
            *("--household", "villa=1", "--port", str(mosquitto.port)),
            stdin=lines,
            stdout=asyncio.subprocess.PIPE,
            cwd=ROOT,
        )
        out, _ = await process.communicate()
    replies = [line for line in map(json.loads, out.splitlines()) if "reply" in line]
    assert process.returncode == 0
    assert [reply["ok"] for reply in replies] == [True, False, True]


async def test_the_password_comes_from_the_environment(
    start_mosquitto: Callable[..., Mosquitto],
) -> None:
    mosquitto = start_mosquitto(users={"villa": "secret"})
    options: list[str | int] = [
        "--port",
        mosquitto.port,
        "--user",
        "villa",
        "--household",
        "villa=1",
    ]
    async with simulator(*options, "--json", HOMESYNC_SIM_PASSWORD="secret") as program:
        await program.until("event", "ready")
        program.process.terminate()
        assert (await program.ended())[0] == 0


async def test_it_ends_quietly_when_nobody_reads_any_more(
    mosquitto: Mosquitto,
) -> None:
    read, write = os.pipe()
    os.close(read)
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "simulator"),
        *("--household", "villa=1", "--port", str(mosquitto.port)),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=write,
        stderr=asyncio.subprocess.PIPE,
        cwd=ROOT,
    )
    os.close(write)
    async with asyncio.timeout(DEADLINE):
        _, errors = await process.communicate()
    assert (process.returncode, errors) == (0, b"")
