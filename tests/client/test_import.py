"""The client works where Home Assistant is not installed."""

from pathlib import Path
import subprocess
import sys

PACKAGE = Path(__file__).parents[2] / "custom_components" / "homesync"

PROGRAM = """
import asyncio, importlib, pkgutil, sys, types

class Blocker:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {"homeassistant", "voluptuous", "probatio"}:
            raise ImportError(f"{name} is not there")

sys.meta_path.insert(0, Blocker())
parent = types.ModuleType("homesync")
parent.__path__ = [sys.argv[1]]
sys.modules["homesync"] = parent

client = importlib.import_module("homesync.client")
for module in pkgutil.walk_packages(client.__path__, "homesync.client."):
    importlib.import_module(module.name)
assert all(hasattr(client, name) for name in client.__all__)

async def main():
    import logging
    household = client.Household(
        client.HouseholdSettings(name="Villa", home_id="villa"),
        client.BrokerSettings(host="broker", port=1883, client_id="c"),
        logging.getLogger(),
    )
    print(household.link.state)

asyncio.run(main())
assert not {"homeassistant", "voluptuous"} & {name.partition(".")[0] for name in sys.modules}
"""


def test_the_client_knows_no_home_assistant() -> None:
    ran = subprocess.run(
        [sys.executable, "-W", "error", "-c", PROGRAM, str(PACKAGE)],
        capture_output=True,
        text=True,
        check=False,
        timeout=250,
    )
    assert ran.returncode == 0, ran.stderr
    assert ran.stdout == "stopped\n"
