"""What a mail does besides being an engagement: complaints, dead addresses and absences."""

from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncConnection

from orchestrator.flows.heed_absence import heed_absence
from orchestrator.flows.stop_person import stop_person
from orchestrator.flows.suppress_address import suppress_address
from orchestrator.rules.mail_reading import Reading
from orchestrator.rules.matching import Match


async def heed(conn: AsyncConnection, reading: Reading, found: Match, now: datetime) -> None:
    """A complaint stops the person everywhere; a hard bounce suppresses the address, not them; an
    absence moves what is due until they are back."""
    if reading.kind == "auto_reply":
        await heed_absence(conn, reading, found, now)
    elif reading.kind == "complaint":
        await stop_person(conn, prospect_id=found.prospect_id, reason="complaint", now=now)
    elif reading.kind == "bounce" and reading.hard and found.identity_id is not None:
        await suppress_address(
            conn, identity_id=found.identity_id, now=now, message_id=found.message_id
        )
