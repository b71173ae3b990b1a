"""JSON of strangers, with limits: size before parsing, types, ranges, times.

Each `read_…` returns a checked value or raises ProtocolError.
"""

from collections.abc import Callable
from datetime import datetime
from functools import lru_cache
import math
from typing import Any
import unicodedata

import orjson

from ..errors import ProtocolError

MAX_BYTES = 256 * 1024
MAX_TEXT = 255
EARLIEST = datetime.fromisoformat("2020-01-01T00:00:00Z").timestamp()
LATEST_AHEAD = 300.0

type Json = dict[str, Any]
type Complain = Callable[[ProtocolError], None]


def load(payload: bytes) -> Json:
    """Parse one JSON object."""
    if len(payload) > MAX_BYTES:
        raise ProtocolError("payload_too_large", f"payload of {len(payload)} bytes is too large")
    try:
        content = orjson.loads(payload)
    except orjson.JSONDecodeError as err:
        raise ProtocolError("malformed_json", f"payload is not JSON ({err.msg})") from None
    if type(content) is not dict:
        raise ProtocolError("malformed_json", "payload is not a JSON object")
    return content


def dump(content: Json) -> bytes:
    """Encode one JSON object."""
    return orjson.dumps(content)


def read_time(content: Json, arrival: float) -> tuple[float, bool]:
    """Return (seconds since the epoch, whether the node gave it).

    A missing, unreadable or unbelievable `timestamp` is replaced by the time of arrival:
    a node without a set clock starts in 1970.
    """
    text = content.get("timestamp")
    if type(text) is not str:
        return arrival, False
    at = seconds(text)
    if at is None or at < EARLIEST or at > arrival + LATEST_AHEAD:
        return arrival, False
    return at, True


# A node that measures several things at once stamps them alike.
@lru_cache(maxsize=1024)
def seconds(text: str) -> float | None:
    """Return the seconds since the epoch of a time with its zone."""
    try:
        moment = datetime.fromisoformat(text)
        return None if moment.tzinfo is None else moment.timestamp()
    except ValueError, OverflowError:
        return None


def read_number(value: Any, name: str, low: float, high: float) -> float:
    """Check a finite number within a range; booleans are no numbers."""
    if type(value) is not float and type(value) is not int:
        raise ProtocolError("invalid_field", f"{name} is not a number")
    if not math.isfinite(value):
        raise ProtocolError("invalid_field", f"{name} is not finite")
    if not low <= value <= high:
        raise ProtocolError("out_of_range", f"{name} is out of range")
    return value


def read_text(value: Any, name: str, limit: int = MAX_TEXT) -> str:
    """Check a text; control characters are taken out, as states and logs will show it."""
    if type(value) is not str:
        raise ProtocolError("invalid_field", f"{name} is not a text")
    clean = value if value.isprintable() else _without_controls(value[: limit + 1])
    if not clean.strip() or len(value) > limit:
        raise ProtocolError("invalid_field", f"{name} is empty or longer than {limit} characters")
    return clean


def _without_controls(text: str) -> str:
    return "".join(c for c in text if unicodedata.category(c) not in ("Cc", "Cs"))


def read_texts(value: Any, name: str, most: int, limit: int) -> tuple[str, ...]:
    """Check a list of texts; what is above `most` of them is left out."""
    if type(value) is not list:
        raise ProtocolError("invalid_field", f"{name} is not a list")
    return tuple(dict.fromkeys(read_text(each, name, limit) for each in value[:most]))


def read_object(value: Any, name: str) -> Json:
    """Check a JSON object."""
    if type(value) is not dict:
        raise ProtocolError("invalid_field", f"{name} is not an object")
    return value


def read_bool(value: Any, name: str) -> bool:
    """Check a JSON boolean."""
    if type(value) is not bool:
        raise ProtocolError("invalid_field", f"{name} is neither true nor false")
    return value


def read_switch(value: Any, name: str) -> bool:
    """Check `on` or `off`."""
    if value == "on":
        return True
    if value == "off":
        return False
    raise ProtocolError("invalid_field", f"{name} is neither on nor off")


def read_optional[T](
    content: Json, name: str, read: Callable[[Any, str], T], complain: Complain
) -> T | None:
    """Read a field that may be missing; `complain` is told if it is refused."""
    value = content.get(name)
    if value is None:
        return None
    try:
        return read(value, name)
    except ProtocolError as err:
        complain(err)
        return None
