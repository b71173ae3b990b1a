"""Does what we publish come back? Finds links that are connected but deaf.

MQTT 3.1.1 brokers grant subscriptions that their rules then silently ignore, and drop
publishes with a success. Only a message that comes back under a filter proves it.
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
import secrets

from ..errors import HomeSyncError
from ..records import Publication

_LOOKS = 20


@dataclass(frozen=True, slots=True)
class EchoResult:
    """What one probe found: round trip in seconds, filters that stayed silent."""

    round_trip: float | None
    unproven: tuple[str, ...]


class Echo:
    """One probe of a connection: a message under each of `topics` (filter → topic).

    `clock` gives monotonic seconds; `publish` may raise HomeSyncError, and `sent` is False
    then.
    """

    def __init__(
        self,
        topics: Sequence[tuple[str, str]],
        publish: Callable[[Publication], None],
        clock: Callable[[], float],
    ) -> None:
        self.sent = False
        self._topics = {topic.encode(): topic_filter for topic_filter, topic in topics}
        self._publish = publish
        self._clock = clock
        self._token = b""
        self._sent_at = 0.0
        self._round_trip: float | None = None
        self._missing: dict[bytes, str] = {}
        self._skipped: frozenset[str] = frozenset()

    def skip(self, filters: frozenset[str]) -> None:
        """Expect nothing under some filters, also of the probe that is under way."""
        self._skipped = filters
        self._missing = self._expected(self._missing)

    def start(self) -> None:
        """Send the probe."""
        self._token = secrets.token_hex(8).encode()
        self._missing = self._expected(self._topics)
        self._round_trip = None
        self._sent_at = self._clock()
        self.sent = False
        for topic in tuple(self._missing):
            try:
                self._publish(Publication(topic.decode(), self._token, qos=0))
            except HomeSyncError:
                return
        self.sent = True

    async def probe(self, within: float, sleep: Callable[[float], Awaitable[None]]) -> EchoResult:
        """Send the probe and wait until everything is back, for about `within` seconds at most."""
        self.start()
        waited = 0.0
        while not self.complete and waited < within:
            step = within / _LOOKS
            await sleep(step)
            waited += step
        return self.result()

    def received(self, topic: bytes, payload: bytes) -> bool:
        """Take a message if it is ours; return whether its topic is one of the probe's."""
        if topic not in self._topics:
            return False
        if payload == self._token and self._missing.pop(topic, None) is not None:
            self._round_trip = self._clock() - self._sent_at
        return True

    def _expected(self, topics: Mapping[bytes, str]) -> dict[bytes, str]:
        return {topic: each for topic, each in topics.items() if each not in self._skipped}

    @property
    def complete(self) -> bool:
        """Whether a probe went and everything of it has come back."""
        return bool(self._token) and not self._missing

    def result(self) -> EchoResult:
        """Tell what has come back until now."""
        return EchoResult(self._round_trip, tuple(self._missing.values()))
