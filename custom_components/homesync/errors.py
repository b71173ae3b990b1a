"""Client errors → Home Assistant's translated ones; the only place that raises them."""

from collections.abc import Iterator
from contextlib import contextmanager

from homeassistant.exceptions import HomeAssistantError, ServiceValidationError

from .client import (
    CommandResult,
    CongestedError,
    InvalidSettingError,
    NotConnectedError,
    Outcome,
    Reason,
    TooLargeError,
)
from .const import DOMAIN
from .firmware import FirmwareRefusedError

_GOOD = (Outcome.CONFIRMED, Outcome.QUEUED)


@contextmanager
def translated(household: str = "") -> Iterator[None]:
    """Raise what the client raises inside in words for people."""
    try:
        yield
    except InvalidSettingError as err:
        raise invalid("setting_not_allowed", field=err.field, detail=str(err)) from err
    except NotConnectedError as err:
        raise failure("no_connection", household=household) from err
    except CongestedError as err:
        raise failure("broker_busy", household=household) from err
    except TooLargeError as err:
        sizes = {"size": str(err.size), "limit": str(err.limit)}
        raise failure("message_too_large", household=household, **sizes) from err


def failure(key: str, **placeholders: str) -> HomeAssistantError:
    """Something could not be done."""
    return HomeAssistantError(
        translation_domain=DOMAIN, translation_key=key, translation_placeholders=placeholders
    )


def invalid(key: str, **placeholders: str) -> ServiceValidationError:
    """Something that must not be asked for."""
    return ServiceValidationError(
        translation_domain=DOMAIN, translation_key=key, translation_placeholders=placeholders
    )


def several_failed(
    failures: list[tuple[str, HomeAssistantError]], total: int
) -> HomeAssistantError:
    """Some of the nodes failed; each is named, with its household and why."""
    return failure(
        "several_failed",
        count=str(len(failures)),
        total=str(total),
        details="; ".join(f"{household}: {error}" for household, error in failures),
    )


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


def failure_of(result: CommandResult, household: str) -> HomeAssistantError | None:
    """Return what a caller has to hear of a command, None if it did not fail.

    A command whose place a newer one took is no failure: the newer one tells how it ended.
    """
    return None if result.reason is Reason.SUPERSEDED else command_error(result, household)


def raise_unless_confirmed(result: CommandResult, household: str) -> None:
    """Raise what tells a person why a command was not confirmed."""
    error = failure_of(result, household)
    if error is not None:
        raise error


def no_newer_firmware(node_id: str, household: str) -> ServiceValidationError:
    """Tell that nothing newer is known for a node."""
    return invalid("no_newer_firmware", node=node_id, household=household)


def firmware_not_newer(version: str, installed: str, node_id: str) -> ServiceValidationError:
    """Tell that a node would not get newer firmware."""
    return invalid("firmware_not_newer", node=node_id, version=version, installed=installed)


def firmware_refused(
    err: FirmwareRefusedError, version: str, node_id: str, household: str
) -> ServiceValidationError:
    """Tell why no node of a household may be told to fetch firmware."""
    return invalid(
        err.reason.value, node=node_id, household=household, version=version, host=err.host
    )


def unknown_effect(effect: str, node_id: str) -> ServiceValidationError:
    """Tell that a node does not list an effect."""
    return invalid("unknown_effect", node=node_id, effect=effect)
