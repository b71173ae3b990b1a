"""What a broker keeps for nobody: found, explained, and taken away when asked to."""

import asyncio
from collections.abc import Callable, Iterable
from contextlib import suppress

from .errors import HomeSyncError, ProtocolError
from .model import HouseholdModel
from .protocol.homesync import HomeSyncDialect
from .protocol.topics import is_command_topic
from .records import LeftOver, Publication
from .retained import RetainedScan
from .transport.packets import is_topic
from .transport.session import MqttSession

# Searches for retained commands that ended with the connection, one after the other.
_MOST_CUT_SEARCHES = 2


class LeftOvers:
    """The left-overs of one household; each of its connections searches for commands among them.

    `commands` are the topics of those that the last search found: nodes would get them at
    each reconnect. `on_change()` is called when they may be others.
    """

    def __init__(
        self,
        dialect: HomeSyncDialect,
        model: HouseholdModel,
        session: MqttSession,
        scan: RetainedScan,
        on_change: Callable[[], None],
    ) -> None:
        self.commands: tuple[str, ...] = ()
        self._dialect = dialect
        self._model = model
        self._session = session
        self._scan = scan
        self._on_change = on_change
        self._search: asyncio.Task[None] | None = None
        self._cut_searches = 0

    async def find(self) -> dict[str, int] | None:
        """Return topic → bytes of what the broker keeps for nodes that are not known.

        None if the broker does not let us look; raises NotConnectedError.
        """
        found = await self._scan.find(self._dialect.everything)
        if found is None:
            return None
        return {topic: size for topic, size in found.items() if self.why(topic)}

    def why(self, topic: str) -> LeftOver | None:
        """Why a retained message serves nobody; None if it does, or is none of the nodes'."""
        if not self._dialect.owns(topic):
            return None
        if is_command_topic(topic):
            return LeftOver.COMMAND
        try:
            target = self._dialect.resolve(topic.encode())
        except ProtocolError:
            return LeftOver.UNKNOWN_TOPIC
        if target.branch == "response":
            return LeftOver.ANSWER
        return None if target.node_id in self._model.nodes else LeftOver.UNKNOWN_NODE

    def clear(self, topics: Iterable[str]) -> int:
        """Have the broker forget what it keeps on topics of this household; return how many.

        Raises NotConnectedError, CongestedError or TooLargeError when it has to give up.
        """
        own = (topic for topic in dict.fromkeys(topics) if self._dialect.owns(topic))
        # Strangers chose them: one that cannot be published on must not spare the others.
        wanted = [topic for topic in own if is_topic(topic)]
        for topic in wanted:
            self._session.publish(Publication(topic, b"", retain=True))
        self.commands = tuple(topic for topic in self.commands if topic not in wanted)
        self._on_change()
        return len(wanted)

    async def clear_node(self, node_id: str) -> None:
        """Have the broker forget what it keeps of a node, while connected and allowed to look.

        The node has to be known still: what is overheard would make it known again.
        """
        with suppress(HomeSyncError):
            found = await self._scan.find(self._dialect.everything_of(node_id))
            self.clear(found or ())

    def link_changed(self, *, connected: bool) -> None:
        """A search ends with its connection, and a new connection begins one."""
        if self.stop():
            # Some brokers close the connection of who asks for what he may not see.
            self._cut_searches += 1
        if connected and self._cut_searches < _MOST_CUT_SEARCHES:
            self._search = asyncio.get_running_loop().create_task(self._search_commands())

    def stop(self) -> bool:
        """End the search; return whether there was one that had not ended by itself."""
        search, self._search = self._search, None
        return search is not None and search.cancel()

    async def _search_commands(self) -> None:
        try:
            found = await self._scan.find(self._dialect.commands, wanted=is_command_topic)
        except HomeSyncError:
            return
        self._cut_searches = 0
        self.commands = tuple(found or ())
        self._on_change()
