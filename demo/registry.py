"""Which entity is what: by unique id, never by name."""

from dataclasses import dataclass
from typing import Self

from .api import Api
from .errors import DemoError
from .state import State


@dataclass(frozen=True, slots=True, kw_only=True)
class Entity:
    """An entity, perhaps disabled; `key` is the last part of its unique id, such as `power`."""

    entity_id: str
    device_id: str
    node_id: str | None
    key: str
    enabled: bool


class Registry:
    """HomeSync's entities of all households, at one moment."""

    def __init__(self, entities: dict[str, list[Entity]]) -> None:
        self._entities = entities

    @classmethod
    async def load(cls, api: Api, state: State) -> Self:
        """Ask Home Assistant."""
        homes = {entry: home_id for home_id, entry in state.entries.items()}
        entities: dict[str, list[Entity]] = {home_id: [] for home_id in state.entries}
        for row in await api.call("config/entity_registry/list"):
            if row["config_entry_id"] in homes:
                # entry/key of a household's own, entry/node/…/key of a node's
                _, *node, key = row["unique_id"].split("/")
                entities[homes[row["config_entry_id"]]].append(
                    Entity(
                        entity_id=row["entity_id"],
                        device_id=row["device_id"],
                        node_id=node[0] if node else None,
                        key=key,
                        enabled=row["disabled_by"] is None,
                    )
                )
        return cls(entities)

    def entity(self, home_id: str, node_id: str | None, key: str) -> str:
        """Give the entity id; no node: of the household itself."""
        return self._find(home_id, node_id, key).entity_id

    def device(self, home_id: str, node_id: str | None) -> str:
        """Give the registry id of a node's device, or the household's."""
        return self._find(home_id, node_id, None).device_id

    def node(self, home_id: str, node_id: str) -> list[Entity]:
        """Give the enabled entities of a node."""
        return [
            entity
            for entity in self._entities[home_id]
            if entity.node_id == node_id and entity.enabled
        ]

    def has(self, home_id: str, node_id: str | None, *keys: str) -> bool:
        """Whether it has entities for all these keys."""
        present = {each.key for each in self._entities[home_id] if each.node_id == node_id}
        return present.issuperset(keys)

    def _find(self, home_id: str, node_id: str | None, key: str | None) -> Entity:
        for entity in self._entities[home_id]:
            if entity.node_id == node_id and key in {None, entity.key}:
                return entity
        raise DemoError(f"{home_id} {node_id or 'itself'} has no entity {key or 'at all'}")
