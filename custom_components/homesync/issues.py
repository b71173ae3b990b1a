"""What is shown under repairs: one table of what may be wrong with a household."""

from collections.abc import Callable
from dataclasses import dataclass
import logging
import time

from cryptography.x509 import load_pem_x509_certificate
from homeassistant.config_entries import ConfigEntry
from homeassistant.core import HomeAssistant
from homeassistant.helpers import issue_registry as ir

from .broker import option
from .client import Alert, Cause, ConnectError, ConnectionState, Household, MqttVersion
from .const import (
    CONF_CLIENT_CERTIFICATE,
    CONF_MAX_NODES,
    CONF_TLS,
    CONF_VERIFY,
    CONF_VERSION,
    DOMAIN,
    VERSION_5,
    VERSION_AUTO,
)

_LOGGER = logging.getLogger(__name__)
_DAY = 86_400.0
_WARN_DAYS = 14

THINNED = "telemetry_thinned"

type Placeholders = dict[str, str]


def alert_key(alert: Alert) -> str:
    """Name an alert: its issue, its sensor and the option with its threshold."""
    return f"alert_{alert.value}"


@dataclass(frozen=True, slots=True)
class _Kind:
    """One thing that may be wrong; `find` gives the placeholders if it is."""

    key: str
    find: Callable[[Household, ConfigEntry], Placeholders | None]
    fixable: bool = False
    severity: ir.IssueSeverity = ir.IssueSeverity.WARNING


def _insecure_tls(_household: Household, entry: ConfigEntry) -> Placeholders | None:
    unverified = entry.data[CONF_TLS] and not entry.data.get(CONF_VERIFY, True)
    return {} if unverified else None


def _days_left(ends: float | None) -> Placeholders | None:
    """Tell how many days are left if it is time to worry."""
    if ends is None or ends - time.time() > _WARN_DAYS * _DAY:
        return None
    return {"days": str(max(0, int((ends - time.time()) // _DAY)))}


def _certificate_ends(household: Household, _entry: ConfigEntry) -> Placeholders | None:
    return _days_left(household.link.certificate_expires)


def client_certificate_expires(entry: ConfigEntry) -> float | None:
    """When the household's own certificate ends, in seconds since the epoch."""
    certificate = entry.data.get(CONF_CLIENT_CERTIFICATE)
    if not certificate or not entry.data[CONF_TLS]:
        return None
    try:
        parsed = load_pem_x509_certificate(certificate.encode())
    except ValueError:
        # OpenSSL, which uses it, is less strict.
        return None
    return parsed.not_valid_after_utc.timestamp()


def _client_certificate_ends(_household: Household, entry: ConfigEntry) -> Placeholders | None:
    return _days_left(client_certificate_expires(entry))


def _because(*causes: Cause) -> Callable[[Household, ConfigEntry], Placeholders | None]:
    """Report while one of the causes keeps the household from connecting."""

    def find(household: Household, _entry: ConfigEntry) -> Placeholders | None:
        error = household.link.error
        return {"reason": str(error)} if error is not None and error.cause in causes else None

    return find


def _rival(household: Household, _entry: ConfigEntry) -> Placeholders | None:
    return {} if household.link.rival else None


def _other_server(household: Household, _entry: ConfigEntry) -> Placeholders | None:
    error = household.link.error
    if error is None or error.cause is not Cause.OTHER_SERVER or not _named(error):
        return None
    return {"server": _named(error)}


def _moved(household: Household, _entry: ConfigEntry) -> Placeholders | None:
    error = household.link.error
    moved = error is not None and error.cause is Cause.OTHER_SERVER and not _named(error)
    return {} if moved else None


def _named(error: ConnectError) -> str:
    """Return where the broker wants us to go, as far as it tells."""
    return (error.server or "").strip()[:255]


def _retained_commands(household: Household, _entry: ConfigEntry) -> Placeholders | None:
    found = household.left_overs.commands
    return {"count": str(len(found)), "topic": found[0][:255]} if found else None


def _older_mqtt(household: Household, entry: ConfigEntry) -> Placeholders | None:
    """Report while a broker calls our MQTT 5 wrong so often that it is tried only rarely."""
    link, error = household.link, household.link.error
    chosen = entry.data.get(CONF_VERSION, VERSION_AUTO)
    newer = chosen == VERSION_5 or (
        chosen == VERSION_AUTO and link.learned.version is MqttVersion.V5
    )
    rarely = link.state is ConnectionState.ERROR
    if error is None or error.cause is not Cause.PROTOCOL_ERROR or not (rarely and newer):
        return None
    return {"reason": str(error)}


def _unproven(household: Household, _entry: ConfigEntry) -> Placeholders | None:
    connected, echo = household.link.state is ConnectionState.CONNECTED, household.link.echo
    if not connected or echo is None or not echo.unproven:
        return None
    return {"filters": ", ".join(echo.unproven)}


_KINDS = (
    _Kind("insecure_tls", _insecure_tls),
    _Kind("certificate_ends", _certificate_ends),
    _Kind("certificate_ended", _because(Cause.TLS_EXPIRED), severity=ir.IssueSeverity.ERROR),
    _Kind("client_certificate_ends", _client_certificate_ends),
    _Kind("clock", _because(Cause.TLS_NOT_YET_VALID), severity=ir.IssueSeverity.ERROR),
    _Kind("rival", _rival, fixable=True, severity=ir.IssueSeverity.ERROR),
    _Kind("plan_limit", _because(Cause.QUOTA), severity=ir.IssueSeverity.ERROR),
    _Kind("banned", _because(Cause.BANNED), severity=ir.IssueSeverity.ERROR),
    _Kind("other_server", _other_server, fixable=True),
    _Kind("older_mqtt", _older_mqtt, fixable=True, severity=ir.IssueSeverity.ERROR),
    _Kind("moved", _moved, severity=ir.IssueSeverity.ERROR),
    _Kind(
        "subscription_refused",
        _because(Cause.SUBSCRIPTION_REFUSED),
        severity=ir.IssueSeverity.ERROR,
    ),
    _Kind("unproven", _unproven),
    _Kind("retained_commands", _retained_commands, fixable=True),
)


def _never(_household: Household, _entry: ConfigEntry) -> Placeholders | None:
    return None


# Told by whoever meets it, taken back by him or when the household stops.
_REPORTED = {
    kind.key: kind
    for kind in (
        _Kind("node_limit", _never),
        _Kind("firmware_catalogue", _never),
        _Kind("dead_letter", _never),
        _Kind("outbox_refused", _never),
        _Kind("outbox_set_aside", _never),
        _Kind("outbox_unreadable", _never, severity=ir.IssueSeverity.ERROR),
        _Kind("outbox_not_written", _never, severity=ir.IssueSeverity.ERROR),
        _Kind("outbox_not_storable", _never),
        _Kind("statistics_lost", _never),
        _Kind("statistics_in_the_way", _never),
        *(_Kind(alert_key(alert), _never) for alert in Alert),
        _Kind(THINNED, _never),
    )
}
_ALL = (*_KINDS, *_REPORTED.values())


class HouseholdIssues:
    """The issues of one household: shown while they last, once each.

    Home Assistant remembers with an issue that the user ignores it. So one that is ignored
    outlives the run, and is deleted when the next one is sure that it does not hold.
    """

    def __init__(self, hass: HomeAssistant, entry: ConfigEntry) -> None:
        self._hass = hass
        self._entry = entry
        self._shown: dict[str, Placeholders] = {}

    def update(self, household: Household) -> None:
        """Show what is wrong now and take back what is not any more."""
        for kind in _KINDS:
            found = kind.find(household, self._entry)
            if found is not None:
                self._show(kind, found)
            elif kind.key in self._shown:
                self._hide(kind)

    def report(self, key: str, placeholders: Placeholders) -> None:
        """Show what somebody met."""
        self._show(_REPORTED[key], placeholders)

    def withdraw(self, key: str) -> None:
        """Take a report back."""
        self._hide(_REPORTED[key])

    def report_node_limit(self, node_id: str) -> None:
        """Show, once, that the household has more nodes than it may."""
        if "node_limit" in self._shown:
            return
        limit = option(self._entry, CONF_MAX_NODES)
        _LOGGER.warning(
            "Household %s: node %s refused, the limit of %d nodes is reached",
            self._entry.title,
            node_id,
            limit,
        )
        self.report("node_limit", {"limit": str(limit), "node": node_id})

    def settle(self) -> None:
        """Forget what was ignored in an earlier run and was not met in this one."""
        for kind in _ALL:
            if kind.key not in self._shown:
                self._hide(kind)

    def close(self) -> None:
        """Show nothing more; all is forgotten only if the household was disabled."""
        registry = ir.async_get(self._hass)
        for kind in _ALL:
            issue = registry.async_get_issue(DOMAIN, self._id(kind.key))
            ignored = issue is not None and issue.dismissed_version is not None
            if self._entry.disabled_by or not ignored:
                self._hide(kind)

    def clear(self) -> None:
        """Forget everything."""
        for kind in _ALL:
            self._hide(kind)

    def _show(self, kind: _Kind, placeholders: Placeholders) -> None:
        if self._shown.get(kind.key) == placeholders:
            return
        self._shown[kind.key] = placeholders
        ir.async_create_issue(
            self._hass,
            DOMAIN,
            self._id(kind.key),
            data={"entry_id": self._entry.entry_id, "kind": kind.key},
            is_fixable=kind.fixable,
            severity=kind.severity,
            translation_key=kind.key,
            translation_placeholders={"household": self._entry.title, **placeholders},
        )

    def _hide(self, kind: _Kind) -> None:
        self._shown.pop(kind.key, None)
        ir.async_delete_issue(self._hass, DOMAIN, self._id(kind.key))

    def _id(self, key: str) -> str:
        return f"{key}_{self._entry.entry_id}"
