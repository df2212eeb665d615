"""Note that something was opened, followed or looked at, with a grade that earns nothing (L1)."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import RowMapping
from sqlalchemy.ext.asyncio import AsyncConnection

from orchestrator.flows.engage import engage
from orchestrator.flows.note_evidence import note_evidence
from orchestrator.keys import Keys
from orchestrator.rules import hits, opens
from orchestrator.rules.opens import Hit, Kind, Trace, Verdict
from orchestrator.store import hits as store
from orchestrator.store import pages, standing

# Hits on one message that are kept: whoever holds a link could fill the table otherwise. The hidden
# link is heard for as long again, since what it tells is about the others.
MOST = 100


async def note_seen(
    conn: AsyncConnection,
    keys: Keys,
    *,
    kind: Kind,
    subject: UUID,
    hit: Hit,
    now: datetime,
    place: str = "",
) -> Verdict | None:
    """Store the provider event and its engagement: the first of a minute, fetcher and grade is
    kept. What it tells of earlier hits on the message becomes a new verdict on them.

    `subject` is the message of an open or a trap, the link of a click, the enrollment of a
    page_view; `place` the network that the hit came from (rules.networks.neighbourhood), of which
    only a hash is kept. None when nothing was noted: known already, no such subject, or somebody
    who has opted out and is not followed any more.
    """
    found = await _facts(conn, kind, subject)
    if found is None or found["opted_out_at"] is not None:
        return None
    hit = replace(hit, fetcher=keys.fetcher(found["message_id"] or subject, place, hit.user_agent))
    if kind == "page_view":
        verdict = opens.judge_view(hit)
        event = await _store(conn, kind, subject, hit, found, verdict, now)
        if event is None:
            return None
        return await _engage(conn, keys, kind, found, verdict, event, now)
    # Two links of one scan come at once: each has to see the other.
    await standing.lock_prospects(conn, [found["prospect_id"]])
    before = await store.of_message(conn, found["message_id"])
    if len(before) >= (2 * MOST if kind == "trap" else MOST):
        return None
    traces = [*(trace_of(row) for row in before), Trace(kind, _link(kind, subject), now, hit)]
    *earlier, verdict = opens.judge_message(traces, handed_at=found["handed_at"])
    event = await _store(conn, kind, subject, hit, found, verdict, now)
    if event is None:
        return None
    await _engage(conn, keys, kind, found, verdict, event, now)
    # A machine's look proves as well that the message has arrived.
    await note_evidence(conn, found["message_id"], f"{verdict.grade} {kind}", now)
    await _revise(conn, keys, found, before, earlier, now)
    return verdict


def trace_of(row: RowMapping) -> Trace:
    """A stored hit as the rules take it."""
    link = _link(row["kind"], row["detail"].get("link", ""))
    return Trace(row["kind"], link, row["received_at"], hits.decode(bytes(row["raw"])))


def _link(kind: Kind, subject: object) -> str:
    return str(subject) if kind == "click" else ""


async def _revise(
    conn: AsyncConnection,
    keys: Keys,
    found: Mapping[str, Any],
    before: Sequence[RowMapping],
    verdicts: Sequence[Verdict],
    now: datetime,
) -> None:
    """A scanner's first link looked like a person's until its second. Later evidence takes away and
    gives nothing back: that takes a person, or `reread`."""
    for row, verdict in zip(before, verdicts, strict=True):
        if row["grade"] == "ambiguous" and verdict.grade == "machine":
            await _engage(
                *(conn, keys, row["kind"], found, verdict, row["id"], now),
                happened_at=row["received_at"],
                revises=row["engagement"],
            )


async def _engage(
    conn: AsyncConnection,
    keys: Keys,
    kind: Kind,
    found: Mapping[str, Any],
    verdict: Verdict,
    event: UUID,
    now: datetime,
    *,
    happened_at: datetime | None = None,
    revises: UUID | None = None,
) -> Verdict:
    await engage(
        conn,
        keys,
        prospect_id=found["prospect_id"],
        enrollment_id=found["enrollment_id"],
        message_id=found["message_id"],
        kind=kind,
        grade=verdict.grade,
        reasons=verdict.reasons,
        provider_event_id=event,
        happened_at=happened_at or now,
        now=now,
        revises=revises,
    )
    return verdict


async def _store(
    conn: AsyncConnection,
    kind: Kind,
    subject: UUID,
    hit: Hit,
    found: Mapping[str, Any],
    verdict: Verdict,
    now: datetime,
) -> UUID | None:
    """The provider event, once a minute, fetcher and grade."""
    minute = int(now.timestamp()) // 60
    return await pages.add_event(
        conn,
        source="page" if kind == "page_view" else "track",
        external_id=f"{kind}:{subject}:{minute}:{verdict.grade}:{hit.fetcher}",
        kind=kind,
        raw=hits.encode(hit),
        detail={"link": str(subject)} if kind == "click" else {},
        prospect_id=found["prospect_id"],
        message_id=found["message_id"],
        now=now,
    )


async def _facts(conn: AsyncConnection, kind: Kind, subject: UUID) -> Mapping[str, Any] | None:
    if kind == "page_view":
        row = await pages.page(conn, subject)
        return None if row is None else {**row, "enrollment_id": subject, "message_id": None}
    message_id: UUID | None = subject
    if kind == "click":
        link = await pages.link(conn, subject)
        message_id = link["message_id"] if link else None
    row = await pages.message(conn, message_id) if message_id else None
    return None if row is None else dict(row)
