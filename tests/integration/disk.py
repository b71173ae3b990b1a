"""A real disk of 64 KiB that can be full or read-only, mounted where only its keeper sees it."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
import subprocess

import pytest

_KEEPER = """
mount -t tmpfs -o size=64k none "$1" || exit 1
echo mounted
while read -r options; do mount -o "remount,$options" "$1" && echo done; done
"""


class SmallDisk:
    """Reached through the keeper's view of the files."""

    def __init__(self, keeper: subprocess.Popen[str], mounted: Path) -> None:
        self.folder = Path(f"/proc/{keeper.pid}/root{mounted}")
        self._keeper = keeper
        self._filler = self.folder / "filler"

    def fill(self) -> None:
        """Leave no byte free."""
        with pytest.raises(OSError, match="No space left"):
            self._filler.write_bytes(b"x" * 1_000_000)

    def empty(self) -> None:
        self._filler.unlink()

    def remount(self, options: str) -> None:
        """Such as `ro` and `rw`."""
        assert self._keeper.stdin is not None
        assert self._keeper.stdout is not None
        self._keeper.stdin.write(f"{options}\n")
        self._keeper.stdin.flush()
        assert self._keeper.stdout.readline() == "done\n"


@contextmanager
def small_disk(mounted: Path) -> Iterator[SmallDisk]:
    """Mount it; skip the test where a user may not."""
    command = ("unshare", "--user", "--map-root-user", "--mount", "sh", "-c", _KEEPER, "sh")
    try:
        keeper = subprocess.Popen(
            (*command, str(mounted)),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
    except FileNotFoundError:
        pytest.skip("no unshare here")
    with keeper:
        assert keeper.stdin is not None
        assert keeper.stdout is not None
        if keeper.stdout.readline() != "mounted\n":
            pytest.skip("mounting is not allowed here")
        yield SmallDisk(keeper, mounted)
        keeper.stdin.close()
        keeper.wait(10)
