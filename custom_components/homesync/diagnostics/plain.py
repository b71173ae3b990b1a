"""Values as a bug report may hold them."""

from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from enum import Enum
from typing import Any, Final

from ..client import Cause

_LONGEST_TEXT: Final = 64
# Texts in records that are words of our own.
_WORDS: Final = (*Cause, "left")


def plain(value: object, words: tuple[str, ...] = ()) -> bool | float | str | None:
    """Return a value that is a number, a switch or one of the words; of others nothing."""
    if isinstance(value, int | float):
        return value
    return value if isinstance(value, str) and value in words else None


def figures(record: Any) -> Any:
    """Return a frozen record as plain data; texts that are no words of our own are left out."""
    if isinstance(record, Enum):
        return record.value
    if is_dataclass(record):
        return figures({each.name: getattr(record, each.name) for each in fields(record)})
    if isinstance(record, Mapping):
        return {key: figures(value) for key, value in record.items() if not _is_foreign(value)}
    return plain(record, _WORDS)


def text(value: object) -> str | None:
    """Return a node's word without what could not be printed, cut."""
    if not isinstance(value, str):
        return None
    return "".join(filter(str.isprintable, value))[:_LONGEST_TEXT]


def _is_foreign(value: object) -> bool:
    return isinstance(value, str) and not isinstance(value, Enum) and value not in _WORDS
