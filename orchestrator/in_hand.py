"""The claims of one process that have not left yet, and their leases.

A claimed message waits for a connection, for a lane that is slow, for a server that answers late:
each of these may take longer than a lease, and a lease that ran out would send the message through
the queue for ever. So leases are renewed while the process lives and means it. One that was killed,
stopped or hangs renews nothing, and its leases run out.
"""

import asyncio
from uuid import UUID

import structlog
from sqlalchemy.ext.asyncio import AsyncEngine

from orchestrator.clock import database_now
from orchestrator.db import transaction
from orchestrator.flows.claim import Claimed
from orchestrator.store import leases

log = structlog.get_logger()


class InHand:
    """What is claimed. `keep` its leases as a task; `give_back` what was not begun."""

    def __init__(self, engine: AsyncEngine, *, seconds: float) -> None:
        self._engine = engine
        self._seconds = seconds
        self._claims: dict[UUID, Claimed] = {}
        self.renewed = 0

    def take(self, claimed: Claimed) -> None:
        """From now on this lease is kept."""
        self._claims[claimed.row.id] = claimed

    def drop(self, claimed: Claimed) -> None:
        """It has left, or went back."""
        if self._claims.get(claimed.row.id) is claimed:
            del self._claims[claimed.row.id]

    async def keep(self) -> None:
        """Renew every lease in time, until cancelled: three tries before one runs out."""
        while True:
            await asyncio.sleep(self._seconds / 4)
            try:
                await self.renew()
            except Exception as error:  # noqa: BLE001 - the loop outlives any fault of one round
                log.warning("leases.not_renewed", error=type(error).__name__)

    async def renew(self) -> int:
        """Renew what is still ours. Returns how many were."""
        held = [(one.row.id, one.fence) for one in self._claims.values()]
        if not held:
            return 0
        async with transaction(self._engine) as conn:
            done = await leases.renew(conn, held, seconds=self._seconds)
        self.renewed += done
        return done

    async def give_back(self, claims: list[Claimed]) -> None:
        """Let others have at once what this process will not begin. Tried once: a lease that is
        not kept runs out by itself."""
        try:
            async with transaction(self._engine) as conn:
                now = await database_now(conn)
                for one in sorted(claims, key=lambda claimed: claimed.row.id):
                    await leases.release(conn, one.row.id, one.fence, due=now, reason="given_back")
        except Exception as error:  # noqa: BLE001 - a driver whose connection is cut raises anything
            log.warning("leases.not_given_back", error=type(error).__name__, count=len(claims))
