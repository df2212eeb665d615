"""One mail that came back: read it, find whose it is, and do what it says."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import RowMapping
from sqlalchemy.ext.asyncio import AsyncConnection

from orchestrator.flows.engage import engage
from orchestrator.flows.heeding import heed
from orchestrator.flows.note_evidence import keep_evidence, note_evidence
from orchestrator.flows.stop_person import stop_person
from orchestrator.flows.understanding import AS, Understood, understand
from orchestrator.keys import Keys
from orchestrator.rules.evidence import proven_by_mail
from orchestrator.rules.matching import Match
from orchestrator.rules.writers import Writer
from orchestrator.store import inbox, standing

# Why one of us has to read what somebody else answered.
_WROTE: dict[Writer, str] = {
    "colleague": "a colleague answered in their thread",
    "stranger": "an address that nobody knows answered in their thread",
}


async def handle_mail(conn: AsyncConnection, keys: Keys, event: RowMapping, now: datetime) -> None:
    """Settle one stored mail, whose row is locked: handled, or kept as unmatched."""
    mail = await understand(conn, keys, event, now)
    reading, found = mail.reading, mail.match
    if mail.own:
        await _prove(conn, mail, None, now)
        await inbox.settle(conn, event["id"], state="handled", now=now, read_as="own")
        return
    if found is None:
        await _prove(conn, mail, None, now)
        await inbox.settle(
            conn,
            event["id"],
            state="unmatched",
            now=now,
            read_as=reading.kind,
            reasons=list(reading.reasons),
        )
        return
    await _act(conn, keys, event, mail, found, now)
    await _prove(conn, mail, found.prospect_id, now)
    await inbox.settle(
        conn,
        event["id"],
        state="handled",
        now=now,
        prospect_id=found.prospect_id,
        message_id=found.message_id,
        read_as=reading.kind,
        matched_by=found.how,
    )


async def _prove(
    conn: AsyncConnection, mail: Understood, person: UUID | None, now: datetime
) -> None:
    """What the mail proves to have left: of `person`, whose row is locked, at once."""
    for message_id, owner in proven_by_mail(mail.reading, mail.known).items():
        note = note_evidence if owner == person else keep_evidence
        await note(conn, message_id, mail.reading.kind, now)


async def _act(
    conn: AsyncConnection,
    keys: Keys,
    event: RowMapping,
    mail: Understood,
    found: Match,
    now: datetime,
) -> None:
    reading, verdict = mail.reading, mail.verdict
    if reading.kind == "reply" and (found.writer != "theirs" or found.beside is not None):
        await _by_another(conn, keys, event, mail, found, now)
        if found.writer != "theirs":
            return
    kind, grade = AS[reading.kind]
    await engage(
        conn,
        keys,
        prospect_id=found.prospect_id,
        kind=kind,
        grade=grade,
        meaning=verdict.meaning if verdict else None,
        until=verdict.until if verdict else None,
        whom=verdict.whom if verdict else (),
        asks=verdict.asks if verdict else (),
        reasons=[
            *reading.reasons,
            f"matched by {found.how}",
            *(verdict.reasons if verdict else ()),
        ],
        message_id=found.message_id,
        enrollment_id=found.enrollment_id,
        provider_event_id=event["id"],
        happened_at=min(reading.date or event["received_at"], now),
        now=now,
    )
    await heed(conn, reading, found, now)


async def _by_another(
    conn: AsyncConnection,
    keys: Keys,
    event: RowMapping,
    mail: Understood,
    found: Match,
    now: datetime,
) -> None:
    """Somebody else answered in a person's thread: it earns that person nothing, and nothing more
    leaves for them until one of us has read it. A wish to stop holds whoever says it (L4)."""
    owner = found.beside.prospect_id if found.beside else found.prospect_id
    doubt = _WROTE["colleague" if found.beside else found.writer]
    # The writer's own row is locked next, with the colleagues whom their answer may stop.
    others = await standing.colleagues(conn, found.prospect_id)
    await standing.lock_prospects(conn, [owner, found.prospect_id, *others])
    read_as = [f"reads as {mail.verdict.meaning}"] if mail.verdict else []
    await engage(
        conn,
        keys,
        prospect_id=owner,
        kind="mail",
        grade="ambiguous",
        reasons=[*mail.reading.reasons, doubt, f"matched by {found.how}", *read_as],
        message_id=found.beside.message_id if found.beside else found.message_id,
        enrollment_id=found.beside.enrollment_id if found.beside else found.enrollment_id,
        provider_event_id=event["id"],
        happened_at=min(mail.reading.date or event["received_at"], now),
        now=now,
        doubt=doubt,
    )
    if found.beside is None and mail.verdict is not None and mail.verdict.meaning == "stop":
        await stop_person(conn, prospect_id=owner, reason="opt_out", now=now)
