"""Read what is stored with the reader of today, show what would change, and change it when told."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from uuid import UUID

from sqlalchemy import RowMapping
from sqlalchemy.ext.asyncio import AsyncConnection

from orchestrator.db import transaction
from orchestrator.flows.handle_event import did_it
from orchestrator.flows.heeding import heed
from orchestrator.flows.judge_seen import trace_of
from orchestrator.flows.revising import revise
from orchestrator.flows.understanding import CURRENT, Readers, Understood, understand
from orchestrator.keys import Keys
from orchestrator.rules import opens, rereading
from orchestrator.rules.event_json import decode
from orchestrator.rules.heard import heard
from orchestrator.rules.rereading import Change, Said, Standing
from orchestrator.store import hits, inbox
from orchestrator.store import rereading as store
from orchestrator.store import standing as people
from orchestrator.wiring import App

_BATCH = 200
_READ_BY_US = "read by a person"


@dataclass(frozen=True, slots=True)
class Difference:
    """What one event would be, or is now, for one person."""

    event: UUID
    source: str
    prospect: UUID
    engagement: UUID | None  # the verdict that stood
    was: str
    now: str
    does: str
    reasons: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Read:
    """One event as it reads now. `mail` is set for mails."""

    said: Mapping[UUID, Said]
    reasons: tuple[str, ...]
    happened_at: datetime
    until: date | None = None
    mail: Understood | None = None


async def reread(
    app: App,
    now: datetime,
    *,
    readers: Readers = CURRENT,
    since: datetime | None = None,
    prospect_id: UUID | None = None,
    apply: bool = False,
) -> tuple[int, list[Difference]]:
    """Every stored mail, provider's event and hit, oldest first: how many were read, and what
    differs. With `apply` each event is changed in a transaction of its own, and what was changed is
    returned; a second run finds nothing. Reading alone changes nothing."""
    count, found, after = 0, list[Difference](), None
    while True:
        async with transaction(app.engine) as conn:
            batch = await store.event_ids(
                conn, after=after, since=since, prospect_id=prospect_id, limit=_BATCH
            )
        if not batch:
            return count, found
        for event_id, _ in batch:
            async with transaction(app.engine) as conn:
                found += await _event(conn, app.keys, event_id, readers, now, apply=False)
            if apply and found and found[-1].event == event_id:
                found = [one for one in found if one.event != event_id]
                async with transaction(app.engine) as conn:
                    found += await _event(conn, app.keys, event_id, readers, now, apply=True)
        count, after = count + len(batch), batch[-1][0]


async def _event(
    conn: AsyncConnection,
    keys: Keys,
    event_id: UUID,
    readers: Readers,
    now: datetime,
    *,
    apply: bool,
) -> list[Difference]:
    event = await store.event(conn, event_id, lock=apply)
    if event is None:
        return []
    read = await _read(conn, keys, event, readers)
    if apply:  # what stands is looked at again under the locks that changing it takes
        before = {row["prospect_id"] for row in await store.standing(conn, event_id)}
        whose = {*before, *read.said}
        others = [one for who in sorted(whose) for one in await people.colleagues(conn, who)]
        await people.lock_prospects(conn, {*whose, *others})
    changes = rereading.changes(_standing(await store.standing(conn, event_id)), read.said)
    if apply:
        for change in changes:
            await _apply(conn, keys, event, read, change, now)
    return [_difference(event, read, change) for change in changes]


def _standing(rows: Sequence[RowMapping]) -> dict[UUID, Standing]:
    found = {}  # the newest verdict on a person last
    for row in rows:
        said = Said(row["kind"], row["grade"], row["meaning"])
        by_person = _READ_BY_US in row["reasons"]
        found[row["prospect_id"]] = Standing(row["id"], said, row["opened"], by_person)
    return found


async def _read(conn: AsyncConnection, keys: Keys, event: RowMapping, readers: Readers) -> _Read:
    """What an event is now. Dates in it are taken as on the day on which it came."""
    came: datetime = event["received_at"]
    if event["kind"] == "mail":
        mail = await understand(conn, keys, event, came, readers)
        reading, verdict = mail.reading, mail.verdict
        how = (f"matched by {mail.match.how}",) if mail.match else ()
        reasons = (*reading.reasons, *how, *(verdict.reasons if verdict else ()))
        until = verdict.until if verdict else None
        return _Read(mail.said(), reasons, min(reading.date or came, came), until, mail)
    if event["source"] == "track":
        return await _hit(conn, event)
    return await _provider(conn, event)


async def _hit(conn: AsyncConnection, event: RowMapping) -> _Read:
    rows = await hits.of_message(conn, event["message_id"])
    handed = await store.handed_at(conn, event["message_id"])
    verdicts = opens.judge_message([trace_of(row) for row in rows], handed_at=handed)
    for row, verdict in zip(rows, verdicts, strict=True):
        if row["id"] == event["id"]:
            said = {event["prospect_id"]: Said(event["kind"], verdict.grade)}
            return _Read(said, verdict.reasons, event["received_at"])
    return await _unchanged(conn, event)


async def _provider(conn: AsyncConnection, event: RowMapping) -> _Read:
    """An event of a provider. Whose it is stays as it was found; so does an acceptance, which is
    read by what the person was waiting for then."""
    told = decode(event["detail"]["event"])
    handed = await store.handed_at(conn, event["message_id"]) if event["message_id"] else None
    came: datetime = event["received_at"]
    if told.kind == "acceptance" or event["prospect_id"] is None:
        return await _unchanged(conn, event)
    theirs = await did_it(conn, told, event["sender_id"], event["prospect_id"])
    said = heard(told, trust=event["trust"], handed_at=handed, now=came, theirs=theirs)
    if said is None:
        return await _unchanged(conn, event)
    verdict = Said(said.kind, said.grade, said.meaning)
    happened = min(told.occurred_at or came, came)
    return _Read({event["prospect_id"]: verdict}, said.reasons, happened, said.until)


async def _unchanged(conn: AsyncConnection, event: RowMapping) -> _Read:
    rows = await store.standing(conn, event["id"])
    said = {who: one.said for who, one in _standing(rows).items()}
    return _Read(said, (), event["received_at"])


async def _apply(
    conn: AsyncConnection,
    keys: Keys,
    event: RowMapping,
    read: _Read,
    change: Change,
    now: datetime,
) -> None:
    found = read.mail.match if read.mail else None
    own = found is not None and found.prospect_id == change.prospect
    await revise(
        *(conn, keys, event, change),
        reasons=read.reasons,
        happened_at=read.happened_at,
        until=read.until,
        message_id=found.message_id if found and own else None,
        now=now,
    )
    if read.mail is not None and found is not None and own:
        if change.does == "act":
            await heed(conn, read.mail.reading, found, now)
        if event["state"] == "unmatched":
            await inbox.settle(
                *(conn, event["id"]),
                state="handled",
                now=now,
                prospect_id=found.prospect_id,
                message_id=found.message_id,
                read_as=read.mail.reading.kind,
                matched_by=found.how,
            )


def _difference(event: RowMapping, read: _Read, change: Change) -> Difference:
    was = change.was
    return Difference(
        event["id"],
        event["source"],
        change.prospect,
        was.engagement if was else None,
        str(was.said) if was else "nothing",
        str(change.now),
        change.does,
        read.reasons,
    )
