"""Which firmware there is for the nodes of a household, and where it may come from.

A catalogue is a JSON file that somebody offers by HTTPS:

    {"firmware": [{"model": "Plug S", "version": "1.3.0", "url": "https://…",
                   "sha256": "64 hexadecimal digits", "size": 412672, "notes": "…"}]}

`size` and `notes` are optional. Wrong entries are skipped; the others count.
"""

from collections.abc import Collection, Iterable
from contextlib import suppress
from dataclasses import dataclass, field
from enum import StrEnum
import re
from typing import Any, Final

from awesomeversion import (
    AwesomeVersion,
    AwesomeVersionCompareException,
    AwesomeVersionStrategy as Strategy,
)
from homeassistant.util.json import json_loads
from yarl import URL

from .client import Firmware, HomeSyncError, InvalidSettingError

_MOST_ENTRIES: Final = 1000
_MOST_PROBLEMS: Final = 20
_LARGEST_IMAGE: Final = 256 * 1024 * 1024
_LONGEST_NAME: Final = 64
_LONGEST_NOTES: Final = 2000
_INCOMPARABLE: Final = (Strategy.UNKNOWN, Strategy.SPECIALCONTAINER)

# Only what every reader of addresses takes for the same host: no user-info, no literal
# IPv6, no backslash, and nothing between the host and the slash after it.
_LABEL: Final = r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?"
_ADDRESS: Final = re.compile(
    rf"https://(?P<host>{_LABEL}(?:\.{_LABEL})*)\.?(?::(?P<port>[1-9][0-9]{{0,4}}))?"
    r"(?:/[!-\[\]-~]*)?",
    re.ASCII | re.IGNORECASE,
)
# What may stand neither in an address nor in a host that a person gives.
_FOREIGN: Final = re.compile(r"[\s\\\x00-\x1f\x7f]")
_NO_HOST: Final = re.compile(r"[/?#@\[\]%]")


class Refusal(StrEnum):
    """Why firmware must not be installed; also the key of its text."""

    ADDRESS = "firmware_address"
    HOST = "firmware_host"


class FirmwareRefusedError(HomeSyncError):
    """Firmware that no node may be told to fetch; `host` is where it lies, if that is clear."""

    def __init__(self, reason: Refusal, words: str, host: str = "") -> None:
        super().__init__(words)
        self.reason = reason
        self.host = host


def normalise_host(text: str) -> str:
    """Return `host:port` of what a person gives as host; the port is 443 unless given.

    Raises InvalidSettingError for what is no host, and for IPv6 literals.
    """
    text = text.strip()
    host = None if _NO_HOST.search(text) else host_of(ascii_address(f"https://{text}/"))
    if host is None:
        raise InvalidSettingError("firmware_hosts", "a name or IPv4 address, with or without port")
    return host


def catalogue_host(url: str) -> str:
    """Return `host:port` of a catalogue's address.

    Raises InvalidSettingError unless it is https, without user name and password.
    """
    host = host_of(ascii_address(url))
    if host is None:
        raise InvalidSettingError(
            "firmware_catalogue", "an https address without user name and password is needed"
        )
    return host


def is_allowed(url: str, hosts: Collection[str]) -> bool:
    """Whether a node may fetch from `url`: https, from exactly one of the hosts and ports."""
    host = host_of(url)
    return host is not None and host in _normalised(hosts)


def check_firmware(firmware: Firmware, hosts: Collection[str]) -> None:
    """Raise FirmwareRefusedError unless it comes from one of the hosts; a hash it always has."""
    host = host_of(firmware.url)
    if host is None:
        raise FirmwareRefusedError(Refusal.ADDRESS, "the address is not plain https")
    if host not in _normalised(hosts):
        raise FirmwareRefusedError(Refusal.HOST, f"{host} is not among the allowed hosts", host)


def is_newer(version: str, installed: str | None) -> bool:
    """Whether `version` is an update for who runs `installed`.

    Where the two cannot be compared, as with names of builds, any other version is one.
    """
    if installed is None:
        return True
    if version == installed:
        return False
    newer = _compare(version, installed)
    return newer is None or newer


@dataclass(frozen=True, slots=True)
class Content:
    """What a catalogue offers: the newest firmware of each model.

    `problems` names the first of the `skipped` entries and what is wrong with them.
    """

    newest: dict[str, Firmware] = field(default_factory=dict)
    entries: int = 0
    skipped: int = 0
    problems: tuple[str, ...] = ()


class NoCatalogueError(HomeSyncError):
    """What came from the server is no catalogue; says why."""


def parse(body: bytes) -> Content:
    """Read a catalogue, entry by entry; raises NoCatalogueError if it is none."""
    try:
        found = json_loads(body)
    except ValueError:
        raise NoCatalogueError("what it sends is not JSON") from None
    listed = found.get("firmware") if isinstance(found, dict) else None
    if not isinstance(listed, list):
        raise NoCatalogueError("what it sends is no catalogue of firmware")
    by_model: dict[str, list[Firmware]] = {}
    problems: list[str] = []
    for number, item in enumerate(listed[:_MOST_ENTRIES], 1):
        try:
            model, firmware = _entry(item)
        except InvalidSettingError as err:
            problems.append(f"entry {number}{_named(item)}: {err.field}: {err}")
        else:
            by_model.setdefault(model, []).append(firmware)
    beyond = max(0, len(listed) - _MOST_ENTRIES)
    if beyond:
        problems.insert(0, f"{beyond} entries after the first {_MOST_ENTRIES} are not read")
    skipped = len(listed) - sum(map(len, by_model.values()))
    return Content(
        {model: _newest(offered) for model, offered in by_model.items()},
        entries=len(listed) - skipped,
        skipped=skipped,
        problems=tuple(problems[:_MOST_PROBLEMS]),
    )


def _entry(item: object) -> tuple[str, Firmware]:
    """Return model and firmware; raises InvalidSettingError with what is wrong."""
    if not isinstance(item, dict):
        raise InvalidSettingError("entry", "it is no object")
    sha256 = item.get("sha256")
    firmware = Firmware(
        version=_name(item, "version"),
        url=item.get("url", ""),
        sha256=sha256.lower() if isinstance(sha256, str) else "",
        size=_size(item.get("size")),
        notes=_notes(item.get("notes")),
    )
    if host_of(firmware.url) is None:
        raise InvalidSettingError("url", "a plain https address is needed")
    return _name(item, "model"), firmware


def _name(item: dict[str, Any], key: str) -> str:
    name = item.get(key)
    if not isinstance(name, str) or not 0 < len(name) <= _LONGEST_NAME or not name.isprintable():
        raise InvalidSettingError(key, f"a text of 1 to {_LONGEST_NAME} characters is needed")
    return name


def _size(size: object) -> int | None:
    if size is None or (type(size) is int and 0 < size <= _LARGEST_IMAGE):
        return size
    raise InvalidSettingError("size", f"1 to {_LARGEST_IMAGE} bytes are allowed")


def _notes(notes: object) -> str | None:
    """Return the notes without control characters, shortened; lines stay."""
    if notes is None:
        return None
    if not isinstance(notes, str):
        raise InvalidSettingError("notes", "a text is needed")
    kept = "".join(each for each in notes if each == "\n" or each.isprintable()).strip()
    return kept[:_LONGEST_NOTES] or None


def _named(item: object) -> str:
    """Name an entry as far as it can be told, short and harmless."""
    if not isinstance(item, dict):
        return ""
    return f" ({str(item.get('model'))[:32]!r} {str(item.get('version'))[:32]!r})"


def _newest(offered: list[Firmware]) -> Firmware:
    """Return the highest version, the last one of equals.

    A version that is no number, such as a build's name, counts only where no other is
    offered; of such ones the last is taken.
    """
    comparable = [
        each for each in offered if AwesomeVersion(each.version).strategy not in _INCOMPARABLE
    ]
    if not comparable:
        return offered[-1]
    newest = comparable[0]
    for each in comparable[1:]:
        if not _compare(newest.version, each.version):
            newest = each
    return newest


def _compare(version: str, other: str) -> bool | None:
    """Whether `version` is higher; None if that cannot be told."""
    try:
        return AwesomeVersion(version) > AwesomeVersion(other)
    except AwesomeVersionCompareException:
        return None


def ascii_address(url: str) -> str:
    """Return an address as it is asked for, with names in their ASCII form; "" if it is none."""
    if _FOREIGN.search(url):
        return ""
    try:
        return str(URL(url))
    except ValueError:
        return ""


def host_of(url: str) -> str | None:
    """Return `host:port` of an https address, None unless everybody reads it the same way."""
    found = _ADDRESS.fullmatch(url)
    if found is None or len(found["host"]) > 253:
        return None
    port = int(found["port"] or 443)
    return f"{found['host'].lower()}:{port}" if port < 65_536 else None


def _normalised(hosts: Iterable[str]) -> set[str]:
    """Return the hosts as `host:port`; what is no host allows nothing."""
    known = set()
    for each in hosts:
        with suppress(InvalidSettingError):
            known.add(normalise_host(each))
    return known
