"""What a mail does besides being an engagement: complaints and dead addresses are heeded."""

from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncConnection

from orchestrator.flows.stop_person import stop_person
from orchestrator.flows.suppress_address import suppress_address
from orchestrator.rules.mail_reading import Reading
from orchestrator.rules.matching import Match


async def heed(conn: AsyncConnection, reading: Reading, found: Match, now: datetime) -> None:
    """A complaint stops the person everywhere; a hard bounce suppresses the address, not them."""
    if reading.kind == "complaint":
        await stop_person(conn, prospect_id=found.prospect_id, reason="complaint", now=now)
    elif reading.kind == "bounce" and reading.hard and found.identity_id is not None:
        await suppress_address(
            conn, identity_id=found.identity_id, now=now, message_id=found.message_id
        )
