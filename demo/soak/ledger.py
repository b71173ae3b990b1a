"""The accounts of a soak: what was sent, what was told of it, what the nodes did."""

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

from .plan import Send

type Json = dict[str, Any]

QUEUED = "queued"
# A queued command is safe once it is on disk; what was called for so shortly before a kill
# need not be.
ON_DISK_WITHIN = 2.0
# Of an event that a kill made Home Assistant tell again.
_MOST_TOLD = 2
_FEW = 10
_REFUSED_SHARE = 0.05
_NEVER_CARRIED_OUT = ("rejected",)


@dataclass(slots=True)
class Call:
    """One call of an action: its response, or that the caller was cut off or refused."""

    send: Send
    at: float
    response: Json | None = None
    refused: str | None = None
    cut_off: float | None = None

    @property
    def request_id(self) -> str | None:
        """Of the command that it became; None if it became none, or nobody knows."""
        return None if self.response is None else self.response["request_id"]

    @property
    def group(self) -> tuple[str, ...]:
        """What an event tells of a command besides its outcome."""
        return self.send.home_id, self.send.node_id, self.send.kind, _action(self.send)


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeRecord:
    """What a node says that it did: request ids, once for each time; and where it stands."""

    home_id: str
    node_id: str
    executed: tuple[str, ...]
    relay: bool | None


@dataclass(slots=True)
class Ledger:
    """Everything that was seen; `verify` tells what does not add up."""

    calls: list[Call] = field(default_factory=list)
    events: list[Json] = field(default_factory=list)
    rested: dict[str, float] = field(default_factory=dict)
    kills: int = 0

    def told(self) -> dict[str, list[Json]]:
        """Give all events by request id."""
        told: dict[str, list[Json]] = {}
        for event in self.events:
            told.setdefault(event["request_id"], []).append(event)
        return told

    def open(self) -> set[str]:
        """Give the request ids that are known to rest and of which no event told yet."""
        resting = {
            call.response["request_id"]
            for call in self.calls
            if call.response is not None and call.response["outcome"] == QUEUED
        }
        return (resting | set(self.rested)) - set(self.told())

    def verify(self, nodes: Iterable[NodeRecord]) -> list[str]:
        """Return what does not hold, in words."""
        records = list(nodes)
        return [
            *self._refused(),
            *self._one_outcome(),
            *self._what_rested(),
            *self._cut_off(),
            *self._executed(records),
        ]

    @property
    def repeated(self) -> dict[str, list[Json]]:
        """Events of one request id that tell the same outcome again."""
        return {request: told for request, told in self.told().items() if len(told) > 1}

    def outcomes(self) -> Counter[str]:
        """Count how the commands ended, by outcome and reason."""
        last = (told[-1] for told in self.told().values())
        return Counter(_words(each) for each in last)

    def outcomes_by_kind(self) -> dict[str, Counter[str]]:
        """Count the same for each kind of command, without reasons."""
        kinds: dict[str, Counter[str]] = {}
        for told in self.told().values():
            kinds.setdefault(told[-1]["command"], Counter())[told[-1]["outcome"]] += 1
        return dict(sorted(kinds.items()))

    def _refused(self) -> Iterator[str]:
        """Without commands everything would add up."""
        refused = sum(call.refused is not None for call in self.calls)
        if refused > max(_FEW, len(self.calls) * _REFUSED_SHARE):
            yield f"{refused} of {len(self.calls)} calls did not become commands"

    def _one_outcome(self) -> Iterator[str]:
        told = self.told()
        for call in self.calls:
            if call.response is None:
                if call.refused is None and call.cut_off is None:
                    yield f"command {call.send.number} of {call.group} never ended"
                continue
            request_id = call.request_id
            if request_id is None:
                continue
            outcomes = {each["outcome"] for each in told.get(request_id, [])}
            if call.response["outcome"] != QUEUED:
                outcomes.add(call.response["outcome"])
            if request_id not in told:
                yield f"{request_id} of {call.group}: no event, {_words(call.response)}"
            elif len(outcomes) != 1:
                yield f"{request_id} of {call.group}: several outcomes, {sorted(outcomes)}"
        for request_id, events in self.repeated.items():
            most = _MOST_TOLD if request_id in self.rested else 1
            if len(events) > most or len({each["outcome"] for each in events}) > 1:
                yield f"{request_id}: told {len(events)} times, {[*map(_words, events)]}"

    def _what_rested(self) -> Iterator[str]:
        told = self.told()
        for request_id in self.rested:
            if request_id not in told:
                yield f"{request_id} was on disk at a kill and never ended"

    def _cut_off(self) -> Iterator[str]:
        """Callers who never heard belong to the commands of which only events tell."""
        known = {call.request_id for call in self.calls}
        orphans = Counter(
            (events[0]["home_id"], *(str(events[0][name]) for name in _GROUP))
            for request_id, events in self.told().items()
            if request_id not in known
        )
        lost = [call for call in self.calls if call.cut_off is not None]
        possible = Counter(call.group for call in lost)
        certain = Counter(call.group for call in lost if _must_survive(call))
        for group, count in orphans.items():
            if count > possible[group]:
                yield f"{group}: {count} events without a caller, {possible[group]} cut off"
        for group, count in certain.items():
            if count > orphans[group]:
                yield f"{group}: {count} queued callers cut off, {orphans[group]} events"

    def _executed(self, nodes: list[NodeRecord]) -> Iterator[str]:
        executed = Counter(request for node in nodes for request in node.executed)
        for request_id, count in executed.items():
            if count > 1:
                yield f"{request_id} was carried out {count} times"
        told = self.told()
        for request_id, events in told.items():
            for each in events:
                if each["outcome"] == "confirmed" and not executed[request_id]:
                    yield f"{request_id}: confirmed but not carried out"
                if executed[request_id] and _denies(each):
                    yield f"{request_id}: {_words(each)}, but it was carried out"
        lost = sum(call.cut_off is not None for call in self.calls)
        unheard = [request for request in executed if request not in told]
        if len(unheard) > lost:
            yield f"{len(unheard)} were carried out that nobody told of, {lost} were cut off"


_GROUP = ("node_id", "command", "action")


def _action(send: Send) -> str:
    return str(send.fields.get("action"))


def _must_survive(call: Call) -> bool:
    return call.send.queue and call.cut_off is not None and call.cut_off - call.at > ON_DISK_WITHIN


def _denies(event: Json) -> bool:
    """Whether an outcome says that the command was not carried out."""
    return event["outcome"] in _NEVER_CARRIED_OUT or not event["attempts"]


def _words(result: Json) -> str:
    outcome, reason = result["outcome"], result["reason"]
    return f"{outcome} ({reason})" if reason else str(outcome)
