"""Note that something was opened, followed or looked at, with a grade that earns nothing (L1)."""

import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Literal
from uuid import UUID

from sqlalchemy import RowMapping
from sqlalchemy.ext.asyncio import AsyncConnection

from orchestrator.flows.engage import engage
from orchestrator.keys import Keys
from orchestrator.rules import opens
from orchestrator.rules.opens import Hit, Verdict
from orchestrator.store import pages

Kind = Literal["open", "click", "page_view"]


async def note_seen(
    conn: AsyncConnection,
    keys: Keys,
    *,
    kind: Kind,
    subject: UUID,
    hit: Hit,
    now: datetime,
) -> Verdict | None:
    """Store the provider event and its engagement: the first of a minute and grade is kept.

    `subject` is the message of an open, the link of a click, the enrollment of a page_view. None
    when nothing was noted: known already, no such subject, or somebody who has opted out and is
    not followed any more.
    """
    found = await _facts(conn, kind, subject)
    if found is None or found["opted_out_at"] is not None:
        return None
    others: Sequence[RowMapping] = ()
    if kind == "click":
        since = now - opens.TOO_FAST
        others = await pages.other_clicks(conn, found["message_id"], link_id=subject, since=since)
    verdict = _judge(kind, hit, found, len(others), now)
    event = await _store(conn, kind, subject, hit, found, verdict, now)
    if event is None:
        return None
    about: dict[str, Any] = {
        "prospect_id": found["prospect_id"],
        "enrollment_id": found["enrollment_id"],
        "message_id": found["message_id"],
        "kind": kind,
        "grade": verdict.grade,
        "now": now,
    }
    await engage(
        conn, keys, reasons=verdict.reasons, provider_event_id=event, happened_at=now, **about
    )
    for other in others:  # a scanner's first link looked like a person until its second
        if other["grade"] == "ambiguous":
            await engage(
                conn,
                keys,
                reasons=("several_links_at_once",),
                happened_at=other["happened_at"],
                revises=other["id"],
                **about,
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
    """The provider event, once a minute and grade."""
    return await pages.add_event(
        conn,
        source="page" if kind == "page_view" else "track",
        external_id=f"{kind}:{subject}:{int(now.timestamp()) // 60}:{verdict.grade}",
        kind=kind,
        raw=json.dumps({"method": hit.method, "user_agent": hit.user_agent}).encode(),
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


def _judge(kind: Kind, hit: Hit, found: Mapping[str, Any], others: int, now: datetime) -> Verdict:
    match kind:
        case "open":
            return opens.judge_open(hit, handed_at=found["handed_at"], now=now)
        case "click":
            return opens.judge_click(
                hit, handed_at=found["handed_at"], other_links_just_now=others, now=now
            )
        case "page_view":
            return opens.judge_view(hit)
