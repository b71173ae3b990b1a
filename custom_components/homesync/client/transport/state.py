"""The states of a session and which may follow which."""

from enum import StrEnum


class ConnectionState(StrEnum):
    """Where a session stands."""

    STOPPED = "stopped"
    """Not started, or ended."""
    CONNECTING = "connecting"
    """An attempt is under way."""
    CONNECTED = "connected"
    """The broker accepted us and every subscription."""
    DISCONNECTED = "disconnected"
    """No connection; the next attempt comes by itself."""
    ERROR = "error"
    """The broker refuses us; rare attempts until someone changes the settings."""
    STOPPING = "stopping"
    """Unsubscribing and saying goodbye."""


_S = ConnectionState
LEGAL: dict[ConnectionState, frozenset[ConnectionState]] = {
    _S.STOPPED: frozenset((_S.CONNECTING, _S.STOPPING)),
    _S.CONNECTING: frozenset((_S.CONNECTED, _S.DISCONNECTED, _S.ERROR, _S.STOPPING)),
    _S.CONNECTED: frozenset((_S.DISCONNECTED, _S.ERROR, _S.STOPPING)),
    _S.DISCONNECTED: frozenset((_S.CONNECTING, _S.STOPPING)),
    _S.ERROR: frozenset((_S.CONNECTING, _S.STOPPING)),
    _S.STOPPING: frozenset((_S.STOPPED,)),
}
