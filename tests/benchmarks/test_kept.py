"""What new nodes keep with the broker."""

from collections import Counter

from benchmarks.kept import PER_NODE, entities, messages
from benchmarks.packets import Packets, read_publish
from benchmarks.plant import Plant

PLANT = Plant(("east", "west"), 3)


def test_each_node_keeps_twenty_messages() -> None:
    found = Packets().feed(b"".join(messages(PLANT)))
    topics = [read_publish(header, body)[0] for header, body in found]
    assert PER_NODE == 20
    assert len(topics) == len(set(topics)) == 6 * PER_NODE
    assert all(header & 1 for header, _ in found)
    assert set(Counter("/".join(topic.split("/")[:4]) for topic in topics).values()) == {20}


def test_what_is_shown_was_sent() -> None:
    sent = {
        read_publish(header, body)[0].removeprefix("homesync/")
        for header, body in Packets().feed(b"".join(messages(PLANT)))
    }
    shown = [f"{home}/nodes/{node}/{key}" for _, home, node, key, _ in entities(PLANT)]
    assert len(shown) == len(set(shown)) == 6 * 12
    assert sent.issuperset(shown)
