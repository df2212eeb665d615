"""Explain one engagement: what was seen, what decided, what it led to and what revised it."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import RowMapping
from sqlalchemy.ext.asyncio import AsyncConnection

from orchestrator.errors import NotFound
from orchestrator.rules import hits, mail_reading, told
from orchestrator.store import rereading as store

# Of what a reading or a hit says: what one asks for first.
_OF_MAIL = ("kind", "sender", "subject", "message_id", "text", "status")


@dataclass(frozen=True, slots=True)
class Verdict:
    """One row of engagements. `stands`: no later one revises it."""

    id: UUID
    recorded_at: datetime
    kind: str
    grade: str
    meaning: str | None
    reasons: list[str]
    because: list[str]
    revises: UUID | None
    stands: bool


@dataclass(frozen=True, slots=True)
class Explanation:
    """Everything about one engagement. `seen` is what came, None for what came by no event;
    `verdicts` is this one among those that it revises and that revise it, oldest first."""

    asked: UUID
    prospect_id: UUID
    message_id: UUID | None
    enrollment_id: UUID | None
    happened_at: datetime
    seen: dict[str, Any] | None
    verdicts: list[Verdict]
    led_to: list[dict[str, Any]]
    unlock: dict[str, Any] | None
    tasks: list[dict[str, Any]]


async def explain_engagement(conn: AsyncConnection, engagement_id: UUID) -> Explanation:
    """The explanation of this engagement. Raises NotFound."""
    chain = await store.chain(conn, engagement_id)
    if not chain:
        raise NotFound("There is no such engagement.")
    row = next(one for one in chain if one["id"] == engagement_id)
    ids = [one["id"] for one in chain]
    origin = next((one for one in chain if one["provider_event_id"]), None)
    event = await store.event(conn, origin["provider_event_id"], lock=False) if origin else None
    unlock = await store.opened_by(conn, ids)
    return Explanation(
        asked=engagement_id,
        prospect_id=row["prospect_id"],
        message_id=row["message_id"],
        enrollment_id=row["enrollment_id"],
        happened_at=row["happened_at"],
        seen=_seen(event) if event is not None else None,
        verdicts=[_verdict(one, {later["revises"] for later in chain}) for one in chain],
        led_to=[
            {"at": one["at"], "kind": one["kind"], **_plain(one["detail"])}
            for one in await store.led_to(conn, ids)
        ],
        unlock=_of(unlock, "id", "engagement_id", "enrollment_id", "created_at", "booked"),
        tasks=[
            _of(one, "id", "kind", "title", "state", "outcome") or {}
            for one in await store.tasks_about(conn, ids)
        ],
    )


def _verdict(row: RowMapping, revised: set[UUID | None]) -> Verdict:
    return Verdict(
        **{name: row[name] for name in ("id", "recorded_at", "kind", "grade", "meaning")},
        reasons=list(row["reasons"]),
        because=told.in_words(row["reasons"]),
        revises=row["revises"],
        stands=row["id"] not in revised,
    )


def _seen(event: RowMapping) -> dict[str, Any]:
    """What came, as its reader takes it apart."""
    seen: dict[str, Any] = {name: event[name] for name in ("id", "source", "kind", "received_at")}
    raw = bytes(event["raw"])
    if event["kind"] == "mail":
        reading = mail_reading.read(raw)
        return seen | {name: getattr(reading, name) for name in _OF_MAIL}
    if event["source"] in ("track", "page"):
        hit = hits.decode(raw)
        named = {name: getattr(hit, name) for name in hit.__slots__}
        return seen | named | {"networks": sorted(hit.networks)} | dict(event["detail"])
    return seen | dict(event["detail"])


def _plain(detail: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in detail.items() if name not in ("at", "kind")}


def _of(row: RowMapping | None, *names: str) -> dict[str, Any] | None:
    return {name: row[name] for name in names} if row is not None else None
