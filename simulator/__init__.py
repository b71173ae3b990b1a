"""The reference node of the HomeSync protocol, see docs/protocol.md.

Written from the protocol alone: it shares no code with the integration.
"""

from .behaviour import Behaviour
from .commands import Execution
from .config import Broker, Event, NodeConfig, OwnCommand, Updates
from .controller import Reception
from .curves import PROFILES, Profile
from .device import Led
from .fleet import Fleet
from .info import Available, Info
from .node import Node
from .refusals import Refused
from .session import NotConnected
from .updater import Update

__all__ = [
    "PROFILES",
    "Available",
    "Behaviour",
    "Broker",
    "Event",
    "Execution",
    "Fleet",
    "Info",
    "Led",
    "Node",
    "NodeConfig",
    "NotConnected",
    "OwnCommand",
    "Profile",
    "Reception",
    "Refused",
    "Update",
    "Updates",
]
