"""How the client refuses what strangers send."""

from collections.abc import Callable

from custom_components.homesync.client.errors import ProtocolError


def refusal(decode: Callable[[], object]) -> str | None:
    """The kind of the ProtocolError that was raised, if one was; another error passes."""
    try:
        decode()
    except ProtocolError as err:
        return err.kind
    return None
