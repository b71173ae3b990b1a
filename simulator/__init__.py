"""The reference node of the HomeSync protocol, see docs/protocol.md.

Written from the protocol alone: it shares no code with the integration.
"""

from .behaviour import Behaviour
from .commands import Execution, Led
from .config import Broker, Event, NodeConfig
from .curves import PROFILES, Profile
from .fleet import Fleet
from .node import Node, Reception
from .session import NotConnected

__all__ = [
    "PROFILES",
    "Behaviour",
    "Broker",
    "Event",
    "Execution",
    "Fleet",
    "Led",
    "Node",
    "NodeConfig",
    "NotConnected",
    "Profile",
    "Reception",
]
