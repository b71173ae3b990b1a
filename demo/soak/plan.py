"""What a soak does and when, decided by its seed alone."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from random import Random

# Nobody's settings stand for a good node; the others are chosen as often as they stand here.
MISBEHAVIOUR: tuple[tuple[str, ...], ...] = (
    *((),) * 6,
    ("deaf=yes",),
    ("silent=yes",),
    ("skip_first=1",),
    ("skip_first=2",),
    ("lose_every=2",),
    ("lose_every=3",),
    ("delay=0.3",),
    ("delay=1.5",),
    ("twice=yes",),
    ("wrong_id=yes",),
    ("reject=overload protection",),
    ("accept_first=yes", "delay=2"),
    ("accept_first=yes", "lose_every=2", "delay=0.5"),
    ("sleepy=1.5",),
    ("sleepy=4", "skip_first=1"),
    ("reboot_on=1",),
    ("reboot_on=2",),
    ("reboot_on=1", "reboot_before=yes"),
    ("ota_stall=40",),
    ("ota_fail=flash worn",),
    ("malformed=yes", "twice=yes"),
)
OWN_COMMAND = "melody"

_KINDS = {"relay": 50, "led": 20, "config": 8, "own": 8, "ota": 7, "restart": 5, "cancel": 2}
_PRESSES = 0.1
_SECONDS_PER_CHANGE = 1.5
_LONGEST_TTL = 40.0
# What goes wrong at the end should not be missed by starting too late with it.
_CHAOS_WITHIN = (0.08, 0.92)


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """Something to do `at` seconds; that clock rests while Home Assistant is away."""

    at: float


@dataclass(frozen=True, slots=True, kw_only=True)
class OnNode(Step):
    """Something to do to one node."""

    home_id: str
    node_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Send(OnNode):
    """A command; `fields` are those of the action."""

    number: int
    kind: str
    fields: Mapping[str, object] = field(default_factory=dict)

    @property
    def queue(self) -> bool:
        """Whether it waits for the node and outlives a restart."""
        return bool(self.fields.get("queue"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Cancel(OnNode):
    """Withdraw the node's commands."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Behave(OnNode):
    """Change how the node misbehaves."""

    settings: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Press(OnNode):
    """Use the button on the device."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BreakBroker(Step):
    """End the broker, killed or not, and start it after `away` seconds."""

    kill: bool
    away: float


@dataclass(frozen=True, slots=True, kw_only=True)
class KillHomeAssistant(Step):
    """SIGKILL, and start it again at once."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reload(Step):
    """Reload a household's config entry."""

    home_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Scale:
    """How much of everything; `longest` seconds is the most that one send waits."""

    commands: int
    seconds: float
    broker_breaks: int = 0
    kills: int = 0
    reloads: int = 0
    longest: float = 2.0
    retries: int = 3
    queue_share: float = 0.5


def make_plan(seed: int, scale: Scale, nodes: Sequence[tuple[str, str]]) -> list[Step]:
    """Return all steps in order; what each of them does depends on the seed alone."""
    steps: list[Step] = [*_commands(Random(f"{seed}/commands"), scale, nodes)]
    steps += _troubles(Random(f"{seed}/nodes"), scale, nodes)
    steps += _chaos(Random(f"{seed}/chaos"), scale, nodes)
    return sorted(steps, key=lambda step: step.at)


def _commands(rng: Random, scale: Scale, nodes: Sequence[tuple[str, str]]) -> list[OnNode]:
    kinds, weights = tuple(_KINDS), tuple(_KINDS.values())
    steps: list[OnNode] = []
    for at in sorted(rng.uniform(0, scale.seconds) for _ in range(scale.commands)):
        home_id, node_id = rng.choice(nodes)
        (kind,) = rng.choices(kinds, weights)
        if kind == "cancel":
            steps.append(Cancel(at=at, home_id=home_id, node_id=node_id))
            kind = "relay"
        steps.append(
            Send(
                at=at,
                home_id=home_id,
                node_id=node_id,
                number=len(steps),
                kind=OWN_COMMAND if kind == "own" else kind,
                fields={} if kind == "ota" else _fields(rng, kind, len(steps), scale),
            )
        )
    return steps


def _fields(rng: Random, kind: str, number: int, scale: Scale) -> dict[str, object]:
    common: dict[str, object] = {
        "command": OWN_COMMAND if kind == "own" else kind,
        "timeout": round(rng.uniform(0.5, scale.longest), 2),
        "retries": rng.randint(0, scale.retries),
        "queue": rng.random() < scale.queue_share,
        "ttl": round(rng.uniform(3, _LONGEST_TTL), 2),
    }
    match kind:
        case "relay":
            return {**common, "action": rng.choice(("on", "off", "toggle"))}
        case "led":
            return common | _led(rng)
        case "config":
            return {**common, "config": {"interval": rng.randint(1, 60), "number": number}}
        case "own":
            return {**common, "content": {"number": number}}
    return common


def _led(rng: Random) -> dict[str, object]:
    action = rng.choice(("on", "on", "on", "off", "identify"))
    looks: dict[str, object] = {
        "brightness": rng.randint(1, 255),
        "color": [rng.randint(0, 255) for _ in range(3)],
        "effect": rng.choice(("rainbow", "blink", "unheard of")),
    }
    chosen = rng.sample(sorted(looks), rng.randint(0, 3)) if action == "on" else []
    return {"action": action, **{name: looks[name] for name in chosen}}


def _troubles(rng: Random, scale: Scale, nodes: Sequence[tuple[str, str]]) -> list[Step]:
    steps: list[Step] = []
    for home_id, node_id in nodes:
        settings = rng.choice(MISBEHAVIOUR)
        steps.append(Behave(at=0.0, home_id=home_id, node_id=node_id, settings=settings))
    at = 0.0
    while (at := at + rng.expovariate(1 / _SECONDS_PER_CHANGE)) < scale.seconds:
        home_id, node_id = rng.choice(nodes)
        if rng.random() < _PRESSES:
            steps.append(Press(at=at, home_id=home_id, node_id=node_id))
        else:
            settings = rng.choice(MISBEHAVIOUR)
            steps.append(Behave(at=at, home_id=home_id, node_id=node_id, settings=settings))
    return steps


def _chaos(rng: Random, scale: Scale, nodes: Sequence[tuple[str, str]]) -> list[Step]:
    first, last = (share * scale.seconds for share in _CHAOS_WITHIN)
    homes = sorted({home_id for home_id, _ in nodes})
    steps: list[Step] = [
        BreakBroker(at=rng.uniform(first, last), kill=rng.random() < 0.7, away=rng.uniform(0.1, 8))
        for _ in range(scale.broker_breaks)
    ]
    steps += [KillHomeAssistant(at=rng.uniform(first, last)) for _ in range(scale.kills)]
    steps += [
        Reload(at=rng.uniform(first, last), home_id=rng.choice(homes)) for _ in range(scale.reloads)
    ]
    return steps
