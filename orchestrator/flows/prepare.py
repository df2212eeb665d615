"""Freeze claimed messages: choose the wording, render, add footer and tracking, fix the bytes."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from hashlib import sha256
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from sqlalchemy.ext.asyncio import AsyncConnection

from channels.base import Account, Channel, Draft, Inviting, OutboundMessage
from channels.crash_points import point
from orchestrator.config import Settings
from orchestrator.ids import uuid7
from orchestrator.keys import Keys
from orchestrator.render import CannotRender, MissingValues, render_wording
from orchestrator.rules.compose import (
    Addressed,
    compose,
    invitation,
    request_draft,
    subject_of,
    thread_of,
)
from orchestrator.rules.context import PersonFacts, template_context
from orchestrator.rules.footer import footer
from orchestrator.rules.invitation import BookingValues
from orchestrator.rules.outgoing import (
    MessageRow,
    Missing,
    Outgoing,
    Prepared,
    Unsendable,
    own_step,
)
from orchestrator.rules.program import CallStep, Program, SendStep, Wording
from orchestrator.rules.tracking import wanted
from orchestrator.rules.wording import choose
from orchestrator.store import bookings, connections, frozen, people, senders, sequences


@dataclass(frozen=True, slots=True)
class Parts:
    """What `prepare` takes from the process: `Parts(app.settings, app.keys, app.channels)`."""

    settings: Settings
    keys: Keys
    channels: Mapping[str, Channel]


@dataclass(frozen=True, slots=True)
class _Known:
    """All that a batch needs to know, read in a fixed number of queries."""

    programs: Mapping[UUID, Program]  # by enrollment
    people: Mapping[UUID, PersonFacts]
    accounts: Mapping[UUID, Account]
    zones: Mapping[UUID, ZoneInfo]  # of the senders
    before: Mapping[UUID, Sequence[Mapping[str, Any]]]  # by enrollment, oldest first
    bookings: Mapping[UUID, BookingValues]
    notes_left: dict[UUID, int]  # by sender, where the network counts notes; this batch takes them


@dataclass(slots=True)
class _Links:
    """The followed links of one message: one address, one link."""

    message_id: UUID
    keys: Keys
    base_url: str
    by_url: dict[str, UUID] = field(default_factory=dict)

    def token_url(self, url: str) -> str:
        """The address that stands in the message instead of `url`."""
        link = self.by_url.setdefault(url, uuid7())
        return f"{self.base_url}/c/{self.keys.token('click', link)}"

    def rows(self) -> list[dict[str, Any]]:
        return [
            {"id": link, "message_id": self.message_id, "url": url}
            for url, link in self.by_url.items()
        ]


async def prepare(
    conn: AsyncConnection, parts: Parts, rows: Sequence[MessageRow], now: datetime
) -> dict[UUID, Outgoing]:
    """What is to be transmitted for each claimed message, by message id.

    A message that is frozen already comes back as it was stored. The number of queries does not
    depend on the number of messages. Writes `frozen` and `links`; no network.
    """
    if not rows:
        return {}
    found: dict[UUID, Outgoing] = dict(await _stored(conn, [row.id for row in rows]))
    todo = [row for row in rows if row.id not in found]
    if not todo:
        return found
    known = await _read(conn, parts, todo)
    frozen_rows: list[dict[str, Any]] = []
    links: list[dict[str, Any]] = []
    for row in todo:
        kept = _Links(row.id, parts.keys, parts.settings.base_url)
        draft = _draft(parts, known, row, kept, now)
        made = _freeze(parts, known, row, draft, now) if isinstance(draft, Draft) else draft
        if isinstance(made, Missing | Unsendable):
            found[row.id] = made
            continue
        frozen_rows.append(made)
        links.extend(kept.rows())
    new = await frozen.save(conn, frozen_rows)
    await frozen.save_links(conn, [link for link in links if link["message_id"] in new])
    if frozen_rows:
        point("prepare.after_freeze")
        found |= await _stored(conn, [one["message_id"] for one in frozen_rows])
    return found


async def _stored(conn: AsyncConnection, ids: Sequence[UUID]) -> dict[UUID, Prepared]:
    return {
        message_id: Prepared(
            OutboundMessage(message_id, row["recipient"], row["payload"], str(message_id)),
            row["frozen_at"],
        )
        for message_id, row in (await frozen.load(conn, ids)).items()
    }


async def _read(conn: AsyncConnection, parts: Parts, rows: Sequence[MessageRow]) -> _Known:
    enrolled = {row.enrollment_id for row in rows}
    versions = await frozen.versions(conn, enrolled)
    programs = {
        version: await sequences.load_program(conn, version) for version in set(versions.values())
    }
    accounts = await senders.of_ids(conn, {row.sender_id for row in rows})
    # One by one: a batch holds few invitations, and outreach has none.
    booked = {
        one: values
        for one in {row.booking_id for row in rows if row.booking_id is not None}
        if (values := await bookings.booking_values(conn, one)) is not None
    }
    return _Known(
        bookings=booked,
        programs={one: programs[version] for one, version in versions.items()},
        people=await people.people_for_context(conn, list({row.prospect_id for row in rows})),
        accounts={one: senders.account_of(row, parts.keys) for one, row in accounts.items()},
        zones={one: ZoneInfo(row["zone"]) for one, row in accounts.items()},
        before=await frozen.threads(conn, enrolled),
        notes_left=await _notes_left(conn, parts, rows),
    )


async def _notes_left(
    conn: AsyncConnection, parts: Parts, rows: Sequence[MessageRow]
) -> dict[UUID, int]:
    """How many notes each sender of an invitation may still write this month."""
    left: dict[UUID, int] = {}
    for sender_id, name in {(row.sender_id, row.channel) for row in rows if row.kind == "request"}:
        channel = parts.channels[name]
        if not isinstance(channel, Inviting):
            continue
        pace = channel.request_pace(await senders.load_account(conn, parts.keys, sender_id))
        if pace.notes_monthly is not None:
            used = await connections.recent_notes(conn, sender_id)
            left[sender_id] = max(0, pace.notes_monthly - used)
    return left


def _draft(
    parts: Parts, known: _Known, row: MessageRow, links: _Links, now: datetime
) -> Draft | Missing | Unsendable:
    try:
        if row.kind in ("invitation", "host_invitation"):
            return _invitation(parts, known, row, now)
        return _outreach(parts, known, row, links, now)
    except MissingValues as error:
        return Missing(error.names)
    except (CannotRender, ValueError, KeyError) as error:
        return Unsendable(f"This message cannot be written: {error}")


def _outreach(
    parts: Parts, known: _Known, row: MessageRow, links: _Links, now: datetime
) -> Draft | Unsendable:
    program, person = known.programs[row.enrollment_id], known.people[row.prospect_id]
    account, channel = known.accounts[row.sender_id], parts.channels[row.channel]
    step = program.step(own_step(row.kind, row.step))
    if not isinstance(step, SendStep | CallStep):
        return Unsendable(f"The step `{row.step}` sends nothing.")
    language, wording = choose(step.wordings, person.language, program.language)
    to = _addressed(parts, known, row, person, language, now)
    page_url = f"{to.own}/p/{parts.keys.token('page', row.enrollment_id)}"
    organisation = parts.settings.organisation
    context = template_context(
        person, person.company, person.facts, account, organisation, page_url
    )
    if row.kind == "request":
        note = _note(known, row, wording, context)
        return request_draft(row, note=note, to=to, page_url=page_url)
    made = render_wording(wording, context, step.needs if isinstance(step, SendStep) else ())
    thread = thread_of(row, known.before.get(row.enrollment_id, ()))
    subject = subject_of(made.subject, thread)
    if channel.capabilities.subject and not subject:
        return Unsendable(f"The step `{row.step}` has no subject and no thread to take one from.")
    country = person.country or (person.company.country if person.company else None)
    return compose(
        row,
        subject=subject,
        text=made.text,
        html=made.html,
        footer=footer(
            language,
            sender_name=account.display_name or account.name,
            organisation=organisation,
            postal_address=parts.settings.postal_address,
            company=person.company.name if person.company else None,
            about=program.about,
            answered=row.kind == "call_offer",
            page_url=page_url,
            unsubscribe_url=to.unsubscribe_url,
        ),
        thread=thread,
        to=to,
        followed=wanted(program.tracking, account.settings, country),
        token_url=links.token_url,
        can=channel.capabilities,
        page_url=page_url,
    )


def _note(known: _Known, row: MessageRow, wording: Wording, context: Mapping[str, Any]) -> str:
    """What the invitation says: nothing where this month's notes are used up."""
    left = known.notes_left.get(row.sender_id)
    if not wording.note or left == 0:
        return ""
    if left is not None:
        known.notes_left[row.sender_id] = left - 1
    return render_wording(Wording(text=wording.note), context).text


def _invitation(parts: Parts, known: _Known, row: MessageRow, now: datetime) -> Draft | Unsendable:
    booking = known.bookings.get(row.booking_id) if row.booking_id else None
    if booking is None:
        return Unsendable("The booking that it is about is gone.")
    recipient = booking.host_email
    if row.kind == "invitation":
        recipient = _address(known.people[row.prospect_id], row)
    return invitation(
        row,
        booking=booking,
        thread=thread_of(row, known.before.get(row.enrollment_id, ())),
        recipient=parts.channels[row.channel].canonical(recipient),
        date=now.astimezone(known.zones[row.sender_id]),
        page_url=f"{parts.settings.base_url}/p/{parts.keys.token('page', row.enrollment_id)}",
        reply_token=parts.keys.mail_token(row.id),
    )


def _address(person: PersonFacts, row: MessageRow) -> str:
    """Raises ValueError when the message names an address that is not this person's any more."""
    address = next((one.address for one in person.identities if one.id == row.identity_id), None)
    if address is None:
        raise ValueError("the address that it was planned for is gone")
    return address


def _addressed(
    parts: Parts,
    known: _Known,
    row: MessageRow,
    person: PersonFacts,
    language: str,
    now: datetime,
) -> Addressed:
    own = parts.settings.base_url
    return Addressed(
        recipient=_address(person, row),
        recipient_name=person.name,
        date=now.astimezone(known.zones[row.sender_id]),
        language=language,
        own=own,
        unsubscribe_url=f"{own}/u/{parts.keys.token('unsubscribe', row.id)}",
        pixel_url=f"{own}/o/{parts.keys.token('open', row.id)}.gif",
        trap_url=f"{own}/t/{parts.keys.token('trap', row.id)}",
        reply_token=parts.keys.mail_token(row.id),
    )


def _freeze(
    parts: Parts, known: _Known, row: MessageRow, draft: Draft, now: datetime
) -> dict[str, Any] | Unsendable:
    """The row of `frozen`."""
    channel = parts.channels[row.channel]
    longest = channel.capabilities.max_length
    if draft.request and isinstance(channel, Inviting):
        longest = channel.request_limit(known.accounts[row.sender_id])
        if longest == 0:  # the provider words the invitation itself, and the note stays here
            draft = replace(draft, text="")
    if longest is not None and len(draft.text) > longest:
        return Unsendable(f"{len(draft.text)} characters: {channel.name} takes {longest}.")
    try:
        payload = channel.freeze(known.accounts[row.sender_id], draft)
    except ValueError as error:
        return Unsendable(f"This message cannot be put into {channel.name}: {error}")
    return {
        "message_id": row.id,
        "recipient": draft.recipient,
        "subject": draft.subject,
        "text": draft.text,
        "payload": payload,
        "sha256": sha256(payload).digest(),
        "frozen_at": now,
    }
