"""Watches a household's figures: what is wrong is shown under repairs, logged and a sensor."""

from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
import logging

from homeassistant.config_entries import ConfigEntry
from homeassistant.core import CALLBACK_TYPE, HomeAssistant, callback
from homeassistant.helpers.event import async_track_time_interval

from .broker import option
from .client import Alert, Alerts, ConnectionState, Household, HouseholdStatistics, Plan, Thresholds
from .issues import THINNED, HouseholdIssues, Placeholders, alert_key

_LOGGER = logging.getLogger(__name__)
_EVERY = timedelta(seconds=30)
# Figures move all the time; a text under repairs that did would only be in the way.
_TEXT_HOLDS = 900.0
# Rates are those of so many seconds; by then, a connected household has met what is wrong.
_SETTLED = 900.0

_FIGURES: Mapping[Alert, Callable[[HouseholdStatistics, Household], Placeholders]] = {
    Alert.DISCONNECTED: lambda _, household: {"reason": str(household.link.error or "")},
    Alert.CONNECT_FAILURES: lambda now, _: {
        "failed": str(now.connection.recent_failed),
        "attempts": str(now.connection.recent_failed + now.connection.recent_connects),
    },
    Alert.PUBLISH_FAILURES: lambda now, _: {
        "failed": str(now.publishing.recent_failed),
        "messages": str(now.publishing.recent_failed + now.publishing.recent_succeeded),
    },
    Alert.QUEUE_AGE: lambda now, _: {"waiting": str(now.commands.waiting)},
    Alert.BAD_MESSAGES: lambda now, _: {
        "malformed": str(now.intake.recent_malformed),
        "refused": str(now.intake.recent_refused),
    },
    Alert.DATA: lambda now, _: {
        "used": _percent(now.budget.share),
        "forecast": _percent(now.budget.forecast_share),
    },
    Alert.CONNECTIONS: lambda now, _: {
        "connections": str(now.budget.connections),
        "limit": str(now.budget.plan_connections),
    },
}


def _percent(share: float | None) -> str:
    return f"{(share or 0.0) * 100:.0f}"


def _thresholds(entry: ConfigEntry, plan: Plan) -> Thresholds:
    """Return where alerts begin; what a plan does not limit has none."""
    limits = {Alert.DATA: plan.bytes_a_month, Alert.CONNECTIONS: plan.connections}
    return {alert: option(entry, alert_key(alert)) for alert in Alert if limits.get(alert, True)}


class HouseholdAlerts:
    """The alerts of one household, and the thinning of its telemetry.

    `on_change` is called when an alert came or went.
    """

    def __init__(
        self,
        hass: HomeAssistant,
        entry: ConfigEntry,
        household: Household,
        issues: HouseholdIssues,
        on_change: CALLBACK_TYPE,
    ) -> None:
        self._hass = hass
        self._entry = entry
        self._household = household
        self._issues = issues
        self._on_change = on_change
        self._alerts = Alerts(_thresholds(entry, household.plan))
        # Which alerts are shown, and at which uptime their text was made.
        self._shown: dict[Alert, float] = {}
        self._was_thinned = False
        self._end: CALLBACK_TYPE | None = None

    def watches(self, alert: Alert) -> bool:
        """Whether an alert can be raised: it is not switched off, and the plan has such a limit."""
        return alert in self._alerts.watched

    def is_raised(self, alert: Alert) -> bool:
        """Whether an alert is raised now."""
        return alert in self._alerts.raised

    def judge(self) -> None:
        """Raise what holds from the last run, so that sensors begin with it; tells nobody."""
        self._alerts.look(self._household.statistics.snapshot())

    def start(self) -> None:
        """Begin to watch; before the household connects, since its plan may be used up."""
        self._end = async_track_time_interval(self._hass, self._on_time, _EVERY)
        self.look()

    def stop(self) -> None:
        """Watch no more."""
        if self._end is not None:
            self._end()
            self._end = None

    @callback
    def look(self) -> None:
        """Hold the figures of now against the thresholds; takes about 0.2 ms."""
        now = self._household.statistics.snapshot()
        self._household.keep_to_plan(now.budget)
        self._alerts.look(now)
        thinning = self._follow_thinning()
        changed = [self._follow(alert, now) for alert in self._alerts.watched]
        connected = now.connection.state is ConnectionState.CONNECTED
        if connected and now.connection.uptime >= _SETTLED:
            self._issues.settle()
        if thinning or any(changed):
            self._on_change()

    @callback
    def _on_time(self, _now: datetime) -> None:
        self.look()

    def _follow(self, alert: Alert, now: HouseholdStatistics) -> bool:
        """Show an alert or take it back; return whether it came or went."""
        uptime = now.connection.uptime
        shown_at = self._shown.get(alert)
        if not self.is_raised(alert):
            if shown_at is None:
                return False
            del self._shown[alert]
            self._issues.withdraw(alert_key(alert))
            _LOGGER.info("Household %s: alert %s is over", self._entry.title, alert.value)
            return True
        if shown_at is not None and uptime - shown_at < _TEXT_HOLDS:
            return False
        self._shown[alert] = uptime
        threshold = option(self._entry, alert_key(alert))
        figures = _FIGURES[alert](now, self._household)
        self._issues.report(alert_key(alert), {"threshold": str(threshold), **figures})
        if shown_at is None:
            _LOGGER.warning(
                "Household %s: alert %s at %.0f, the threshold is %d",
                self._entry.title,
                alert.value,
                self._alerts.raised[alert],
                threshold,
            )
        return shown_at is None

    def _follow_thinning(self) -> bool:
        """Show that telemetry is thinned, or not any more; return whether that changed."""
        thinned = self._household.thinned
        if thinned is self._was_thinned:
            return False
        self._was_thinned = thinned
        if thinned:
            self._issues.report(THINNED, {})
            _LOGGER.warning(
                "Household %s: its plan is used up, telemetry is thinned", self._entry.title
            )
        else:
            self._issues.withdraw(THINNED)
            _LOGGER.info("Household %s: telemetry is whole again", self._entry.title)
        return True
