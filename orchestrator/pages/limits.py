"""Token buckets in this process: nobody needs more than a press a second on one page."""

import time
from collections import OrderedDict

from orchestrator.errors import AvtaleError


class TooMany(AvtaleError):
    """More requests than a person makes."""

    status_code = 429
    slug = "too-many-requests"


class Buckets:
    """One bucket a key: `burst` at once, then `per_second`. The least used keys are forgotten."""

    def __init__(self, *, burst: int, per_second: float, keys: int = 20_000) -> None:
        self._burst, self._per_second, self._keys = burst, per_second, keys
        self._levels: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def take(self, key: str, at: float | None = None) -> None:
        """Take one token of `key`. Raises TooMany. `at` in seconds, the process's own clock."""
        at = time.monotonic() if at is None else at
        level, since = self._levels.pop(key, (float(self._burst), at))
        level = min(self._burst, level + (at - since) * self._per_second)
        allowed = level >= 1
        self._levels[key] = (level - 1 if allowed else level, at)
        while len(self._levels) > self._keys:
            self._levels.popitem(last=False)
        if not allowed:
            raise TooMany("Too many requests for this link; wait a minute.")


POSTS = Buckets(burst=20, per_second=0.5)
