"""What the sandbox's providers refuse: limits as in life, and errors on demand."""

import time
from collections import defaultdict, deque
from dataclasses import dataclass, field

from pydantic import BaseModel, Field


class Fault(BaseModel):
    """The next `times` calls of `method` end so. `error` is the provider's own word for it.

    `acts`: it happens all the same, and only the answer says otherwise (a lost acknowledgement).
    """

    method: str
    error: str = Field(min_length=1, max_length=80)
    status: int = Field(200, ge=200, le=599)
    retry_after: int | None = Field(None, ge=0, le=3600)  # seconds
    seconds: float = Field(0, ge=0, le=120)  # how long the provider takes to say so
    times: int = Field(1, ge=1, le=1000)
    acts: bool = False


@dataclass
class Faults:
    """What was asked for; each call takes one."""

    waiting: list[Fault] = field(default_factory=list)

    def take(self, method: str) -> Fault | None:
        """The fault of this call, None when it goes well."""
        for fault in self.waiting:
            if fault.method in (method, "*"):
                fault.times -= 1
                if not fault.times:
                    self.waiting.remove(fault)
                return fault
        return None


@dataclass
class Limits:
    """Calls within a window of real time, by key."""

    _calls: dict[str, deque[float]] = field(default_factory=lambda: defaultdict(deque))

    def wait(self, key: str, count: int, seconds: float) -> float:
        """0 when one more call of `key` is allowed, and counts it; else seconds to wait."""
        now, calls = time.monotonic(), self._calls[key]
        while calls and calls[0] <= now - seconds:
            calls.popleft()
        if len(calls) >= count:
            return calls[0] + seconds - now
        calls.append(now)
        return 0.0
