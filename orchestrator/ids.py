"""UUIDv7 made in the application (RFC 9562, section 5.7): a row has its id before it exists."""

import os
import time
from array import array
from datetime import datetime
from itertools import accumulate
from uuid import UUID


def uuid7() -> UUID:
    """A new time-ordered id: 48 bits of Unix milliseconds, 74 bits of randomness."""
    value = (time.time_ns() // 1_000_000 & (1 << 48) - 1) << 80
    value |= int.from_bytes(os.urandom(10), "big")
    value = value & ~(0xF << 76) | 0x7 << 76
    return UUID(int=value & ~(0x3 << 62) | 0x2 << 62)


def first_of(at: datetime) -> UUID:
    """An id before every one that was made at `at` (aware) or later."""
    millis = int(at.timestamp() * 1000)
    return UUID(int=max(0, ((millis & (1 << 48) - 1) << 80) - 1))


def uuid7s(count: int) -> list[UUID]:
    """`count` new ids, each after the one before (RFC 9562, section 6.2, method 2: random steps of
    32 bits), so that rows written together lie together in every index."""
    from asyncpg.pgproto.pgproto import UUID as FastUUID  # what asyncpg returns, made in C

    first = uuid7().int & ~(1 << 61)  # room for the steps
    steps = map((1).__add__, array("I", os.urandom(array("I").itemsize * count)))
    return [FastUUID(one.to_bytes(16, "big")) for one in accumulate(steps, initial=first)][1:]
