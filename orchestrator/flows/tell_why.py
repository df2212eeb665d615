"""Tell the story of one prospect: what happened and why, what holds now, what comes next (L7)."""

from dataclasses import dataclass, fields
from datetime import datetime
from uuid import UUID
from zoneinfo import ZoneInfo

from sqlalchemy import RowMapping
from sqlalchemy.ext.asyncio import AsyncConnection

from orchestrator.errors import BadInput, NotFound
from orchestrator.rules import why, why_next
from orchestrator.rules.context import PersonFacts
from orchestrator.rules.window import Window, next_common_opening
from orchestrator.rules.zones import plausible_zones
from orchestrator.store import people, sequences
from orchestrator.store import why as store

_CANDIDATES = 10


@dataclass(frozen=True, slots=True)
class Story:
    """The lines about one prospect: `past` oldest first, `now`, and `next` for each sequence."""

    prospect_id: UUID
    name: str
    zone: str | None
    past: list[why.Line]
    now: list[why.Line]
    next: list[why.Line]


async def tell_why(conn: AsyncConnection, *, person: str | UUID, now: datetime) -> Story:
    """The story of the prospect with this id, address or part of a name.

    Raises NotFound, and BadInput with the candidates when several people fit.
    """
    found = await _find(conn, person)
    known = (await people.people_for_context(conn, [found["id"]]))[found["id"]]
    rows = await store.happened(conn, known.id)
    past = [why.tell(_happened(row), known.zone) for row in rows]
    standings = [
        await _standing(conn, row, known, now) for row in await store.standings(conn, known.id)
    ]
    about = why_next.Person(known.zone, known.opted_out_at, known.paused_at, known.not_before)
    current, following = why_next.everything_next(standings, about, now)
    return Story(known.id, known.name or str(known.id), known.zone, past, current, following)


async def _find(conn: AsyncConnection, person: str | UUID) -> RowMapping:
    wanted = str(person).strip()
    if not wanted:
        raise BadInput("say who: an id, an address, or a part of a name")
    try:
        person_id = UUID(wanted)
    except ValueError:
        person_id = None
    found = await store.find_people(conn, wanted, person_id=person_id, most=_CANDIDATES + 1)
    if not found:
        raise NotFound(
            f"there is no prospect like `{wanted}`: an id, an address, or part of a name"
        )
    if len(found) > 1:
        listed = ", ".join(
            f"{row['name'] or '(no name)'}, {row['company'] or 'no company'} ({row['id']})"
            for row in found[:_CANDIDATES]
        )
        more = " and more" if len(found) > _CANDIDATES else ""
        raise BadInput(f"several people fit; say which by id: {listed}{more}")
    return found[0]


_FIELDS = tuple(one.name for one in fields(why.Happened))


def _happened(row: dict[str, object]) -> why.Happened:
    return why.Happened(**{name: row[name] for name in _FIELDS})  # type: ignore[arg-type]  # a row


async def _standing(
    conn: AsyncConnection, row: RowMapping, person: PersonFacts, now: datetime
) -> why_next.Standing:
    program = await sequences.load_program(conn, row["version_id"])
    today = now.astimezone(ZoneInfo(row["sender_zone"])).date()
    pace = why_next.Pace(
        name=row["sender"],
        paused=(row["pause_reason"] or "by hand") if row["paused_at"] else None,
        parked_until=row["parked_until"],
        park_reason=row["park_reason"],
        free_at=row["free_at"],
        capped=row["day"] == today and row["used"] >= row["daily_cap"],
        daily_cap=row["daily_cap"],
    )
    message = None
    if row["message_state"] is not None:
        message = why_next.Waiting(
            row["message_state"], row["message_due"], row["attempt"], row["last_detail"]
        )
    return why_next.Standing(
        sequence=row["sequence"],
        version=row["version"],
        sequence_state=row["sequence_state"],
        program=program,
        state=row["state"],
        step=row["step"],
        pace=pace,
        due_at=row["due_at"],
        stop_reason=row["stop_reason"],
        ended_at=row["ended_at"],
        message=message,
        tasks=tuple(row["tasks"]),
        earliest=_earliest(row, person, program.window, now),
        unlocked_at=row["unlocked_at"],
        unlocked_by=row["unlocked_by"],
        call_at=row["call_at"],
    )


def _earliest(
    row: RowMapping, person: PersonFacts, window: Window, now: datetime
) -> datetime | None:
    """The first instant at which the message may leave as far as it is known now."""
    instants = (row["message_due"], row["free_at"], row["parked_until"], person.not_before)
    start = max([now, *(instant for instant in instants if instant is not None)])
    email = person.identity("email")
    zones = plausible_zones(
        zone=person.zone,
        country=person.country,
        phone=person.phone,
        address=email.address if email else None,
        language=person.language,
    )
    hours = Window.model_validate(row["hours"])
    sender = (hours, frozenset({row["sender_zone"]}), None)
    return next_common_opening([(window, zones, person.country), sender], start)
