"""Warm connections: per account, bounded, recycled, and never trusted after a failure."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from uuid import UUID

from channels.base import Account
from channels.email.settings import EmailSettings
from channels.email.smtp import Connection

MAX_MAILS = 100  # providers cut a connection that sends for ever
MAX_AGE = 300.0  # seconds
PROBE_AFTER = 30.0  # seconds idle: the server may have hung up without our hearing it
IDLE_LIMIT = 60.0  # seconds idle: nobody keeps a door open for longer


class Lane:
    """The connections of one account under one set of settings."""

    def __init__(self, settings: EmailSettings, password: str | None, local_hostname: str) -> None:
        self.key = (settings, password)
        self._made_with = (settings, password, local_hostname)
        self._slots = asyncio.Semaphore(settings.connections)
        self._idle: list[tuple[Connection, asyncio.TimerHandle]] = []
        self._retired = False

    @asynccontextmanager
    async def connection(self, *, fresh: bool) -> AsyncIterator[Connection]:
        """A connection of one's own: a warm one, else one that is not open yet.

        Kept warm afterwards when it is reusable; closed after anything else, a cancellation too.
        """
        async with self._slots:
            connection = None if fresh else await self._warm()
            connection = connection or Connection(*self._made_with, most=MAX_MAILS, age=MAX_AGE)
            try:
                yield connection
            except BaseException:
                connection.close()
                raise
            self._put_back(connection)

    async def _warm(self) -> Connection | None:
        while self._idle:
            connection, timer = self._idle.pop()  # the warmest
            timer.cancel()
            try:
                if await self._fit(connection):
                    return connection
            except BaseException:
                connection.close()
                raise
            connection.close()
        return None

    async def _fit(self, connection: Connection) -> bool:
        now = time.monotonic()
        if not connection.reusable or connection.spent():
            return False
        return now - connection.idle_since <= PROBE_AFTER or await connection.alive()

    def _put_back(self, connection: Connection) -> None:
        if self._retired or connection.spent() or not connection.reusable:
            connection.close()
            return
        connection.idle_since = time.monotonic()
        timer = asyncio.get_running_loop().call_later(IDLE_LIMIT, self._expire, connection)
        self._idle.append((connection, timer))

    def _expire(self, connection: Connection) -> None:
        self._idle = [pair for pair in self._idle if pair[0] is not connection]
        connection.close()

    def retire(self) -> None:
        """Close what is idle, and what is in use as soon as it comes back."""
        self._retired = True
        idle, self._idle = self._idle, []
        for connection, timer in idle:
            timer.cancel()
            connection.close()


class Pool:
    """The lanes of a process."""

    def __init__(self) -> None:
        self._lanes: dict[UUID, Lane] = {}

    def lane(self, account: Account, settings: EmailSettings) -> Lane:
        """The lane of `account`; a new one when its settings or password have changed."""
        password = account.secrets.get("password")
        lane = self._lanes.get(account.id)
        if lane is None or lane.key != (settings, password):
            if lane is not None:
                lane.retire()
            domain = account.address.rpartition("@")[2]
            lane = self._lanes[account.id] = Lane(settings, password, domain)
        return lane

    def close(self) -> None:
        """Drop every connection."""
        for lane in self._lanes.values():
            lane.retire()
        self._lanes.clear()
