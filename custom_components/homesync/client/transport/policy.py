"""What to try next and when, after an attempt failed or a connection was lost.

Pure: it is told what happened and how long a connection held; nothing waits here.
"""

from collections.abc import Callable
from dataclasses import dataclass

from ..errors import Cause, ConnectError, Step
from .backoff import Backoff
from .packets import MqttVersion
from .reasons import OBJECTIONS, Action, action_of
from .settings import BrokerSettings, Timing, Transport
from .terms import Terms

FIRST_WINDOW = 20
"""Open QoS 1 messages: mosquitto's receive maximum."""
_SHORTEST_KEEPALIVE = 10
# Failures that say that nothing gets through on the TLS port; a bad certificate is none.
_BLOCKED = frozenset((Cause.REFUSED, Cause.UNREACHABLE, Cause.TIMED_OUT, Cause.TLS))
_BLOCKED_STEPS = frozenset((Step.TCP, Step.TLS))
_FALL_BACK_AFTER = 3
_BEFORE_MQTT = frozenset((Step.RESOLVE, Step.TLS, Step.WEBSOCKET))
# MQTT 3.1.1 has no code for it: whoever loses its connection this fast, this often, has a rival.
_RIVAL_WITHIN = 5.0
_RIVAL_AFTER = 3
_RIVAL_AGAIN = 60.0
_RIVAL_GAP = 300.0
_OBJECTIONS_IN_A_ROW = 3
# A connection that held this long has not ended for what it was from the start.
_FORGET_OBJECTIONS_AFTER = 300.0
_NEED_USER = frozenset((Action.ASK, Action.SLOW, Action.OTHER_PROTOCOL))
_OLD_BROKER = frozenset((Cause.PROTOCOL_VERSION, Cause.CLOSED, Cause.PROTOCOL_ERROR))


def is_blocked(error: ConnectError) -> bool:
    """Whether an error says that nothing gets through on the direct way."""
    return error.step in _BLOCKED_STEPS and error.cause in _BLOCKED


def is_old_broker(error: ConnectError) -> bool:
    """Whether an error is how a broker that knows no MQTT 5 may answer."""
    return error.step is Step.CONNACK and error.cause in _OLD_BROKER


def is_mute(error: ConnectError) -> bool:
    """Whether a broker did not answer CONNECT: aMQTT takes MQTT 5's properties for a length."""
    return error.step is Step.CONNACK and error.cause is Cause.TIMED_OUT


def may_be_refused_certificate(settings: BrokerSettings, error: ConnectError) -> bool:
    """Whether a broker may have refused our certificate, and its alert was lost."""
    closed = error.step is Step.CONNACK and error.cause is Cause.CLOSED
    return closed and settings.tls is not None


def may_fall_back(settings: BrokerSettings) -> bool:
    """Whether a WebSocket may stand in: only ever from TLS to TLS."""
    return settings.websocket is not None and settings.tls is not None


@dataclass(frozen=True, slots=True)
class Learned:
    """What earlier connections taught; None where nothing was learned."""

    version: MqttVersion | None = None
    transport: Transport | None = None


NOTHING_LEARNED = Learned()


class Policy:
    """Decides for one session; `random` gives numbers in [0, 1), `clock` monotonic seconds."""

    def __init__(
        self,
        settings: BrokerSettings,
        timing: Timing,
        learned: Learned,
        random: Callable[[], float],
        clock: Callable[[], float],
        *,
        spread: float = 0.0,
    ) -> None:
        self.learned = learned
        self._settings = settings
        self._timing = timing
        self._random = random
        self._clock = clock
        self._spread = spread
        self._backoff = Backoff(random, timing.longest_gap)
        self._attempts = 0
        self._ever_connected = False
        self._version = settings.version or learned.version or MqttVersion.V5
        self._switched = False
        self._told = False
        self._objections = 0
        self._way = learned.transport or settings.transport
        self._keepalive = settings.keepalive
        self._window = FIRST_WINDOW
        self._retain = True
        self._qos = 1
        self._listen_first = False
        self._rival = False
        self._connected_at: float | None = None
        self._blocked = 0
        self._short_lives = 0
        self._taken_over_at: float | None = None

    @property
    def first_tries_left(self) -> bool:
        """Whether the start is still being tried, without giving up hope or telling anybody."""
        return not self._ever_connected and self._attempts < self._timing.first_attempts

    @property
    def rival(self) -> bool:
        """Whether another client seems to use our client id; over once a connection holds."""
        held = 0.0 if self._connected_at is None else self._clock() - self._connected_at
        return self._rival and held < _RIVAL_AGAIN

    @property
    def fell_back(self) -> bool:
        """Whether the WebSocket is used only because nothing else got through."""
        return self._way is Transport.WEBSOCKET and self._settings.transport is Transport.TCP

    def needs_user(self, error: ConnectError) -> bool:
        """Whether only a person can mend what `error` tells."""
        return action_of(error.cause) in _NEED_USER or self.rival or self._objected

    def next(self) -> tuple[Terms, float]:
        """Count an attempt; return its terms and its deadline in seconds."""
        deadline = self._timing.first_deadline if self.first_tries_left else self._timing.deadline
        self._attempts += 1
        return Terms(
            version=self._version,
            transport=self._way,
            keepalive=self._keepalive,
            window=self._window,
            retain=self._retain,
            qos=self._qos,
            listen_first=self._listen_first,
        ), deadline

    def connected(self) -> None:
        """Take down that an attempt succeeded."""
        self._ever_connected = True
        self._listen_first = False
        self._connected_at = self._clock()
        self._blocked = 0
        unsure = self._settings.version is not None or self._guessed
        version = None if unsure else self._version
        self.learned = Learned(version, self._way if self.fell_back else None)

    def failed(self, error: ConnectError) -> float:
        """Take down that an attempt failed; return the wait before the next, in seconds."""
        self._listen_first = may_be_refused_certificate(self._settings, error)
        self._count_objection(error)
        if self._try_other_protocol(error):
            return 0.0
        self._consider_fallback(error)
        action = action_of(error.cause)
        if action is Action.RETRY and self.first_tries_left:
            return self._timing.first_gap
        return self._wait(action)

    def lost(self, error: ConnectError, held: float) -> float:
        """Take down that a connection was lost after `held` seconds; return the wait."""
        self.left(held)
        self._count_objection(error)
        if self._has_rival(error, held):
            self._rival = True
            return _RIVAL_GAP
        return max(self.stagger(), self._wait(action_of(error.cause)))

    def left(self, held: float) -> None:
        """Take down that a connection was left on purpose after `held` seconds."""
        self._backoff.held(held)
        self._connected_at = None
        self._rival = self._rival and held < _RIVAL_AGAIN
        if held >= _FORGET_OBJECTIONS_AFTER:
            self._objections = 0
        if self._guessed:
            self._version = MqttVersion.V5
        self._switched = False

    def stagger(self) -> float:
        """Return a wait that keeps many households from connecting in the same second.

        `spread` is the time in seconds over which their attempts may be spread.
        """
        return self._random() * self._spread

    def return_to_tcp(self) -> None:
        """The way that had been blocked is open again."""
        self._way = Transport.TCP
        self.learned = Learned(self.learned.version)

    @property
    def _guessed(self) -> bool:
        """Whether MQTT 3.1.1 is used though the broker has not said that it knows no 5.

        That holds for one connection only: a broker may close one for many reasons.
        """
        return self._switched and not self._told and self._version is MqttVersion.V311

    @property
    def _objected(self) -> bool:
        return self._objections >= _OBJECTIONS_IN_A_ROW

    def _wait(self, action: Action) -> float:
        if self._objected:
            return self._timing.slow_gap
        match action:
            case Action.SLOW | Action.ASK | Action.OTHER_PROTOCOL:
                return self._timing.slow_gap
            case Action.WAIT:
                return self._timing.rate_gap + self._backoff.next()
            case Action.FASTER_PINGS:
                self._keepalive = max(_SHORTEST_KEEPALIVE, self._keepalive // 2)
            case Action.SMALLER_WINDOW:
                self._window = max(1, self._window // 2)
            case Action.NO_RETAIN:
                self._retain = False
            case Action.LOWER_QOS:
                self._qos = 0
            case Action.RETRY:
                pass
        return self._backoff.next()

    def _count_objection(self, error: ConnectError) -> None:
        self._objections = self._objections + 1 if error.code in OBJECTIONS else 0

    def _try_other_protocol(self, error: ConnectError) -> bool:
        """Whether the other version of MQTT comes next because the broker seems to want it."""
        if self._settings.version is not None:
            return False
        if self._switched:
            # Neither works: the next round begins with the one that is known.
            self._switched = False
            self._version = self.learned.version or MqttVersion.V5
            return False
        self._told = error.cause is Cause.PROTOCOL_VERSION
        # Whoever has once told its version must say that it knows it no more.
        untold = self._version is MqttVersion.V5 and self.learned.version is None
        self._switched = self._told or (untold and is_old_broker(error))
        if self._switched:
            newer = self._version is MqttVersion.V5
            self._version = MqttVersion.V311 if newer else MqttVersion.V5
        return self._switched

    def _consider_fallback(self, error: ConnectError) -> None:
        self._blocked = self._blocked + 1 if is_blocked(error) else 0
        direct = self._way is Transport.TCP and may_fall_back(self._settings)
        if direct and self._blocked >= _FALL_BACK_AFTER:
            self._way = Transport.WEBSOCKET
            self._blocked = 0
        elif self.fell_back and error.step in _BEFORE_MQTT:
            self._way = Transport.TCP

    def _has_rival(self, error: ConnectError, held: float) -> bool:
        """Whether another client uses our client id."""
        now = self._clock()
        if error.cause is Cause.TAKEN_OVER:
            again = self._taken_over_at is not None and now - self._taken_over_at < _RIVAL_AGAIN
            self._taken_over_at = now
            return again or self._rival
        short = held < _RIVAL_WITHIN and error.cause is Cause.CLOSED
        self._short_lives = self._short_lives + 1 if short else 0
        return self._short_lives >= _RIVAL_AFTER
