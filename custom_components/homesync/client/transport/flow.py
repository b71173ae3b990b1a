"""Whether a connection reads: held back until told otherwise, or resting for a moment."""

import asyncio

# Bytes of a read after which more may be there already.
_MUCH = 8 * 1024


class FlowControl:
    """Stops and starts the reading of one transport; `end` it with the transport.

    `rest` is for how many seconds nothing needs to be read after the present read, unless that
    brings much. A broker sends message by message, and reading each as it comes costs more than
    all else that is done with one that is outdated at once. What comes meanwhile waits in the
    socket. Over a WebSocket each message is handed on by itself: nothing is to be won there, and
    it `may_rest` not.
    """

    def __init__(self) -> None:
        self.rest = 0.0
        self._call_later = asyncio.get_running_loop().call_later
        self._transport: asyncio.ReadTransport | None = None
        self._may_rest = False
        self._held = False
        self._resting: asyncio.TimerHandle | None = None

    @property
    def reading(self) -> bool:
        """Whether bytes are taken, if not now then after a rest."""
        return not self._held

    def begin(self, transport: asyncio.ReadTransport, *, may_rest: bool) -> None:
        """Control a transport that reads; from now on `hold` takes effect."""
        self._transport = transport
        self._may_rest = may_rest
        if self._held:
            transport.pause_reading()

    def hold(self) -> None:
        """Read nothing until `release`."""
        self._held = True
        if self._transport is not None:
            self._transport.pause_reading()

    def release(self) -> None:
        """Read again, at once or when the rest is over."""
        self._held = False
        self._go_on()

    def after_read(self, size: int) -> None:
        """Rest as was asked for after a read of so many bytes."""
        seconds, self.rest = self.rest, 0.0
        if self._transport is None or not self._may_rest or self._resting is not None:
            return
        if size < _MUCH:
            self._transport.pause_reading()
            self._resting = self._call_later(seconds, self._rested)

    def end(self) -> None:
        """Touch the transport no more."""
        self._transport = None
        if self._resting is not None:
            self._resting.cancel()
            self._resting = None

    def _rested(self) -> None:
        self._resting = None
        self._go_on()

    def _go_on(self) -> None:
        if self._transport is not None and self._resting is None and not self._held:
            self._transport.resume_reading()
