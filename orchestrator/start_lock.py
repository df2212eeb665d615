"""A file that `avtale up` holds while it prepares the database, and that its children wait for.

They load their code meanwhile, which takes longer than anything else in a start. The kernel gives
the lock back when the holder dies, however it dies.
"""

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def held(path: Path) -> Iterator[None]:
    """Hold it: whoever waits does so until the block ends."""
    with path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def wait(path: Path | None) -> None:
    """Return when nobody holds it, which is at once when it was never held."""
    if path is not None and path.exists():
        with path.open() as file:
            fcntl.flock(file, fcntl.LOCK_SH)
