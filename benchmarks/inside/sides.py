"""The two integrations that are compared: their config entries and their entities."""

from abc import ABC, abstractmethod
import asyncio
from collections.abc import Callable
from pathlib import Path
from types import MappingProxyType
from typing import Any, override

from homeassistant.config_entries import ConfigEntry, ConfigEntryState
from homeassistant.core import HomeAssistant
from homeassistant.helpers import entity_registry as er

from benchmarks.plant import PREFIX, Plant


class Side(ABC):
    """One integration in one Home Assistant."""

    domain: str

    def __init__(self, hass: HomeAssistant) -> None:
        self.hass = hass
        self.entries: list[ConfigEntry[Any]] = hass.config_entries.async_entries(self.domain)

    @abstractmethod
    async def add(self, homes: list[str], port: int, ca: str | None) -> None:
        """Set it up, connected to the broker."""

    @abstractmethod
    def unique_id(self, home: str, node: str, end: str) -> str:
        """What tells the entity of a node's topic with that end from others."""

    def entity_id(self, kind: str, home: str, node: str, end: str) -> str | None:
        """Return the entity of a node's topic, None if there is none yet."""
        registry = er.async_get(self.hass)
        return registry.async_get_entity_id(kind, self.domain, self.unique_id(home, node, end))

    def entity_ids(self, plant: Plant) -> list[str | None]:
        """Return the plant's entities in order, None for those that do not exist yet."""
        return [self.entity_id(*entity) for entity in plant.entities()]

    async def _add(
        self, title: str, version: tuple[int, int], data: dict[str, Any], **options: Any
    ) -> ConfigEntry[Any]:
        entry: ConfigEntry[Any] = ConfigEntry(
            domain=self.domain,
            title=title,
            data=data,
            options=options,
            version=version[0],
            minor_version=version[1],
            source="user",
            unique_id=None,
            discovery_keys=MappingProxyType({}),
            subentries_data=None,
        )
        self.entries.append(entry)
        await self.hass.config_entries.async_add(entry)
        if entry.state is not ConfigEntryState.LOADED:
            raise RuntimeError(f"{title} is not set up: {entry.reason}")
        return entry


class HomeSync(Side):
    """The integration of this repository."""

    domain = "homesync"

    @override
    async def add(self, homes: list[str], port: int, ca: str | None) -> None:
        await asyncio.gather(*(self._add_home(home, port, ca) for home in homes))
        await until(lambda: all(self.connected), 60)

    @override
    def unique_id(self, home: str, node: str, end: str) -> str:
        entry = next(entry for entry in self.entries if entry.title == home)
        return f"{entry.entry_id}/{node}/{end}"

    @property
    def connected(self) -> list[bool]:
        """Whether each household is connected and has proven it."""
        return [
            household.link.state.value == "connected" and household.link.echo is not None
            for household in self.households
        ]

    @property
    def households(self) -> list[Any]:
        """The clients."""
        return [entry.runtime_data.household for entry in self.entries]

    async def _add_home(self, home: str, port: int, ca: str | None) -> None:
        data = {
            "home_id": home,
            "host": "localhost" if ca else "127.0.0.1",
            "port": port,
            "tls": ca is not None,
            "prefix": PREFIX,
            "client_id": f"bench_{home}",
        }
        if ca is not None:
            data["ca"] = await asyncio.to_thread(Path(ca).read_text)
        await self._add(home, (1, 1), data, max_nodes=1000)


class Core(Side):
    """Home Assistant's own MQTT integration."""

    domain = "mqtt"

    @override
    async def add(self, homes: list[str], port: int, ca: str | None) -> None:
        data = {
            "broker": "localhost" if ca else "127.0.0.1",
            "port": port,
            "protocol": "5",
            "discovery": True,
            "discovery_prefix": "homeassistant",
        }
        if ca is not None:
            data["certificate"] = await asyncio.to_thread(Path(ca).read_text)
        await self._add("core", (2, 1), data)
        await until(lambda: self.hass.data["mqtt"].client.connected, 60)
        # Its subscriptions to discovery topics go out a moment later.
        await asyncio.sleep(1.5)

    @override
    def unique_id(self, home: str, node: str, end: str) -> str:
        _, _, name = end.partition("/")
        return f"{home}_{node}_{name}"


async def until(ready: Callable[[], bool], seconds: float) -> None:
    """Wait until something is so."""
    async with asyncio.timeout(seconds):
        while not ready():  # noqa: ASYNC110  # nobody tells
            await asyncio.sleep(0.02)
