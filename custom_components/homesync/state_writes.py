"""State writes at the rate of a busy household, without the garbage and the work of a single one."""

import time

from homeassistant.const import ATTR_UNIT_OF_MEASUREMENT, STATE_UNAVAILABLE, STATE_UNKNOWN
from homeassistant.core import Context, HomeAssistant, State
from homeassistant.helpers.entity import FLOAT_PRECISION

# What a whole write would find changed and nobody is told of, a customisation for
# example, shows after this time at the latest.
_WHOLE_EVERY = 60.0


class NumberWriter:
    """Writes numbers that follow one another with all that the last whole write told.

    A whole write asks the entity for everything and computes it anew, which costs more
    than all that a message costs before.

    Home Assistant ties a state that nobody's action caused to the event that told of it,
    through the context it made for both, and both to the state before. That is a ring
    which only Python's garbage collector finds, and the more rings there are, the more
    often it stops the whole process to look for them. So a number lets go of the event of
    the one before.
    """

    __slots__ = ("_context", "_entity_id", "_since", "_states", "_unit", "_until", "_written")

    def __init__(self, hass: HomeAssistant, entity_id: str) -> None:
        self._states = hass.states
        self._entity_id = entity_id
        self._written: float | None = None
        self._context: Context | None = None
        self._unit: str | None = None
        self._since = self._until = 0.0

    def remember(self, unit: str | None) -> None:
        """Take note of a whole write: numbers in `unit` may follow it if it is shown."""
        state = self._states.get(self._entity_id)
        self._written = self._context = None
        # What others wrote meanwhile has no information of the entity with it.
        if state is not None and state.state_info is not None:
            self._context = _made_for(state)
            if (
                state.state not in (STATE_UNAVAILABLE, STATE_UNKNOWN)
                and state.attributes.get(ATTR_UNIT_OF_MEASUREMENT) == unit
            ):
                self._written = state.last_updated_timestamp
        self._unit = unit
        self._since = time.time()
        self._until = self._since + _WHOLE_EVERY

    def write(self, number: object, unit: str | None) -> bool:
        """Write a number; False if that takes a whole write."""
        now, entity_id = time.time(), self._entity_id
        if unit != self._unit or not self._since <= now < self._until:
            return False
        state = self._states.get(entity_id)
        if state is None or state.last_updated_timestamp != self._written:
            # Somebody else wrote, and knows why.
            return False
        # As Home Assistant writes numbers.
        if type(number) is float:
            text = repr(number)
            if len(text) > FLOAT_PRECISION:
                text = f"{number:.{FLOAT_PRECISION}}"
        elif type(number) is int:
            text = str(number)
        else:
            return False
        if text == state.state:
            # Rounded to what is shown: the state stays, and with it its event.
            return False
        context = Context()
        self._states.async_set(
            entity_id, text, state.attributes, False, context, state.state_info, now
        )
        if self._context is not None:
            self._context.origin_event = None
        self._context, self._written = context, now
        return True


def _made_for(state: State) -> Context | None:
    """Return the context of a state if it was made for it alone."""
    event = state.context.origin_event
    own = event is not None and event.data.get("new_state") is state
    return state.context if own else None
