"""Client errors → Home Assistant's translated ones; the only place that raises them."""

from homeassistant.exceptions import HomeAssistantError

from .client import CommandResult, Outcome, Reason
from .const import DOMAIN

_KEYS: dict[Reason, str] = {
    Reason.REFUSED_BY_NODE: "refused_by_node",
    Reason.NODE_OFFLINE: "node_offline",
    Reason.NOT_CONNECTED: "not_connected",
    Reason.REFUSED_BY_BROKER: "refused_by_broker",
    Reason.TOO_LARGE: "too_large",
    Reason.NO_ANSWER: "no_answer",
    Reason.NOBODY_LISTENS: "nobody_listens",
    Reason.CONNECTION_LOST: "connection_lost",
    Reason.CONGESTED: "congested",
    Reason.STOPPED: "stopped",
}


def raise_unless_confirmed(result: CommandResult, node: str, household: str) -> None:
    """Raise what tells a person why a command was not confirmed."""
    if result.outcome is Outcome.CONFIRMED or result.reason is None:
        return
    key = _KEYS[result.reason]
    if result.reason is Reason.REFUSED_BY_NODE and result.detail is None:
        key = "refused_without_reason"
    raise HomeAssistantError(
        translation_domain=DOMAIN,
        translation_key=key,
        translation_placeholders={
            "node": node,
            "household": household,
            "detail": result.detail or "",
            "attempts": str(result.attempts),
        },
    )
