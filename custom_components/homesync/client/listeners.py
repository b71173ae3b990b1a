"""Who wants to know: callbacks of which none can hurt another."""

from collections.abc import Callable
from functools import partial
import logging


class Listeners[*Ts]:
    """Callbacks that are all called with the same news; one that fails is logged."""

    def __init__(self, logger: logging.Logger, name: str) -> None:
        self._logger = logger
        self._name = name
        # Another tuple for each change, so that whoever is told may add and take out.
        self._listeners: tuple[Callable[[*Ts], None], ...] = ()

    def add(self, listener: Callable[[*Ts], None]) -> Callable[[], None]:
        """Add a callback; returns what takes it out again."""
        self._listeners = (*self._listeners, listener)
        return partial(self._remove, listener)

    def __len__(self) -> int:
        return len(self._listeners)

    def tell(self, *news: *Ts) -> None:
        """Call all of them."""
        for listener in self._listeners:
            try:
                listener(*news)
            except Exception:
                self._logger.exception("Household %s: a listener failed", self._name)

    def _remove(self, listener: Callable[[*Ts], None]) -> None:
        remaining = list(self._listeners)
        remaining.remove(listener)
        self._listeners = tuple(remaining)
