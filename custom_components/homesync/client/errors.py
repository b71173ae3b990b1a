"""The client's own errors. None of their texts holds a secret."""

from enum import StrEnum


class Step(StrEnum):
    """How far an attempt to connect got."""

    RESOLVE = "resolve"
    TCP = "tcp"
    TLS = "tls"
    WEBSOCKET = "websocket"
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
    TLS_EXPIRED = "tls_expired"
    TLS_NOT_YET_VALID = "tls_not_yet_valid"
    TLS_WRONG_HOST = "tls_wrong_host"
    TLS_UNKNOWN_ISSUER = "tls_unknown_issuer"
    TLS_SELF_SIGNED = "tls_self_signed"
    TLS_CLIENT_CERTIFICATE = "tls_client_certificate"
    WEBSOCKET = "websocket"
    PROTOCOL_VERSION = "protocol_version"
    CLIENT_ID = "client_id"
    SERVER_UNAVAILABLE = "server_unavailable"
    CREDENTIALS = "credentials"
    NOT_AUTHORISED = "not_authorised"
    BANNED = "banned"
    QUOTA = "quota"
    RATE = "rate"
    TAKEN_OVER = "taken_over"
    KEEPALIVE = "keepalive"
    PACKET_TOO_LARGE = "packet_too_large"
    RECEIVE_MAXIMUM = "receive_maximum"
    NO_RETAIN = "no_retain"
    NO_QOS = "no_qos"
    OTHER_SERVER = "other_server"
    SUBSCRIPTION_REFUSED = "subscription_refused"
    CLOSED = "closed"
    PROTOCOL_ERROR = "protocol_error"
    SILENT = "silent"
    DEAF = "deaf"


class HomeSyncError(Exception):
    """Base of everything that the client raises."""


class ConnectError(HomeSyncError):
    """No connection, or none any more; `str()` says why in words.

    `server` is where a broker wants us to go instead, in its own words; `code` is the
    reason code (MQTT 5 section 2.4) if the broker gave one.
    """

    def __init__(
        self,
        cause: Cause,
        step: Step,
        words: str,
        server: str | None = None,
        code: int | None = None,
    ) -> None:
        super().__init__(words)
        self.cause = cause
        self.step = step
        self.server = server
        self.code = code


class NotConnectedError(HomeSyncError):
    """Nothing can be sent: there is no connection."""


class CongestedError(HomeSyncError):
    """Nothing can be sent now: the broker takes no more bytes or acknowledgements are overdue."""


class TooLargeError(HomeSyncError):
    """A message that this broker never takes; sizes in bytes."""

    def __init__(self, size: int, limit: int) -> None:
        super().__init__(f"a message of {size} bytes is above the limit of {limit}")
        self.size = size
        self.limit = limit


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
