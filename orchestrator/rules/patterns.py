"""Patterns that are compiled when they are first asked: every process imports them, few use all.

Compiling what reads mail takes 0.3 s of a start that is to take one.
"""

import re
from typing import Any, cast


class _Lazy:
    """Becomes the pattern that it stands for, a method at a time."""

    def __init__(self, pattern: str, flags: int) -> None:
        self.pattern = pattern
        self._flags = flags

    def __getattr__(self, name: str) -> Any:
        found = getattr(re.compile(self.pattern, self._flags), name)
        setattr(self, name, found)  # from now on as fast as the pattern itself
        return found


def lazy(pattern: str, flags: int = 0) -> re.Pattern[str]:
    """`re.compile`, put off. A fault of `pattern` shows at its first use: for patterns of our own,
    which the tests use, never for those that an operator wrote."""
    return cast("re.Pattern[str]", _Lazy(pattern, flags))
