"""Alert rules of Prometheus in the one form that docs/monitoring.md uses, and what they look at."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
import operator
import re
import time
from typing import Any, Self

from prometheus_client.parser import text_string_to_metric_families

_FORM = re.compile(r'(\w+)\{entity=~"([^"]+)"\}( - time\(\))? (==|>=|>|<) (\d+)')
_COMPARE: Mapping[str, Callable[[float, float], bool]] = {
    "==": operator.eq,
    ">=": operator.ge,
    ">": operator.gt,
    "<": operator.lt,
}


@dataclass(frozen=True, kw_only=True)
class Series:
    """A line of the export."""

    metric: str
    entity: str
    value: float


@dataclass(frozen=True, kw_only=True)
class Rule:
    """A rule; for how long it has to hold before it tells is not looked at."""

    metric: str
    entity: str
    since_now: bool
    compare: Callable[[float, float], bool]
    threshold: float

    @classmethod
    def read(cls, expression: str) -> Self:
        """Understand what is written."""
        parts = _FORM.fullmatch(expression)
        assert parts, expression
        metric, entity, clock, sign, threshold = parts.groups()
        return cls(
            metric=metric,
            entity=entity,
            since_now=bool(clock),
            compare=_COMPARE[sign],
            threshold=float(threshold),
        )

    def found(self, export: Iterable[Series]) -> list[Series]:
        """The series that it looks at."""
        return [
            each
            for each in export
            if each.metric == self.metric and re.fullmatch(self.entity, each.entity)
        ]

    def holds(self, export: Iterable[Series]) -> bool:
        """Whether it holds of any of them."""
        origin = time.time() if self.since_now else 0.0
        return any(self.compare(each.value - origin, self.threshold) for each in self.found(export))


def read_export(text: str) -> list[Series]:
    """Return what is told of entities."""
    return [
        Series(metric=each.name, entity=each.labels["entity"], value=each.value)
        for family in text_string_to_metric_families(text)
        for each in family.samples
        if "entity" in each.labels
    ]


def read_rules(file: Mapping[str, Any], *, but: str) -> dict[str, Rule]:
    """Return the rules of a file by name, without the one that is none of ours."""
    written = {each["alert"]: each["expr"] for group in file["groups"] for each in group["rules"]}
    del written[but]
    return {name: Rule.read(expression) for name, expression in written.items()}
