"""Which figures of a household are bad enough to tell somebody. Pure.

Figures are in the units in which people choose thresholds: minutes, percent, messages a
minute. Rates are those of the last 15 minutes.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
import operator

from .statistics import HouseholdStatistics
from .statistics_sources import RECENT

CLEARED_BELOW = 0.8
"""The part of its threshold below which an alert is cleared."""

# One failure among fewer would be more than the usual threshold.
_FEWEST_ATTEMPTS = 10
_FEWEST_PUBLISHED = 20


class Alert(StrEnum):
    """What may be told of a household."""

    DISCONNECTED = "disconnected"
    """Minutes since the connection was lost, or since the start."""
    CONNECT_FAILURES = "connect_failures"
    """Percent of the attempts to connect that failed."""
    PUBLISH_FAILURES = "publish_failures"
    """Percent of the messages that could not be published."""
    QUEUE_AGE = "queue_age"
    """Minutes for which the oldest command has waited."""
    BAD_MESSAGES = "bad_messages"
    """Malformed or refused messages a minute."""
    DATA = "data"
    """Percent of the data that the plan allows in a month."""
    CONNECTIONS = "connections"
    """Percent of the connections that the plan allows."""


type Thresholds = Mapping[Alert, float]
"""Where alerts begin; one that is 0 or missing is never raised."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Rule:
    """How an alert is measured; it is raised only if there is `enough` to judge by."""

    measure: Callable[[HouseholdStatistics], float]
    enough: Callable[[HouseholdStatistics], bool] = lambda _: True
    begins: Callable[[float, float], bool] = operator.gt


class Alerts:
    """Raises each alert once its threshold is passed, and clears it only well below.

    `raised` are the alerts of the last look with their figures then.
    """

    def __init__(self, thresholds: Thresholds) -> None:
        self.raised: Mapping[Alert, float] = {}
        self._thresholds = {alert: limit for alert, limit in thresholds.items() if limit > 0}

    @property
    def watched(self) -> frozenset[Alert]:
        """The alerts that can be raised."""
        return frozenset(self._thresholds)

    def look(self, now: HouseholdStatistics) -> None:
        """Judge anew."""
        self.raised = {
            alert: _RULES[alert].measure(now)
            for alert, threshold in self._thresholds.items()
            if self._holds(alert, threshold, now)
        }

    def _holds(self, alert: Alert, threshold: float, now: HouseholdStatistics) -> bool:
        rule = _RULES[alert]
        if alert in self.raised:
            return rule.measure(now) >= threshold * CLEARED_BELOW
        return rule.enough(now) and rule.begins(rule.measure(now), threshold)


def _bad_messages(now: HouseholdStatistics) -> float:
    return (now.intake.recent_malformed + now.intake.recent_refused) / (RECENT / 60)


def _percent(share: float | None) -> float:
    return (share or 0.0) * 100


_RULES: Mapping[Alert, _Rule] = {
    Alert.DISCONNECTED: _Rule(measure=lambda now: now.connection.away_seconds / 60),
    Alert.CONNECT_FAILURES: _Rule(
        measure=lambda now: _percent(now.connection.failure_rate),
        enough=lambda now: (
            now.connection.recent_connects + now.connection.recent_failed >= _FEWEST_ATTEMPTS
        ),
    ),
    Alert.PUBLISH_FAILURES: _Rule(
        measure=lambda now: _percent(now.publishing.failure_rate),
        enough=lambda now: (
            now.publishing.recent_succeeded + now.publishing.recent_failed >= _FEWEST_PUBLISHED
        ),
    ),
    Alert.QUEUE_AGE: _Rule(measure=lambda now: (now.commands.oldest or 0.0) / 60),
    Alert.BAD_MESSAGES: _Rule(measure=_bad_messages),
    Alert.DATA: _Rule(measure=lambda now: _percent(now.budget.share), begins=operator.ge),
    Alert.CONNECTIONS: _Rule(
        measure=lambda now: _percent(now.budget.connections_share), begins=operator.ge
    ),
}
