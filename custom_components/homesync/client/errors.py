"""The client's own errors. None of their texts holds a secret."""

from enum import StrEnum


class Step(StrEnum):
    """How far an attempt to connect got."""

    RESOLVE = "resolve"
    TCP = "tcp"
    TLS = "tls"
    CONNACK = "connack"
    SUBSCRIBE = "subscribe"
    LINK = "link"  # connected before, lost now


class Cause(StrEnum):
    """Why there is no connection."""

    CANNOT_RESOLVE = "cannot_resolve"
    REFUSED = "refused"
    UNREACHABLE = "unreachable"
    TIMED_OUT = "timed_out"
    TLS = "tls"
    PROTOCOL_VERSION = "protocol_version"
    CLIENT_ID = "client_id"
    SERVER_UNAVAILABLE = "server_unavailable"
    CREDENTIALS = "credentials"
    NOT_AUTHORISED = "not_authorised"
    SUBSCRIPTION_REFUSED = "subscription_refused"
    CLOSED = "closed"
    PROTOCOL_ERROR = "protocol_error"
    SILENT = "silent"


class HomeSyncError(Exception):
    """Base of everything that the client raises."""


class ConnectError(HomeSyncError):
    """No connection, or none any more; `str()` says why in words."""

    def __init__(self, cause: Cause, step: Step, words: str) -> None:
        super().__init__(words)
        self.cause = cause
        self.step = step


class NotConnectedError(HomeSyncError):
    """Nothing can be sent: there is no connection."""


class CongestedError(HomeSyncError):
    """Nothing can be sent now: the broker takes no more bytes or acknowledgements are overdue."""


class MalformedPacketError(HomeSyncError):
    """The peer broke the rules of MQTT; the connection cannot go on."""


class ProtocolError(HomeSyncError):
    """A topic or payload that the dialect does not allow; `kind` groups equal ones."""

    def __init__(self, kind: str, words: str) -> None:
        super().__init__(words)
        self.kind = kind


class InvalidSettingError(HomeSyncError):
    """A setting that cannot work; `field` names it."""

    def __init__(self, field: str, words: str) -> None:
        super().__init__(words)
        self.field = field
