"""Which values have entities, who adds them, and who is told when a value changes."""

from collections.abc import Callable, Iterable, Iterator
from functools import partial
from itertools import batched
import logging

from homeassistant.core import CALLBACK_TYPE, HomeAssistant
from homeassistant.helpers.entity import Entity
from homeassistant.helpers.entity_platform import AddConfigEntryEntitiesCallback

from .client import ONLINE
from .paced import Paced, pace_of

_LOGGER = logging.getLogger(__name__)
_AT_ONCE = 20  # Home Assistant needs 0.2 ms for each

type EntityBuilder = Callable[[str, str], Entity | None]
"""Makes the entity of a node's key, None if the platform has none for it."""


class _Platform:
    """One platform's way to add entities, a few at a time."""

    def __init__(self, build: EntityBuilder, add: AddConfigEntryEntitiesCallback) -> None:
        self.build = build
        self.add = add
        self.waiting: list[tuple[str, Entity]] = []

    def take_chunks(self) -> Iterator[list[tuple[str, Entity]]]:
        """Take what waits, with the id of each entity's node."""
        waiting, self.waiting = self.waiting, []
        return map(list, batched(waiting, _AT_ONCE, strict=False))


class EntityHub:
    """The entities of one household's nodes; `is_known` tells whether a node still is one."""

    def __init__(self, hass: HomeAssistant, is_known: Callable[[str], bool]) -> None:
        self._hass = hass
        self._is_known = is_known
        self._platforms: list[_Platform] = []
        self._announced: dict[str, dict[str, None]] = {}
        self.listeners: dict[str, dict[str, CALLBACK_TYPE]] = {}
        """Who is told: node id → key → callback; changed here only."""
        self._flushing = False
        self._paced = Paced(pace_of(hass))

    def close(self) -> None:
        """Add and tell nothing more."""
        self._paced.close()

    def add_platform(self, build: EntityBuilder, add: AddConfigEntryEntitiesCallback) -> None:
        """Let a platform build entities for every known key and for those to come."""
        platform = _Platform(build, add)
        self._platforms.append(platform)
        for node_id, keys in self._announced.items():
            for key in keys:
                self._offer(platform, node_id, key)
        self._flush()

    def knows(self, node_id: str) -> bool:
        """Whether entities of a node were announced or listen."""
        return node_id in self.listeners

    def announce(self, node_id: str, keys: tuple[str, ...]) -> None:
        """Offer keys to all platforms, each once."""
        self.listeners.setdefault(node_id, {})
        announced = self._announced.setdefault(node_id, {})
        for key in keys:
            if key in announced:
                continue
            announced[key] = None
            for platform in self._platforms:
                self._offer(platform, node_id, key)
            if self._platforms and not self._flushing:
                self._flushing = True
                self._hass.loop.call_soon(self._flush)

    def listen(self, node_id: str, keys: tuple[str, ...], update: CALLBACK_TYPE) -> None:
        """Call `update` when one of a node's values or its availability changed."""
        self.listeners.setdefault(node_id, {}).update(dict.fromkeys(keys, update))

    def ignore(self, node_id: str, keys: tuple[str, ...], update: CALLBACK_TYPE) -> None:
        """Call `update` no more; whoever else listens to the keys by now stays."""
        listeners = self.listeners.get(node_id, {})
        for key in keys:
            if listeners.get(key) == update:
                del listeners[key]

    def tell(self, node_id: str, keys: tuple[str, ...]) -> None:
        """Tell those who listen to the keys, each once."""
        listeners = self.listeners[node_id]
        concerned = listeners if ONLINE in keys else [key for key in keys if key in listeners]
        _tell_each([listeners[key] for key in concerned])

    def tell_everybody(self) -> None:
        """Tell all of them, little by little."""
        for node_id in self.listeners:
            self._paced.add(partial(self._tell_node, node_id))
        self._paced.run()

    def tell_all_of(self, key: str) -> None:
        """Tell those who listen to a key of whatever node."""
        _tell_each(
            [update for each in self.listeners.values() if (update := each.get(key)) is not None]
        )

    def forget(self, node_id: str) -> None:
        """Forget a node."""
        self._announced.pop(node_id, None)
        self.listeners.pop(node_id, None)

    def _tell_node(self, node_id: str) -> None:
        _tell_each(self.listeners.get(node_id, {}).values())

    def _offer(self, platform: _Platform, node_id: str, key: str) -> None:
        entity = platform.build(node_id, key)
        if entity is not None:
            platform.waiting.append((node_id, entity))

    def _flush(self) -> None:
        self._flushing = False
        for platform in self._platforms:
            for chunk in platform.take_chunks():
                self._paced.add(partial(self._add, platform, chunk))
        self._paced.run()

    def _add(self, platform: _Platform, chunk: list[tuple[str, Entity]]) -> None:
        # Nodes may have been removed since.
        platform.add([entity for node_id, entity in chunk if self._is_known(node_id)])


def _tell_each(updates: Iterable[CALLBACK_TYPE]) -> None:
    """Tell each once; one that Home Assistant cannot show keeps no other from being told."""
    for update in dict.fromkeys(updates):
        try:
            update()
        except Exception:
            _LOGGER.exception("An entity could not be updated")
