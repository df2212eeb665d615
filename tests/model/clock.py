"""Time as the model wants it: one clock that the database and every process read.

The SQL of the product asks `clock_timestamp()`. A function of that name in `public`, found first
because the model's database names `pg_catalog` last in its search path, answers with the model's
time; so leases run out, and doubts come about, by the product's own statements. What a process
measures for itself (`time.monotonic`, `clock.steady`) is the same clock. Ids are counted, so that a
run repeats to the byte.
"""

import importlib
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from orchestrator import clock, ids

START = datetime(2026, 11, 24, 14, 0, tzinfo=UTC)  # a Tuesday, 15:00 in Oslo, 09:00 in New York
_READERS = (
    "orchestrator.combiner",
    "orchestrator.flows.claim",
    "orchestrator.flows.deliver",
    "orchestrator.flows.send_same_key",
    "orchestrator.store.handover",
)

SETUP = (
    "create table model_clock (at timestamptz not null)",
    "create function public.clock_timestamp() returns timestamptz language sql volatile as"
    " 'select at from public.model_clock'",
)


class Clock:
    """The time of the model."""

    def __init__(self) -> None:
        self.now = START
        self._steady = 1000.0
        self._ids = 0

    def restart(self) -> None:
        """As if nothing had been."""
        self.now, self._steady, self._ids = START, 1000.0, 0

    async def pass_by(self, conn: AsyncConnection, time: timedelta) -> None:
        """Let time pass. A negative one sets the clock back: what is measured goes on."""
        self.now += time
        self._steady += max(0.0, time.total_seconds())
        await self.show(conn)

    async def show(self, conn: AsyncConnection) -> None:
        """Tell the database what time it is."""
        await conn.execute(text("delete from model_clock"))
        await conn.execute(text("insert into model_clock values (:now)"), {"now": self.now})

    # What stands in the place of the module `time`, and of `os` in `orchestrator.ids`.

    def monotonic(self) -> float:
        """Seconds of a process."""
        return self._steady

    def steady(self) -> float:
        """The same."""
        return self._steady

    def time_ns(self) -> int:
        """Wall clock; each id a millisecond later than the one before, so that ids are ordered."""
        self._ids += 1
        return int(START.timestamp() * 1e9) + self._ids * 1_000_000

    def urandom(self, count: int) -> bytes:
        """What makes ids unique here."""
        return self._ids.to_bytes(count, "big")

    @contextmanager
    def in_place(self) -> Iterator[None]:
        """Let every reader of a process's own clock read this one."""
        kept: list[tuple[Any, str, Any]] = []

        def put(module: Any, name: str, value: Any) -> None:
            if hasattr(module, name):
                kept.append((module, name, getattr(module, name)))
                setattr(module, name, value)

        put(ids, "time", self)
        put(ids, "os", self)
        put(clock, "steady", self.steady)
        for name in _READERS:
            module = importlib.import_module(name)
            put(module, "steady", self.steady)
            put(module, "time", self)
        try:
            yield
        finally:
            for module, name, value in reversed(kept):
                setattr(module, name, value)
