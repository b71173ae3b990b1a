"""What a node announces of itself in status/info."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Available:
    """Newer firmware that the node knows of; `size` in bytes."""

    version: str
    url: str
    sha256: str
    size: int | None = None
    notes: str | None = None

    def as_json(self) -> dict[str, object]:
        """Give what is known."""
        fields = {
            "version": self.version,
            "url": self.url,
            "sha256": self.sha256,
            "size": self.size,
            "notes": self.notes,
        }
        return {name: value for name, value in fields.items() if value is not None}


@dataclass(frozen=True, slots=True, kw_only=True)
class Info:
    """None leaves a field out; `capabilities` then follow from what the node can do."""

    model: str | None = "Plug S"
    manufacturer: str | None = "Example Works"
    hardware: str | None = "rev B"
    capabilities: tuple[str, ...] | None = None
    effects: tuple[str, ...] = ("rainbow", "blink")
    available: Available | None = None
