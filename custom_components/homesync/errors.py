"""Client errors → Home Assistant's translated ones; the only place that raises them."""

from homeassistant.exceptions import HomeAssistantError

from .client import CommandResult, Outcome, Reason
from .const import DOMAIN

_GOOD = (Outcome.CONFIRMED, Outcome.QUEUED)


def command_error(result: CommandResult, household: str) -> HomeAssistantError | None:
    """Return what tells a person why a command was not confirmed, None if it was.

    Each reason has a text of its own name.
    """
    if result.outcome in _GOOD or result.reason is None:
        return None
    key = result.reason.value
    if result.reason is Reason.REFUSED_BY_NODE and result.detail is None:
        key = "refused_without_reason"
    elif result.outcome is Outcome.EXPIRED:
        key = "expired_unknown" if result.attempts else "expired"
    return HomeAssistantError(
        translation_domain=DOMAIN,
        translation_key=key,
        translation_placeholders={
            "node": result.node_id,
            "household": household,
            "detail": result.detail or "",
            "attempts": str(result.attempts),
        },
    )


def raise_unless_confirmed(result: CommandResult, household: str) -> None:
    """Raise what tells a person why a command was not confirmed.

    A command whose place a newer one took is no failure: the newer one tells how it ended.
    """
    error = command_error(result, household)
    if error is not None and result.reason is not Reason.SUPERSEDED:
        raise error
