"""Which ids and topics are allowed. The one module that builds or splits topics.

MQTT 3.1.1 section 4.7 gives the grammar of topics; ids are narrower on purpose, so that
no id can hold a separator, a wildcard or a control character.
"""

from dataclasses import dataclass
from functools import lru_cache
import re
from sys import intern
import unicodedata

from ..errors import InvalidSettingError, ProtocolError

ECHO_NODE = "_echo"
"""Reserved: never a node."""

_ID = re.compile(r"[A-Za-z0-9_-]{1,64}", re.ASCII)
_MOST_BYTES = 512
_COMMAND = re.compile(r"(?:^|/)nodes/[^/]+/command(?:/|$)")
_FOREIGN = frozenset(("Cc", "Cs", "Cn"))


def is_id(text: str) -> bool:
    """Whether a text may name a household, a node or a metric."""
    return _ID.fullmatch(text) is not None


def check_home_id(home_id: str) -> str:
    """Return the household's id, or raise InvalidSettingError."""
    if not is_id(home_id):
        raise InvalidSettingError("home_id", "1 to 64 letters, digits, _ or - are allowed")
    return home_id


def check_prefix(prefix: str) -> str:
    """Return a topic prefix of one or more levels, or raise InvalidSettingError."""
    return _check("prefix", prefix)


def check_topic(topic: str) -> str:
    """Return a topic that may be published on, or raise InvalidSettingError."""
    return _check("topic", topic)


def is_command_topic(topic: str) -> bool:
    """Whether a topic is one from which nodes take commands, of whatever household."""
    return _COMMAND.search(topic) is not None


def _check(field: str, text: str) -> str:
    if not text or len(text.encode("utf-8", "surrogatepass")) > _MOST_BYTES:
        raise InvalidSettingError(field, f"1 to {_MOST_BYTES} bytes are allowed")
    if text.startswith("$") or "" in text.split("/"):
        raise InvalidSettingError(field, "no leading $, no empty level")
    if "+" in text or "#" in text:
        raise InvalidSettingError(field, "no wildcards + or #")
    if any(unicodedata.category(character) in _FOREIGN for character in text):
        raise InvalidSettingError(field, "no control characters")
    return text


@dataclass(frozen=True, slots=True)
class NodeTopic:
    """A topic of one node, split: `branch` is telemetry, status, response or command."""

    node_id: str
    branch: str
    leaf: str


class HouseholdTopics:
    """Topics of one household under `{prefix}/{home_id}/nodes/`."""

    def __init__(self, prefix: str, home_id: str) -> None:
        self.root = f"{check_prefix(prefix)}/{check_home_id(home_id)}/nodes"
        self._root = f"{self.root}/".encode()

    def filter(self, branch: str) -> str:
        """Every leaf of a branch, of every node."""
        return f"{self.root}/+/{branch}/+"

    def build(self, node_id: str, branch: str, leaf: str) -> str:
        """One node's topic."""
        return _build(self.root, node_id, branch, leaf)

    def split(self, topic: bytes) -> NodeTopic:
        """Split a received topic, or raise ProtocolError."""
        if not topic.startswith(self._root):
            raise ProtocolError("foreign_topic", "topic is not of this household")
        try:
            node_id, branch, leaf = topic[len(self._root) :].decode("ascii").split("/")
        except ValueError:
            raise ProtocolError("invalid_topic", "topic has the wrong form") from None
        if not is_id(node_id) or not is_id(leaf) or node_id == ECHO_NODE:
            raise ProtocolError("invalid_topic", "topic has an id that is not allowed")
        return NodeTopic(intern(node_id), intern(branch), intern(leaf))


# Commands go to the same topics again and again.
@lru_cache(maxsize=1024)
def _build(root: str, node_id: str, branch: str, leaf: str) -> str:
    if not is_id(node_id) or not is_id(leaf):
        raise ValueError("not an id")
    return f"{root}/{node_id}/{branch}/{leaf}"
