"""Takes files that are no use out of the way, so that nothing is written over them."""

from contextlib import suppress
from pathlib import Path
from typing import Final

from homeassistant.util import dt as dt_util

_KEPT_ASIDE: Final = 3


def set_aside(path: Path) -> Path | None:
    """Rename a readable file, forgetting the oldest so treated; None without a file.

    Blocks. Raises OSError while it is impossible.
    """
    aside = path.with_name(f"{path.name}.corrupt.{dt_util.utcnow():%Y%m%dT%H%M%S.%fZ}")
    try:
        if path.is_file():
            path.open("rb").close()
        path.rename(aside)
    except FileNotFoundError:
        return None
    for each in all_aside(path)[:-_KEPT_ASIDE]:
        with suppress(OSError):
            each.unlink()
    return aside


def all_aside(path: Path) -> list[Path]:
    """Return what was set aside, the oldest first."""
    return sorted(path.parent.glob(f"{path.name}.corrupt.*"))
