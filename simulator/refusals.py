"""Why a command is not carried out."""

UNSUPPORTED = "unsupported"
INVALID = "invalid"
BUSY = "busy"
OLDER = "older version"
TOO_LARGE = "too large"
UNKNOWN_EFFECT = "unknown effect"


class Refused(Exception):
    """The command cannot be carried out; its text is the answer's `error`."""
