"""What a prospect's own page knows: who wrote what and why, and what is offered now."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from uuid import UUID

from sqlalchemy import RowMapping
from sqlalchemy.ext.asyncio import AsyncConnection

from orchestrator.errors import NotFound
from orchestrator.rules import gate
from orchestrator.rules.page_state import PageFacts, PageState, page_state
from orchestrator.rules.program import CallStep, Program, SendStep
from orchestrator.rules.wording import variables_of
from orchestrator.store import pages


@dataclass(frozen=True, slots=True)
class Letter:
    """One message that the prospect got."""

    sent_at: datetime
    channel: str
    subject: str
    text: str


@dataclass(frozen=True, slots=True)
class KnownFact:
    """A fact that a message went by."""

    value: str
    source: str | None
    found_on: date | None


@dataclass(frozen=True, slots=True)
class OpenCall:
    """The call that an unlock opened."""

    unlock_id: UUID
    minutes: int
    host_id: UUID
    host_name: str
    host_zone: str
    location: str


@dataclass(frozen=True, slots=True)
class BookedCall:
    """The live booking, or the last cancelled one."""

    id: UUID
    starts_at: datetime
    ends_at: datetime
    live: bool
    note: str


@dataclass(frozen=True, slots=True)
class Page:
    """Everything that the pages of one enrollment show."""

    enrollment_id: UUID
    prospect_id: UUID
    first_name: str
    language: str | None
    country: str | None
    zone: str | None
    company: str
    sender_name: str
    not_before: datetime | None
    state: PageState
    leads_to_call: bool  # whether a tap on "tell me more" would open a call
    call: OpenCall | None
    booking: BookedCall | None
    letters: tuple[Letter, ...] = ()
    facts: tuple[KnownFact, ...] = ()


async def view_page(
    conn: AsyncConnection, *, enrollment_id: UUID, now: datetime, with_letters: bool = False
) -> Page:
    """Load the page of an enrollment. Changes nothing.

    `with_letters` adds what was written and the facts behind it. Raises NotFound.
    """
    row = await pages.page(conn, enrollment_id)
    if row is None:
        raise NotFound("There is no such page.")
    booking = await pages.newest_booking(conn, enrollment_id) if row["unlock_id"] else None
    program = Program.model_validate(row["definition"])
    after_tap = _after_tap(row, program, now)
    letters = await pages.letters(conn, enrollment_id) if with_letters else ()
    names = _facts_of(program, [letter["step"] for letter in letters])
    facts = await pages.newest_facts(conn, row["prospect_id"], names) if names else ()
    return Page(
        enrollment_id=row["id"],
        prospect_id=row["prospect_id"],
        first_name=row["first_name"],
        language=row["language"],
        country=row["country"] or row["company_country"],
        zone=row["zone"],
        company=row["company_name"] or "",
        sender_name=row["sender_name"] or row["sender_address"],
        not_before=row["not_before"],
        state=page_state(_facts(row, booking, after_tap), now),
        leads_to_call=after_tap.call is not None,
        call=_call(row),
        booking=_booking(booking),
        letters=tuple(
            Letter(one["sent_at"], one["channel"], one["subject"], one["text"]) for one in letters
        ),
        facts=tuple(KnownFact(one["value"], one["source"], one["found_on"]) for one in facts),
    )


def _after_tap(row: RowMapping, program: Program, now: datetime) -> gate.Decision:
    """What the gate would decide about a tap on "tell me more"."""
    standing = gate.Standing(
        state=row["state"],
        step=row["step"],
        stop_reason=row["stop_reason"],
        unlocked=row["unlock_id"] is not None,
        opted_out=row["opted_out_at"] is not None,
    )
    return gate.decide(gate.Answer("tap", "human", "interested"), program, standing, now)


def _facts(row: RowMapping, booking: RowMapping | None, after_tap: gate.Decision) -> PageFacts:
    live = booking is not None and booking["state"] == "booked"
    return PageFacts(
        state=row["state"],
        stop_reason=row["stop_reason"],
        answered_at=row["answered_at"],
        opted_out_at=row["opted_out_at"],
        not_before=row["not_before"],
        unclear=row["unclear"],
        tap_moves=after_tap.action != "note",
        unlocked=row["unlock_id"] is not None,
        booking_end=booking["ends_at"] if booking is not None and live else None,
    )


def _call(row: RowMapping) -> OpenCall | None:
    if row["unlock_id"] is None:
        return None
    return OpenCall(
        row["unlock_id"],
        row["minutes"],
        row["host_id"],
        row["host_name"],
        row["host_zone"],
        row["location"],
    )


def _booking(row: RowMapping | None) -> BookedCall | None:
    if row is None:
        return None
    live = row["state"] == "booked"
    return BookedCall(row["id"], row["starts_at"], row["ends_at"], live, row["note"])


def _facts_of(program: Program, steps: Sequence[str]) -> frozenset[str]:
    """Names of the facts that the messages of these steps were made with."""
    names: set[str] = set()
    for step in program.steps:
        if step.id in steps and isinstance(step, SendStep | CallStep):
            for wording in step.wordings.values():
                names |= variables_of(wording)
            names.update(step.needs if isinstance(step, SendStep) else ())
    return frozenset(name.removeprefix("fact.") for name in names if name.startswith("fact."))
