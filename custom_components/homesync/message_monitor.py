"""Messages of one household as they come in, for people to look at.

Never more than a person can read: what comes faster is counted, not kept.
"""

import codecs
from collections.abc import Callable
import re
import time
import unicodedata

from homeassistant.config_entries import SIGNAL_CONFIG_ENTRY_CHANGED, ConfigEntry, ConfigEntryChange
from homeassistant.core import CALLBACK_TYPE, HassJob, HomeAssistant, callback
from homeassistant.helpers.dispatcher import async_dispatcher_connect
from homeassistant.helpers.event import async_call_later

from . import api
from .client import Household
from .coordinator import HomeSyncConfigEntry

_EVERY = 0.25  # seconds
_MOST_AT_ONCE = 50  # messages: 200 a second
_LONGEST_TOPIC = 512  # characters shown, and bytes of a filter
_LINES = "\t\n\r"


def topic_filter(text: str) -> Callable[[str], bool]:
    """Return what tells whether a topic matches; ValueError for what is no filter.

    MQTT 3.1.1 section 4.7: wildcards are whole levels, # is the last one and also matches
    the level above it, and neither matches a leading $.
    """
    levels = text.split("/")
    if not 0 < len(text.encode("utf-8", "surrogatepass")) <= _LONGEST_TOPIC:
        raise ValueError(f"a topic filter has 1 to {_LONGEST_TOPIC} bytes")
    if any(unicodedata.category(character) in {"Cc", "Cs"} for character in text):
        raise ValueError("a topic filter has no control characters")
    if any(len(level) > 1 and ("+" in level or "#" in level) for level in levels):
        raise ValueError("+ and # stand for whole levels")
    if "#" in levels[:-1]:
        raise ValueError("# is the last level")
    return re.compile(_pattern(levels)).fullmatch  # type: ignore[return-value]  # truth counts


def shown(topic: bytes, payload: bytes, retained: bool, most: int) -> api.Json:
    """Show a message: at most so many bytes of the payload, as text or else as hexadecimal."""
    cut = payload[:most]
    text = _as_text(cut, whole=len(payload) <= most)
    return {
        "topic": topic.decode("utf-8", "replace")[:_LONGEST_TOPIC],
        "payload": cut.hex() if text is None else text,
        "encoding": "hex" if text is None else "text",
        "bytes": len(payload),
        "truncated": len(payload) > most,
        "retained": retained,
        "at": time.time(),
    }


class MessageMonitor:
    """Tells of messages that match a filter, in bundles, with a count of those held back.

    It follows its household over reloads.
    """

    def __init__(
        self,
        hass: HomeAssistant,
        entry: HomeSyncConfigEntry,
        matches: Callable[[str], bool],
        payload_bytes: int,
        tell: Callable[[api.Json], None],
    ) -> None:
        self._hass = hass
        self._entry = entry
        self._matches = matches
        self._payload_bytes = payload_bytes
        self._tell = tell
        self._waiting: list[api.Json] = []
        self._held_back = 0
        self._cancel_flush: CALLBACK_TYPE | None = None
        self._household: Household | None = None
        self._leave: Callable[[], None] | None = None
        self._flush_job = HassJob(self._flush)

    @callback
    def start(self) -> CALLBACK_TYPE:
        """Begin to listen; returns what ends it."""
        self._follow()
        forget = async_dispatcher_connect(
            self._hass, SIGNAL_CONFIG_ENTRY_CHANGED, self._on_entry_changed
        )

        @callback
        def end() -> None:
            forget()
            self._listen_to(None)
            if self._cancel_flush is not None:
                self._cancel_flush()

        return end

    @callback
    def _on_entry_changed(self, _change: ConfigEntryChange, entry: ConfigEntry) -> None:
        if entry is self._entry:
            self._follow()

    def _follow(self) -> None:
        self._listen_to(api.running(self._entry))

    def _listen_to(self, household: Household | None) -> None:
        if household is self._household:
            return
        if self._leave is not None:
            self._leave()
        self._household = household
        self._leave = None if household is None else household.overhear(self._receive)

    def _receive(self, topic: bytes, payload: bytes, retained: bool) -> None:
        if not self._matches(topic.decode("utf-8", "replace")):
            return
        if len(self._waiting) >= _MOST_AT_ONCE:
            self._held_back += 1
            return
        self._waiting.append(shown(topic, payload, retained, self._payload_bytes))
        if self._cancel_flush is None:
            self._cancel_flush = async_call_later(self._hass, _EVERY, self._flush_job)

    @callback
    def _flush(self, _now: object) -> None:
        self._cancel_flush = None
        messages, self._waiting = self._waiting, []
        held_back, self._held_back = self._held_back, 0
        self._tell({"messages": messages, "held_back": held_back})


def _pattern(levels: list[str]) -> str:
    first = "(?![$])" if levels[0] in {"+", "#"} else ""
    if levels == ["#"]:
        return f"{first}(?s:.*)"
    tail = "(?:/(?s:.*))?" if levels[-1] == "#" else ""
    named = levels[:-1] if tail else levels
    return first + "/".join("[^/]*" if each == "+" else re.escape(each) for each in named) + tail


def _as_text(payload: bytes, *, whole: bool) -> str | None:
    """Decode, forgiving a last character that was cut; None for what is no text."""
    try:
        text = codecs.getincrementaldecoder("utf-8")().decode(payload, final=whole)
    except UnicodeDecodeError:
        return None
    binary = any(unicodedata.category(each) == "Cc" and each not in _LINES for each in text)
    return None if binary else text
