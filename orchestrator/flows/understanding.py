"""What one mail that came back says, and whose it is: read, looked up and matched. Changes nothing,
so that the reader and `avtale engagement reread` understand a mail alike."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from sqlalchemy import RowMapping
from sqlalchemy.ext.asyncio import AsyncConnection

from orchestrator.keys import Keys
from orchestrator.rules import addresses, mail_reading, matching, meaning
from orchestrator.rules.gate import Grade
from orchestrator.rules.mail_reading import Reading
from orchestrator.rules.matching import Known, Match
from orchestrator.rules.rereading import Said
from orchestrator.rules.writers import bare
from orchestrator.rules.zones import is_zone
from orchestrator.store import threads

_LARGE = 200_000  # bytes: more than this is read beside the event loop


@dataclass(frozen=True, slots=True)
class Readers:
    """How mail is read: replaced as a whole where a model reads instead, or an older version."""

    read: Callable[..., Reading] = mail_reading.read
    mean: Callable[..., meaning.Verdict] = meaning.read


CURRENT = Readers()


# What a reading is as an engagement. A mail that may be automatic is ambiguous: a person reads it.
AS: dict[str, tuple[str, Grade]] = {
    "reply": ("reply", "human"),
    "unknown": ("mail", "ambiguous"),
    "calendar": ("calendar", "ambiguous"),
    "auto_reply": ("auto_reply", "machine"),
    "bounce": ("bounce", "machine"),
    "delayed": ("delayed", "machine"),
    "complaint": ("complaint", "machine"),
}


@dataclass(frozen=True, slots=True)
class Understood:
    """One mail, read. `match` None: nobody's, unless it is our `own`."""

    reading: Reading
    known: Known
    match: Match | None = None
    own: bool = False
    verdict: meaning.Verdict | None = None  # of a reply

    def said(self) -> dict[UUID, Said]:
        """What this mail is as engagements, by prospect: none where it is nobody's, two where one
        prospect answered in another's thread."""
        found = self.match
        if found is None or self.own:
            return {}
        kind, grade = AS[self.reading.kind]
        own = Said(kind, grade, self.verdict.meaning if self.verdict else None)
        by_another = Said("mail", "ambiguous")
        if self.reading.kind != "reply":
            return {found.prospect_id: own}
        if found.writer != "theirs":
            return {found.prospect_id: by_another}
        beside = {found.beside.prospect_id: by_another} if found.beside else {}
        return beside | {found.prospect_id: own}


async def understand(
    conn: AsyncConnection, keys: Keys, event: RowMapping, now: datetime, readers: Readers = CURRENT
) -> Understood:
    """Read a stored mail (a row of `provider_events`) and find whose it is."""
    senders = await threads.sender_addresses(conn)
    asked: dict[str, Any] = {
        "own": {*senders, *await threads.host_addresses(conn)},
        "envelope_to": [str(one) for one in event["detail"].get("envelope_to", [])],
        "today": event["received_at"].date(),
    }
    reading = await _reading(readers, event["raw"], **asked)
    known = await _look_up(conn, keys, reading, _received_by(event, reading, senders))
    if reading.kind == "own" or matching.is_own(reading, known):
        return Understood(reading, known, own=True)
    found = matching.match(reading, known)
    if found is None or reading.kind != "reply":
        return Understood(reading, known, found)
    sent = await threads.sent_texts(conn, found.prospect_id)
    reading = await _reading(readers, event["raw"], **asked, sent=sent)
    if reading.kind != "reply":
        return Understood(reading, known, found)
    today = await _today(conn, found.prospect_id, now)
    verdict = readers.mean(reading.text, today=today)
    if verdict.meaning != "stop":
        subjects = await threads.sent_subjects(conn, found.prospect_id)
        if said := meaning.stop_in_subject(reading.subject, subjects):
            verdict = meaning.Verdict("stop", reasons=said)
    return Understood(reading, known, found, verdict=verdict)


async def _reading(readers: Readers, raw: bytes, **asked: Any) -> Reading:
    if len(raw) < _LARGE:
        return readers.read(raw, **asked)
    return await asyncio.to_thread(readers.read, raw, **asked)


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
    plain = {address: bare(known) for address, known in canonical.items()}
    people = await threads.people(conn, {*canonical.values(), *plain.values()}, sender_ids)
    by_rfc_id = await threads.by_rfc_ids(conn, matching.rfc_ids(reading))
    by_address = {
        address: found
        for address in canonical
        if (found := people.get(canonical[address]) or people.get(plain[address]))
    }
    named = {ref.prospect_id for ref in (*refs.values(), *by_rfc_id.values())}
    return Known(
        by_rfc_id=by_rfc_id,
        by_token={token: refs[one] for token, one in tokens.items() if one in refs},
        by_address=by_address,
        owners=await threads.owners(conn, named) if named else {},
    )


def _canonical(address: str) -> str:
    """The spelling under which identities are stored; what is no address is nobody's."""
    try:
        return addresses.email(address)
    except ValueError:
        return address


async def _today(conn: AsyncConnection, prospect_id: UUID, now: datetime) -> date:
    zone = await threads.zone_of(conn, prospect_id)
    return now.astimezone(ZoneInfo(zone)).date() if zone and is_zone(zone) else now.date()
