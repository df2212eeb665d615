"""What Python's CPU goes to: a look at the stack at each tick (4 ms where Linux has 250 Hz)."""

import signal
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

from bench.place import ROOT

_EVERY = 0.001  # seconds of CPU, or the tick of the kernel where that is longer
_OURS = (f"{ROOT}/orchestrator/", f"{ROOT}/channels/")
LOOP = "event loop and drivers"


def module_of(frame: FrameType | None) -> str:
    """The innermost of our files on the stack: what a library does belongs to who called it."""
    while frame is not None:
        if frame.f_code.co_filename.startswith(_OURS):
            return frame.f_code.co_filename.removeprefix(f"{ROOT}/")
        frame = frame.f_back
    return LOOP


@contextmanager
def sampled() -> Iterator[Counter[str]]:
    """Counts of looks by module, of the main thread, while the block runs."""
    found: Counter[str] = Counter()

    def look(_number: int, frame: FrameType | None) -> None:
        found[module_of(frame)] += 1

    before = signal.signal(signal.SIGPROF, look)
    signal.setitimer(signal.ITIMER_PROF, _EVERY, _EVERY)
    try:
        yield found
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.signal(signal.SIGPROF, before)


def shares(found: Counter[str], *, most: int = 16) -> dict[str, float]:
    """Per cent of the looks, the largest first; what is small is one line."""
    whole = found.total() or 1
    first = {name: count / whole * 100 for name, count in found.most_common(most)}
    rest = 100 - sum(first.values()) if found else 0.0
    return first | ({"everything else": rest} if rest > 0.05 else {})
