"""Who counts in a household by itself, and what each of them tells."""

from collections.abc import Callable
from dataclasses import asdict, dataclass
import logging

from .complaints import Complaints
from .dispatch import Dispatch
from .intake import Intake
from .model import HouseholdModel
from .statistics_sources import Figures, total
from .transport.presets import Plan
from .transport.session import MqttSession

KINDS = ("status", "response", "command", "other")
"""Kinds of received messages that are counted; the rest is telemetry."""

# Complaints about what is well-formed; every other complaint is about a malformed message.
_NO_ROOM = ("node_refused", "metric_refused")
_NOT_ACCEPTED = "node_not_accepted"
_WELL_FORMED = frozenset((*_NO_ROOM, _NOT_ACCEPTED, "unmatched_answer", "retained_answer"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Observed:
    """Whose figures are kept."""

    name: str
    home_id: str
    plan: Plan
    session: MqttSession
    intake: Intake
    commands: Dispatch
    model: HouseholdModel
    complaints: Complaints
    logger: logging.Logger
    wall_clock: Callable[[], float]


def sources_of(observed: Observed) -> dict[str, Callable[[], Figures]]:
    """Return the sources by name, as they are registered."""
    history = observed.session.history
    return {
        "connection": lambda: _connection(observed),
        "connect_failures": lambda: Figures(counters=history.failures),
        "disconnects": lambda: Figures(counters=history.disconnects),
        "traffic": lambda: _traffic(observed),
        "commands": lambda: Figures(counters=observed.commands.outcomes),
        "intake": lambda: _intake(observed),
    }


def _connection(observed: Observed) -> Figures:
    history = observed.session.history
    counters = {
        "connects": history.connects,
        "failed": history.failures.total(),
        "connected_seconds": history.seconds_in_all,
    }
    return Figures(counters=counters)


def _traffic(observed: Observed) -> Figures:
    kinds = observed.intake.kinds
    counters = {
        **asdict(observed.session.traffic),
        **{f"received_{kind}": kinds[kind] for kind in KINDS},
        "sent_command": observed.commands.published,
    }
    return Figures(counters=counters)


def _intake(observed: Observed) -> Figures:
    complaints = observed.complaints.counts
    malformed = (n for kind, n in complaints.items() if kind not in _WELL_FORMED)
    causes = complaints + observed.model.counts + observed.commands.odd_answers
    counters = {
        **{f"cause.{kind}": times for kind, times in causes.items()},
        "malformed": sum(malformed),
        "refused": total(causes, _NO_ROOM),
        "not_accepted": causes[_NOT_ACCEPTED],
        "conflated": observed.intake.superseded,
    }
    return Figures(counters=counters)
