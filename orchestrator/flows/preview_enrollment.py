"""The dry run of enrolling: who would get what and when, who is held back, and the load."""

from collections import Counter, defaultdict
from dataclasses import dataclass, field
from datetime import date, datetime
from uuid import UUID
from zoneinfo import ZoneInfo

from sqlalchemy.ext.asyncio import AsyncConnection

from orchestrator.db import transaction
from orchestrator.flows.enroll import SHOWN, Held, add_counts
from orchestrator.flows.enrolling import (
    Chosen,
    Enrolling,
    Selection,
    batches,
    consider,
    context_of,
    prepare,
)
from orchestrator.flows.planning import zones_of
from orchestrator.render import CannotRender, MissingValues, render_wording
from orchestrator.rules.context import PersonFacts
from orchestrator.rules.enrolling import HeldBack, first_message
from orchestrator.rules.forecast import Pace, Reader, forecast
from orchestrator.rules.wording import choose
from orchestrator.store import enrolling as store
from orchestrator.store.people import people_for_context
from orchestrator.wiring import App


@dataclass(frozen=True, slots=True)
class FirstMessage:
    """What somebody would get first. `leaves_at` None: not within the forecast's horizon, or it
    waits for what is `missing`."""

    prospect_id: UUID
    name: str
    company: str
    address: str
    sender: str
    language: str
    zone: str | None
    leaves_at: datetime | None
    missing: tuple[str, ...]
    subject: str = ""
    text: str = ""
    fault: str = ""  # why it cannot be rendered


@dataclass(slots=True)
class Preview:
    """What enrolling now would do; nothing was written."""

    sequence: str
    version: int
    considered: int = 0
    would_enroll: int = 0
    later: int = 0  # would leave after the forecast's horizon
    waiting: dict[str, int] = field(default_factory=dict)
    held: dict[str, int] = field(default_factory=dict)
    held_people: list[Held] = field(default_factory=list)
    load: dict[str, dict[date, int]] = field(default_factory=dict)  # sender -> day -> messages
    messages: list[FirstMessage] = field(default_factory=list)  # the first `show`


@dataclass(frozen=True, slots=True)
class _Kept:
    """What is kept of everybody, so that 100,000 people fit: no texts, no facts."""

    id: UUID
    sender_id: UUID
    reader: Reader
    missing: tuple[str, ...]


async def preview_enrollment(
    app: App,
    *,
    sequence: str,
    selection: Selection,
    now: datetime,
    sender: str | None = None,
    not_before: datetime | None = None,
    limit: int | None = None,
    show: int = 10,
) -> Preview:
    """What `enroll` with the same arguments would do. Writes nothing, locks nothing.

    The forecast plays windows, caps and gaps of the first messages, after what is planned already.
    """
    async with transaction(app.engine) as conn:
        at = await prepare(
            conn, app, sequence=sequence, sender=sender, now=now, not_before=not_before
        )
        planned = await store.planned_of(conn, list(at.pool.rows))
    preview = Preview(sequence, at.version.number)
    kept: list[_Kept] = []
    async for ids in batches(app, selection):
        async with transaction(app.engine) as conn:
            considered = await consider(conn, at, ids)
        for person, who in considered:
            if limit is not None and len(kept) >= limit:
                break
            _take(preview, kept, person, who)
        if limit is not None and len(kept) >= limit:
            break
    leaving = _forecast(at, preview, kept, planned)
    async with transaction(app.engine) as conn:
        preview.messages = await _render(conn, at, kept[:show], leaving)
    return preview


def _take(preview: Preview, kept: list[_Kept], person: PersonFacts, who: Chosen | HeldBack) -> None:
    preview.considered += 1
    if isinstance(who, Chosen):
        preview.would_enroll += 1
        add_counts(preview.waiting, who.missing)
        reader = Reader(zones_of(person), person.country, who.due_at)
        kept.append(_Kept(person.id, who.sender_id, reader, who.missing))
        return
    add_counts(preview.held, [who.reason])
    if len(preview.held_people) < SHOWN:
        preview.held_people.append(Held(person.id, who.reason, who.why()))


def _forecast(
    at: Enrolling,
    preview: Preview,
    kept: list[_Kept],
    planned: dict[UUID, dict[date, int]],
) -> dict[UUID, datetime | None]:
    """When each first message leaves, by prospect; and the load, into the preview."""
    leaving: dict[UUID, datetime | None] = {}
    for sender_id, row in at.pool.rows.items():
        mine = [one for one in kept if one.sender_id == sender_id and not one.missing]
        if not mine:
            continue
        booked = Counter(planned.get(sender_id, {}))
        if row["day"] is not None:
            booked[row["day"]] += row["used"]
        pace = Pace(
            row["zone"], at.pool.hours[sender_id], row["daily_cap"],
            row["gap_seconds"] + row["gap_jitter_seconds"] / 2, booked,
        )  # fmt: skip
        instants = forecast([one.reader for one in mine], pace, at.program.window, at.now)
        days: defaultdict[date, int] = defaultdict(int)
        for one, instant in zip(mine, instants, strict=True):
            leaving[one.id] = instant
            if instant is None:
                preview.later += 1
            else:
                days[instant.astimezone(ZoneInfo(row["zone"])).date()] += 1
        preview.load[row["name"]] = dict(sorted(days.items()))
    return leaving


async def _render(
    conn: AsyncConnection,
    at: Enrolling,
    kept: list[_Kept],
    leaving: dict[UUID, datetime | None],
) -> list[FirstMessage]:
    persons = await people_for_context(conn, [one.id for one in kept])
    return [
        _first(at, persons[one.id], one, leaving.get(one.id)) for one in kept if one.id in persons
    ]


def _first(
    at: Enrolling, person: PersonFacts, one: _Kept, leaves_at: datetime | None
) -> FirstMessage:
    row, step = at.pool.rows[one.sender_id], first_message(at.program)
    identity = person.identity(row["channel"])
    language, subject, text, fault = person.language or at.program.language, "", "", ""
    if step is not None:
        language, wording = choose(step.wordings, person.language, at.program.language)
        try:
            rendered = render_wording(wording, context_of(at, person, one.sender_id), step.needs)
            subject, text = rendered.subject, rendered.text
        except (MissingValues, CannotRender) as error:
            fault = str(error)
    return FirstMessage(
        one.id, person.name, person.company.name if person.company else "",
        identity.address if identity else "", row["name"], language, person.zone, leaves_at,
        one.missing, subject, text, fault,
    )  # fmt: skip
