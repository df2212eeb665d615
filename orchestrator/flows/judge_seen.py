"""Judge what was opened, followed or looked at, with a grade that earns nothing (L1)."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

import structlog
from sqlalchemy import RowMapping
from sqlalchemy.ext.asyncio import AsyncConnection

from orchestrator.db import is_passing, transaction
from orchestrator.flows.engage import engage
from orchestrator.flows.note_evidence import note_evidence
from orchestrator.keys import Keys
from orchestrator.rules import hits, opens
from orchestrator.rules.opens import Kind, Trace, Verdict
from orchestrator.store import hits as store
from orchestrator.store import inbox, pages, sightings, standing
from orchestrator.wiring import App

log = structlog.get_logger()

Event = RowMapping | Mapping[str, Any]  # a row of provider_events

BATCH = 50
ATTEMPTS = 5


async def judge_seen(app: App, _now: datetime) -> int:
    """Judge up to a batch of hits, a transaction each, beside any number of others (SKIP LOCKED).
    Returns how many were: zero means that there is nothing more to do now."""
    done = 0
    tried: list[UUID] = []
    while len(tried) < BATCH:
        async with transaction(app.engine) as conn:
            event = await sightings.claim(conn, without=tried)
            if event is None:
                break
            tried.append(event["id"])
            try:
                async with conn.begin_nested():
                    await judge_hit(conn, app.keys, event)
                done += 1
            except Exception as error:
                if is_passing(error):  # costs no attempt
                    raise
                await _failed(conn, event, error)
    return done


async def _failed(conn: AsyncConnection, event: RowMapping, error: Exception) -> None:
    said = f"{type(error).__name__}: {error}"
    row = await inbox.note_failure(conn, event["id"], error=said, most=ATTEMPTS)
    log.warning("seen.failed", event_id=str(event["id"]), state=row["state"], error=said[:80])


async def judge_hit(conn: AsyncConnection, keys: Keys, event: Event) -> Verdict | None:
    """Append the engagement of one stored hit. What it tells of earlier hits on the message becomes
    a new verdict on them. None for somebody who has opted out meanwhile."""
    now: datetime = event["received_at"]
    settled = {"state": "handled", "now": now, "prospect_id": event["prospect_id"]}
    await inbox.settle(conn, event["id"], message_id=event["message_id"], **settled)
    # Two links of one scan come at once: each has to see the other.
    person = (await standing.lock_prospects(conn, [event["prospect_id"]]))[event["prospect_id"]]
    if person["opted_out_at"] is not None:
        return None
    if event["kind"] == "page_view":
        verdict = opens.judge_view(hits.decode(bytes(event["raw"])))
        enrollment = UUID(event["detail"]["enrollment"])
        await _engage(conn, keys, event, verdict, enrollment)
        return verdict
    found = await pages.message(conn, event["message_id"])
    assert found is not None  # its message, by the foreign key
    before = await store.of_message(conn, event["message_id"])
    verdicts = opens.judge_message([trace_of(row) for row in before], handed_at=found["handed_at"])
    verdict = next(v for row, v in zip(before, verdicts, strict=True) if row["id"] == event["id"])
    await _engage(conn, keys, event, verdict, found["enrollment_id"])
    # A machine's look proves as well that the message has arrived.
    said = f"{verdict.grade} {event['kind']}"
    await note_evidence(conn, event["message_id"], said, now)
    await _revise(conn, keys, event, found["enrollment_id"], before, verdicts)
    log.info("seen", kind=event["kind"], event_id=str(event["id"]), grade=verdict.grade)
    return verdict


def trace_of(row: RowMapping) -> Trace:
    """A stored hit as the rules take it."""
    kind: Kind = row["kind"]
    link = row["detail"].get("link", "") if kind == "click" else ""
    return Trace(kind, link, row["received_at"], hits.decode(bytes(row["raw"])))


async def _revise(
    conn: AsyncConnection,
    keys: Keys,
    event: Event,
    enrollment: UUID,
    before: Sequence[RowMapping],
    verdicts: Sequence[Verdict],
) -> None:
    """A scanner's first link looked like a person's until its second. Later evidence takes away and
    gives nothing back: that takes a person, or `reread`."""
    for row, verdict in zip(before, verdicts, strict=True):
        if row["grade"] == "ambiguous" and verdict.grade == "machine":
            about = {**row, "prospect_id": event["prospect_id"]}
            await _engage(conn, keys, about, verdict, enrollment, revises=row["engagement"])


async def _engage(
    conn: AsyncConnection,
    keys: Keys,
    event: Event,
    verdict: Verdict,
    enrollment: UUID,
    *,
    revises: UUID | None = None,
) -> None:
    await engage(
        conn,
        keys,
        prospect_id=event["prospect_id"],
        enrollment_id=enrollment,
        message_id=event["message_id"],
        kind=event["kind"],
        grade=verdict.grade,
        reasons=verdict.reasons,
        provider_event_id=event["id"],
        happened_at=event["received_at"],
        now=event["received_at"],
        revises=revises,
    )
