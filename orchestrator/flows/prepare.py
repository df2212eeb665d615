"""Freeze claimed messages: choose the wording, render, add footer and tracking, fix the bytes.

All of a batch is read, then written, then put into bytes, then stored: 7 statements or fewer
whatever its size (`docs/performance.md` has what each part takes).
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from hashlib import sha256
from time import perf_counter
from typing import Any
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection

from channels.base import Draft, Inviting, OutboundMessage
from channels.crash_points import point
from orchestrator.flows.preparing import Known, Parts, Saying, Trails, read
from orchestrator.render import CannotRender, MissingValues
from orchestrator.rules.compose import (
    Addressed,
    compose,
    invitation,
    request_draft,
    subject_of,
    thread_of,
)
from orchestrator.rules.context import context_of
from orchestrator.rules.footer import footer
from orchestrator.rules.outgoing import MessageRow, Missing, Outgoing, Prepared, Unsendable
from orchestrator.rules.tracking import wanted
from orchestrator.stages import observe
from orchestrator.store import frozen
from orchestrator.store.frozen import Frozen, Link

__all__ = ["Parts", "prepare"]

_NO_FACTS: Mapping[str, str] = {}


async def prepare(
    conn: AsyncConnection, parts: Parts, rows: Sequence[MessageRow], now: datetime
) -> dict[UUID, Outgoing]:
    """What is to be transmitted for each claimed message, by message id.

    A message that is frozen already comes back as it was stored. The number of queries does not
    depend on the number of messages. Writes `frozen` and `links`; no network.
    """
    if not rows:
        return {}
    began = perf_counter()
    known = await read(conn, parts, rows, now)
    found: dict[UUID, Outgoing] = {
        one: _stored(row) for one, row in known.people.items() if row["payload"] is not None
    }
    wanting = [row for row in rows if row.id not in found]
    began = _observed("prepare", began, len(rows))
    drafts: list[tuple[MessageRow, Draft]] = []
    links: list[Link] = []
    for row in wanting:
        trails = Trails(row.id, parts.keys, parts.settings.base_url)
        draft = _draft(parts, known, row, trails)
        if isinstance(draft, Draft):
            drafts.append((row, draft))
            links += trails.rows()
        else:
            found[row.id] = draft
    began = _observed("render", began, len(wanting))
    made: dict[UUID, Frozen] = {}
    for row, draft in drafts:
        fixed = _freeze(parts, known, row, draft)
        if isinstance(fixed, Frozen):
            made[row.id] = fixed
        else:
            found[row.id] = fixed
    began = _observed("mime", began, len(drafts))
    if made:
        found |= await _save(conn, made, links, now)
        _observed("freeze", began, len(made))
    return found


def _observed(stage: str, began: float, messages: int) -> float:
    """The time now, after a stage that `began` then."""
    now = perf_counter()
    observe(stage, now - began, messages)
    return now


def _stored(row: Mapping[str, Any], message_id: UUID | None = None) -> Prepared:
    one: UUID = message_id or row["id"]
    message = OutboundMessage(one, row["recipient"], row["payload"], str(one))
    return Prepared(message, row["frozen_at"])


async def _save(
    conn: AsyncConnection, made: Mapping[UUID, Frozen], links: Sequence[Link], now: datetime
) -> dict[UUID, Outgoing]:
    """What holds from now on: ours, or what another process froze while we wrote."""
    kept = [link for link in links if link.message_id in made]
    new = await frozen.save(conn, list(made.values()), kept, now=now)
    point("prepare.after_freeze")
    found: dict[UUID, Outgoing] = {
        one: Prepared(OutboundMessage(one, row.recipient, row.payload, str(one)), now)
        for one, row in made.items()
        if one in new
    }
    if len(found) < len(made):
        theirs = await frozen.load(conn, made.keys() - new)
        found |= {one: _stored(row, one) for one, row in theirs.items()}
    return found


def _draft(
    parts: Parts, known: Known, row: MessageRow, trails: Trails
) -> Draft | Missing | Unsendable:
    try:
        if row.kind in ("invitation", "host_invitation"):
            return _invitation(parts, known, row)
        saying = known.sayings[row.id]
        if isinstance(saying, Unsendable):
            return saying
        return _outreach(parts, known, row, saying, trails)
    except MissingValues as error:
        return Missing(error.names)
    except (CannotRender, ValueError, KeyError) as error:
        return Unsendable(f"This message cannot be written: {error}")


def _outreach(
    parts: Parts, known: Known, row: MessageRow, saying: Saying, trails: Trails
) -> Draft | Unsendable:
    person, writer = known.people[row.id], known.writers[row.sender_id]
    account, can = writer.account, parts.channels[row.channel].capabilities
    organisation = parts.settings.organisation
    page_url = _page(parts, row)
    to = Addressed(
        recipient=_address(person),
        recipient_name=_name(person),
        date=writer.date,
        language=saying.language,
        own=parts.settings.base_url,
        unsubscribe_url=trails.unsubscribe(),
        reply_token=parts.keys.mail_token(row.id) if writer.tokens else None,
    )
    facts = known.facts.get(row.prospect_id, _NO_FACTS)
    context = context_of(person, facts, writer.signed, organisation, page_url)
    if row.kind == "request":
        note = _note(known, row, saying, context)
        return request_draft(row, note=note, to=to, page_url=page_url)
    assert saying.letter is not None
    made = saying.letter.render(context)
    thread = thread_of(row, known.before.get(row.enrollment_id, ()))
    subject = subject_of(made.subject, thread)
    if can.subject and not subject:
        return Unsendable(f"The step `{row.step}` has no subject and no thread to take one from.")
    country = person["country"] or person["company_country"]
    return compose(
        row,
        subject=subject,
        text=made.text,
        html=made.html,
        footer=footer(
            saying.language,
            sender_name=account.display_name or account.name,
            organisation=organisation,
            postal_address=parts.settings.postal_address,
            company=person["company_name"],
            about=saying.program.about,
            answered=row.kind == "call_offer",
            page_url=page_url,
            unsubscribe_url=to.unsubscribe_url,
        ),
        thread=thread,
        to=to,
        followed=wanted(saying.program.tracking, account.settings, country),
        trails=trails,
        can=can,
        page_url=page_url,
    )


def _note(known: Known, row: MessageRow, saying: Saying, context: Mapping[str, Any]) -> str:
    """What the invitation says: nothing where this month's notes are used up."""
    left = known.notes_left.get(row.sender_id)
    if saying.letter is None or left == 0:
        return ""
    if left is not None:
        known.notes_left[row.sender_id] = left - 1
    return saying.letter.render(context).text


def _invitation(parts: Parts, known: Known, row: MessageRow) -> Draft | Unsendable:
    booking = known.bookings.get(row.booking_id) if row.booking_id else None
    if booking is None:
        return Unsendable("The booking that it is about is gone.")
    person, writer = known.people[row.id], known.writers[row.sender_id]
    recipient = _address(person) if row.kind == "invitation" else booking.host_email
    return invitation(
        row,
        booking=booking,
        thread=thread_of(row, known.before.get(row.enrollment_id, ())),
        recipient=parts.channels[row.channel].canonical(recipient),
        date=writer.date,
        page_url=_page(parts, row),
        reply_token=parts.keys.mail_token(row.id) if writer.tokens else None,
    )


def _page(parts: Parts, row: MessageRow) -> str:
    return f"{parts.settings.base_url}/p/{parts.keys.token('page', row.enrollment_id)}"


def _name(person: Mapping[str, Any]) -> str:
    return f"{person['first_name']} {person['last_name']}".strip()


def _address(person: Mapping[str, Any]) -> str:
    """Raises ValueError when the message names an address that is not this person's any more."""
    address: str | None = person["address"]
    if address is None:
        raise ValueError("the address that it was planned for is gone")
    return address


def _freeze(parts: Parts, known: Known, row: MessageRow, draft: Draft) -> Frozen | Unsendable:
    channel, account = parts.channels[row.channel], known.writers[row.sender_id].account
    longest = channel.capabilities.max_length
    if draft.request and isinstance(channel, Inviting):
        longest = channel.request_limit(account)
        if longest == 0:  # the provider words the invitation itself, and the note stays here
            draft = replace(draft, text="")
    if longest is not None and len(draft.text) > longest:
        return Unsendable(f"{len(draft.text)} characters: {channel.name} takes {longest}.")
    try:
        payload = channel.freeze(account, draft)
    except ValueError as error:
        return Unsendable(f"This message cannot be put into {channel.name}: {error}")
    return Frozen(
        row.id, draft.recipient, draft.subject, draft.text, payload, sha256(payload).digest()
    )
