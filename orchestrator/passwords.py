"""Passwords as argon2id (RFC 9106), in a thread of their own and few at a time.

One hash takes 64 MiB and tens of milliseconds: two at once keep a flood of tries from taking the
memory of the machine, and the event loop goes on meanwhile.
"""

import asyncio
from functools import lru_cache
from typing import TYPE_CHECKING

from orchestrator.rules.accounts import normal

if TYPE_CHECKING:
    from argon2 import PasswordHasher

_AT_ONCE = 2
_slots: dict[asyncio.AbstractEventLoop, asyncio.Semaphore] = {}


@lru_cache(maxsize=1)
def _hasher() -> "PasswordHasher":
    from argon2 import PasswordHasher  # not for those who never sign in

    return PasswordHasher()  # RFC 9106, second recommendation: 3 passes over 64 MiB


@lru_cache(maxsize=1)
def _nobody() -> str:
    """What an unknown account is compared with, so that it takes as long as a known one."""
    return _hasher().hash("a password that nobody has, for accounts that do not exist")


async def hashed(password: str) -> str:
    """The hash to keep, with its parameters."""
    async with _slot():
        return await asyncio.to_thread(lambda: _hasher().hash(normal(password)))


async def fits(password: str, kept: str | None) -> bool:
    """Whether this is the password. The same work without one (`kept` None), and then False."""
    async with _slot():
        return await asyncio.to_thread(_fits, normal(password), kept)


def is_dated(kept: str) -> bool:
    """Whether the hash has other parameters than a new one would."""
    return _hasher().check_needs_rehash(kept)


def _fits(password: str, kept: str | None) -> bool:
    from argon2.exceptions import InvalidHashError, VerificationError

    try:
        return _hasher().verify(kept or _nobody(), password) and kept is not None
    except (VerificationError, InvalidHashError):
        return False


def _slot() -> asyncio.Semaphore:
    loop = asyncio.get_running_loop()
    if loop not in _slots:
        _slots.clear()  # a loop that ended takes its waiters with it
        _slots[loop] = asyncio.Semaphore(_AT_ONCE)
    return _slots[loop]
