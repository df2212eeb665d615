"""What else the machine did: its load, its stolen time, and the pace of work that never changes."""

import hashlib
import os
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

_BUSY = 0.7  # load average per core above which figures are somebody else's too
_STAT = Path("/proc/stat")


def yardstick() -> float:
    """Milliseconds that the same pure work takes: about 20 on a core of 2024 that nobody shares."""
    began = time.perf_counter()
    block, many = b"x" * 4096, 0
    for number in range(4_000):
        block = hashlib.blake2b(block + number.to_bytes(4)).digest() * 64
        many += len(str(number))
    return (time.perf_counter() - began) * 1000


def _ticks() -> tuple[int, int]:
    """Ticks of all cores so far, and those that the host took away (Linux; zeros elsewhere)."""
    if not _STAT.exists():
        return 0, 0
    fields = [int(word) for word in _STAT.read_text().splitlines()[0].split()[1:9]]
    return sum(fields), fields[7]


def machine() -> dict[str, Any]:
    """What the figures are taken on."""
    kind = next(
        (
            line.partition(":")[2].strip()
            for line in Path("/proc/cpuinfo").read_text().splitlines()
            if line.startswith("model name")
        )
        if Path("/proc/cpuinfo").exists()
        else iter(()),
        "",
    )
    return {"cpus": os.cpu_count(), "processor": kind, "python": sys.version.split()[0]}


def busy() -> str | None:
    """A warning when others use the machine, or None."""
    load, cores = os.getloadavg()[0], os.cpu_count() or 1
    if load <= _BUSY * cores:
        return None
    return (
        f"the load average is {load:.1f} on {cores} cores: figures are low and their spread is "
        "wide; ratios hold better than rates, and a quiet machine better than both"
    )


@dataclass
class Noise:
    """Watches one run or one path. `look()` between rounds, `told()` at the end."""

    began: float = field(default_factory=time.monotonic)
    load: tuple[float, ...] = field(default_factory=os.getloadavg)
    ticks: tuple[int, int] = field(default_factory=_ticks)
    pace: list[float] = field(default_factory=list)

    def look(self) -> None:
        """Take the yardstick once."""
        self.pace.append(yardstick())

    def told(self) -> dict[str, Any]:
        """Load averages of the last minute at both ends, stolen share, and the yardstick's ms."""
        all_ticks, stolen = (now - then for now, then in zip(_ticks(), self.ticks, strict=True))
        return {
            "seconds": round(time.monotonic() - self.began, 1),
            "load_before": round(self.load[0], 2),
            "load_after": round(os.getloadavg()[0], 2),
            "stolen": round(stolen / all_ticks, 4) if all_ticks else 0.0,
            "yardstick_ms": [round(one, 1) for one in self.pace],
        }
