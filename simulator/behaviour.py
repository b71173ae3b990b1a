"""How a node misbehaves."""

from collections.abc import Iterable
from dataclasses import dataclass, fields, replace
from typing import Any

MALFORMED_TELEMETRY = (
    b"{not json",
    b'{"value": 12.5',
    b'[{"value": 12.5}]',
    b"null",
    b'{"value": "12.5"}',
    b'{"value": true}',
    b'{"value": NaN}',
    b'{"value": 1e400}',
    b'{"unit": "W"}',
    b'\xff\xfe{"value": 12.5}',
    b"",
)

_TRUE = frozenset({"yes", "true", "on", "1"})
_FALSE = frozenset({"no", "false", "off", "0"})
_NOT_NEGATIVE = ("skip_first", "lose_every", "delay", "ota_stall", "sleepy", "reboot_on")


@dataclass(frozen=True, slots=True, kw_only=True)
class Behaviour:
    """The default is a good node; all switches can be combined.

    deaf          neither carry out nor answer
    silent        carry out, never answer
    skip_first    carry out, but do not answer the first n arrivals of each request
    lose_every    every n-th answer is lost
    delay         answer this many seconds after carrying out
    twice         send each answer twice
    wrong_id      answer with another request id
    reject        do not carry out, answer with this error
    malformed     send telemetry that no reader can take
    accept_first  answer `accepted` at once, and for good after `delay`
    ota_stall     an installation sends no word after n %
    ota_fail      an installation fails with this error, without a download
    sleepy        sleep n seconds at a time; commands wait in a persistent session
    reboot_on     crash on the n-th command, once it is carried out, and come back
    reboot_before crash before the command is carried out
    """

    deaf: bool = False
    silent: bool = False
    skip_first: int = 0
    lose_every: int = 0
    delay: float = 0.0
    twice: bool = False
    wrong_id: bool = False
    reject: str | None = None
    malformed: bool = False
    accept_first: bool = False
    ota_stall: int = 0
    ota_fail: str | None = None
    sleepy: float = 0.0
    reboot_on: int = 0
    reboot_before: bool = False

    def __post_init__(self) -> None:
        for name in _NOT_NEGATIVE:
            if not 0 <= getattr(self, name) <= 1e9:
                raise ValueError(f"{name} must be 0 or more")

    def changed(self, settings: Iterable[str]) -> Behaviour:
        """Return a copy with `name=value` texts applied; ValueError says what is wrong."""
        values: dict[str, Any] = dict(map(_parse, settings))
        return replace(self, **values)


GOOD = Behaviour()


def _parse(setting: str) -> tuple[str, bool | int | float | str | None]:
    name, equals, text = setting.partition("=")
    kinds = {field.name: field.type for field in fields(Behaviour)}
    if not equals or name not in kinds:
        raise ValueError(f"{setting!r} is none of " + ", ".join(f"{kind}=…" for kind in kinds))
    kind = kinds[name]
    try:
        if kind is bool:
            return name, _boolean(text)
        if kind is int:
            return name, int(text)
        if kind is float:
            return name, float(text)
    except ValueError:
        raise ValueError(f"{name} cannot be {text!r}") from None
    return name, text or None


def _boolean(text: str) -> bool:
    if text.lower() in _TRUE:
        return True
    if text.lower() in _FALSE:
        return False
    raise ValueError(text)
