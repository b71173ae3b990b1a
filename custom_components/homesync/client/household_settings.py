"""What makes a household, but for its broker."""

from dataclasses import dataclass, field

from .transport.presets import Plan
from .turns import Limits


@dataclass(frozen=True, slots=True, kw_only=True)
class HouseholdSettings:
    """What makes a household; `name` is for people and logs.

    For `grace_time` seconds after a loss its nodes still count as reachable. With
    `thin_at_limit` telemetry is thinned out once the data of a plan that stops is used up.
    """

    name: str
    home_id: str
    prefix: str = "homesync"
    max_nodes: int = 100
    grace_time: float = 30.0
    limits: Limits = field(default_factory=Limits)
    plan: Plan = field(default_factory=Plan)
    thin_at_limit: bool = False
