"""Reading what an `ota` command orders."""

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import zip_longest
import re
from urllib.parse import urlsplit

from .refusals import INVALID, Refused

_MAX_TEXT = 255
_MAX_VERSION = 64
_SHA256 = re.compile(r"[0-9a-fA-F]{64}")
_NUMBERS = re.compile(r"v?([0-9]{1,18}(?:\.[0-9]{1,18})*)(?:-([0-9A-Za-z.-]+))?(?:\+.*)?")

# A release is newer than all that led to it.
_RELEASE = ((2, 0, ""),)


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """An image to install; `sha256` in lower case, `size` in bytes."""

    version: str
    url: str
    sha256: str
    size: int | None


def read_order(command: Mapping[str, object]) -> Order:
    """Take the fields of a command; Refused if one of them is missing or wrong."""
    version, url, sha256 = (_text(command, name) for name in ("version", "url", "sha256"))
    size = command.get("size")
    if command.get("action") != "install" or len(version) > _MAX_VERSION:
        raise Refused(INVALID)
    if not _SHA256.fullmatch(sha256) or not _is_https(url):
        raise Refused(INVALID)
    if size is not None and (not isinstance(size, int) or isinstance(size, bool) or size < 1):
        raise Refused(INVALID)
    return Order(version=version, url=url, sha256=sha256.lower(), size=size)


def is_older(version: str, than: str) -> bool:
    """Compare as numbers with dots, `-beta.1` before its release; unlike texts are not older."""
    one, other = _NUMBERS.fullmatch(version), _NUMBERS.fullmatch(than)
    if one is None or other is None:
        return False
    pairs = zip_longest(_numbers(one), _numbers(other), fillvalue=0)
    for left, right in pairs:
        if left != right:
            return left < right
    return _before_release(one) < _before_release(other)


def _text(command: Mapping[str, object], name: str) -> str:
    value = command.get(name)
    if not isinstance(value, str) or not 1 <= len(value) <= _MAX_TEXT:
        raise Refused(INVALID)
    return value


def _is_https(url: str) -> bool:
    try:
        parts = urlsplit(url)
    except ValueError:
        return False
    return parts.scheme == "https" and bool(parts.hostname)


def _numbers(version: re.Match[str]) -> list[int]:
    return [int(number) for number in version[1].split(".")]


def _before_release(version: re.Match[str]) -> tuple[tuple[int, int, str], ...]:
    if version[2] is None:
        return _RELEASE
    parts = version[2].split(".")
    return tuple((0, int(part), "") if part.isdecimal() else (1, 0, part) for part in parts)
