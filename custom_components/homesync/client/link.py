"""The link of a household to its broker, as others see it."""

from collections.abc import Callable
import logging

from .errors import ConnectError
from .grace import Grace
from .listeners import Listeners
from .transport.echo import EchoResult
from .transport.packets import BrokerLimits
from .transport.policy import Learned
from .transport.session import MqttSession, StateListener
from .transport.state import ConnectionState
from .transport.terms import Terms

_LOST = frozenset((ConnectionState.DISCONNECTED, ConnectionState.ERROR))


class Link:
    """Where the link stands, what it is like, and whether its loss is bridged.

    `secured` tells whether it is encrypted. `on_turn(before, state)` is called when the
    state is another, before the listeners are.
    """

    def __init__(
        self,
        session: MqttSession,
        logger: logging.Logger,
        household: str,
        *,
        secured: bool,
        grace_time: float,
        on_turn: Callable[[ConnectionState, ConnectionState], None],
    ) -> None:
        self.secured = secured
        self._session = session
        self._grace = Grace(grace_time, self.tell)
        self._listeners: Listeners[ConnectionState] = Listeners(logger, household)
        self._on_turn = on_turn
        self._last_state = session.state
        session.add_listener(self._on_state)

    @property
    def state(self) -> ConnectionState:
        """Where the connection stands."""
        return self._session.state

    @property
    def reachable(self) -> bool:
        """Whether the nodes' values count: the link is there, or was a moment ago."""
        return self._grace.reachable

    @property
    def patience(self) -> float:
        """For how many more seconds a loss is bridged; 0 while there is none."""
        return self._grace.left

    @property
    def error(self) -> ConnectError | None:
        """Why there is no connection, None while there is one or before the first try."""
        return self._session.error

    @property
    def learned(self) -> Learned:
        """What is worth remembering for the next start."""
        return self._session.learned

    @property
    def rival(self) -> bool:
        """Whether another client seems to use our client id."""
        return self._session.rival

    @property
    def terms(self) -> Terms | None:
        """How the present connection was made."""
        return self._session.terms

    @property
    def limits(self) -> BrokerLimits | None:
        """What the broker announced for the present connection."""
        return self._session.limits

    @property
    def echo(self) -> EchoResult | None:
        """What the last probe found."""
        return self._session.echo

    @property
    def certificate_expires(self) -> float | None:
        """When the broker's certificate ends, in seconds since the epoch."""
        return self._session.certificate_expires

    def add_listener(self, listener: StateListener) -> Callable[[], None]:
        """Call `listener(state)` at each change; returns what ends that.

        It is also called, with the state unchanged, when a probe, the grace time or a search
        for left-overs ended.
        """
        return self._listeners.add(listener)

    def tell(self) -> None:
        """Call the listeners: something else than the state changed."""
        self._listeners.tell(self.state)

    def stop(self) -> None:
        """Bridge nothing any more: a planned end is no loss."""
        self._grace.stop()

    def _on_state(self, state: ConnectionState) -> None:
        before, self._last_state = self._last_state, state
        if state is not before:
            if state is ConnectionState.CONNECTED:
                self._grace.connected()
            elif state in _LOST:
                self._grace.lost()
            self._on_turn(before, state)
        self.tell()
