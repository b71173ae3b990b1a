"""The machine that figures were measured on, and its broker."""

from datetime import UTC, datetime
import os
from pathlib import Path
import platform
import subprocess

from .broker import SETTINGS, program


def describe() -> dict[str, str]:
    """Name processor, system and broker, and the time."""
    return {
        "date": datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
        "processor": _processor(),
        "cores": str(os.cpu_count()),
        "load before": f"{os.getloadavg()[0]:.2f}",
        "system": f"{platform.system()} {platform.release()}",
        "mosquitto": _mosquitto(),
        "its settings": ", ".join(SETTINGS[:2]),
    }


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.machine()
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()


def _mosquitto() -> str:
    told = subprocess.run([program(), "-h"], capture_output=True, text=True, check=False)
    first = (told.stdout or told.stderr).splitlines()[0]
    return first.removeprefix("mosquitto version ")
