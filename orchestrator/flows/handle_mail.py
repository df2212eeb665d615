"""One mail that came back: read it, find whose it is, and do what it says."""

import asyncio
from datetime import date, datetime
from uuid import UUID
from zoneinfo import ZoneInfo

from sqlalchemy import RowMapping
from sqlalchemy.ext.asyncio import AsyncConnection

from orchestrator.flows.engage import engage
from orchestrator.flows.note_evidence import note_evidence
from orchestrator.flows.stop_person import stop_person
from orchestrator.flows.suppress_address import suppress_address
from orchestrator.keys import Keys
from orchestrator.rules import addresses, matching, meaning
from orchestrator.rules.gate import Grade
from orchestrator.rules.mail_reading import Reading, read
from orchestrator.rules.matching import Known, Match
from orchestrator.rules.zones import is_zone
from orchestrator.store import inbox, threads

_LARGE = 200_000  # bytes: more than this is read beside the event loop

# What a reading is as an engagement. A mail that may be automatic is ambiguous: a person reads it.
_AS: dict[str, tuple[str, Grade]] = {
    "reply": ("reply", "human"),
    "unknown": ("mail", "ambiguous"),
    "calendar": ("calendar", "ambiguous"),
    "auto_reply": ("auto_reply", "machine"),
    "bounce": ("bounce", "machine"),
    "delayed": ("delayed", "machine"),
    "complaint": ("complaint", "machine"),
}


async def handle_mail(conn: AsyncConnection, keys: Keys, event: RowMapping, now: datetime) -> None:
    """Settle one stored mail, whose row is locked: handled, or kept as unmatched."""
    senders = await threads.sender_addresses(conn)
    ours = {*senders, *await threads.host_addresses(conn)}
    envelope = [str(one) for one in event["detail"].get("envelope_to", [])]
    reading = await _reading(event["raw"], own=ours, envelope_to=envelope)
    known = await _look_up(conn, keys, reading, _received_by(event, reading, senders))
    if reading.kind == "own" or matching.is_own(reading, known):
        await inbox.settle(conn, event["id"], state="handled", now=now, read_as="own")
        return
    found = matching.match(reading, known)
    if found is None:
        await inbox.settle(
            conn,
            event["id"],
            state="unmatched",
            now=now,
            read_as=reading.kind,
            reasons=list(reading.reasons),
        )
        return
    if reading.kind == "reply":
        sent = await threads.sent_texts(conn, found.prospect_id)
        reading = await _reading(event["raw"], own=ours, envelope_to=envelope, sent=sent)
    await _act(conn, keys, event, reading, found, now)
    if found.message_id is not None:
        await note_evidence(conn, found.message_id, reading.kind, now)
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


async def _reading(
    raw: bytes, *, own: set[str], envelope_to: list[str], sent: list[str] | None = None
) -> Reading:
    if len(raw) < _LARGE:
        return read(raw, own=own, sent=sent or (), envelope_to=envelope_to)
    return await asyncio.to_thread(read, raw, own=own, sent=sent or (), envelope_to=envelope_to)


def _received_by(event: RowMapping, reading: Reading, senders: dict[str, UUID]) -> list[UUID]:
    """The sender whose mailbox took this: as the door noted it, else by its recipients."""
    noted = event["detail"].get("sender")
    if noted:
        return [UUID(noted)]
    to = {_without_suffix(address) for address in reading.to}
    return [sender_id for address, sender_id in senders.items() if address in to]


def _without_suffix(address: str) -> str:
    local, _, domain = address.rpartition("@")
    return f"{local.partition('+')[0]}@{domain}"


async def _look_up(
    conn: AsyncConnection, keys: Keys, reading: Reading, sender_ids: list[UUID]
) -> Known:
    tokens = {token: keys.read_mail_token(token) for token in reading.tokens[:50]}
    refs = await threads.by_ids(conn, [one for one in tokens.values() if one is not None])
    asked = [*([reading.sender] if reading.sender else []), *reading.recipients[:50]]
    canonical = {address: _canonical(address) for address in asked}
    people = await threads.people(conn, set(canonical.values()), sender_ids)
    return Known(
        by_rfc_id=await threads.by_rfc_ids(conn, matching.rfc_ids(reading)),
        by_token={token: refs[one] for token, one in tokens.items() if one in refs},
        by_address={a: people[known] for a, known in canonical.items() if known in people},
    )


def _canonical(address: str) -> str:
    """The spelling under which identities are stored; what is no address is nobody's."""
    try:
        return addresses.email(address)
    except ValueError:
        return address


async def _act(
    conn: AsyncConnection,
    keys: Keys,
    event: RowMapping,
    reading: Reading,
    found: Match,
    now: datetime,
) -> None:
    kind, grade = _AS[reading.kind]
    verdict = None
    if reading.kind == "reply":
        verdict = meaning.read(reading.text, today=await _today(conn, found.prospect_id, now))
    await engage(
        conn,
        keys,
        prospect_id=found.prospect_id,
        kind=kind,
        grade=grade,
        meaning=verdict.meaning if verdict else None,
        until=verdict.until if verdict else None,
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
    if reading.kind == "complaint":
        await stop_person(conn, prospect_id=found.prospect_id, reason="complaint", now=now)
    elif reading.kind == "bounce" and reading.hard and found.identity_id is not None:
        await suppress_address(
            conn, identity_id=found.identity_id, now=now, message_id=found.message_id
        )


async def _today(conn: AsyncConnection, prospect_id: UUID, now: datetime) -> date:
    zone = await threads.zone_of(conn, prospect_id)
    return now.astimezone(ZoneInfo(zone)).date() if zone and is_zone(zone) else now.date()
