"""A household's nodes as plain records; pure: no JSON, no socket, no clock."""

from .household import HouseholdModel, NodeState, Value

__all__ = ["HouseholdModel", "NodeState", "Value"]
