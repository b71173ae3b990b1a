"""What Home Assistant's log holds against HomeSync."""

from collections.abc import Iterator
from pathlib import Path
import re

# The first line of a record; a traceback has none and belongs to the record before.
_RECORD = re.compile(r"^\d{4}-\d\d-\d\d \S+ ([A-Z]+) ")
_BAD = {"WARNING", "ERROR", "CRITICAL"}
# Said of every custom integration, whatever it does.
_EXPECTED = "has not been tested by Home Assistant"


def complaints(text: str, root: Path) -> list[str]:
    """Give the records of level warning or above, tracebacks included, that name homesync."""
    # The project's own folder may be called so.
    records = _records(text.replace(str(root), ""))
    return [
        record
        for level, record in records
        if level in _BAD and "homesync" in record.lower() and _EXPECTED not in record
    ]


def _records(text: str) -> Iterator[tuple[str, str]]:
    level, lines = "", list[str]()
    for line in text.splitlines():
        if match := _RECORD.match(line):
            yield level, "\n".join(lines)
            level, lines = match[1], []
        lines.append(line)
    yield level, "\n".join(lines)
