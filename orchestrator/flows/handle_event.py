"""One event of a provider: find whom and which message it is about, and do what it says."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import RowMapping
from sqlalchemy.ext.asyncio import AsyncConnection

from channels.base import ChannelEvent
from orchestrator.flows.engage import engage
from orchestrator.flows.note_evidence import note_evidence
from orchestrator.flows.stop_person import stop_person
from orchestrator.flows.suppress_address import suppress_address
from orchestrator.keys import Keys
from orchestrator.rules.event_json import decode
from orchestrator.rules.evidence import event_proves
from orchestrator.rules.heard import Heard, heard
from orchestrator.rules.program import Program, UntilStep
from orchestrator.store import connections, history, inbox, messages, senders, standing


async def handle_event(conn: AsyncConnection, keys: Keys, row: RowMapping, now: datetime) -> None:
    """Settle one stored event, whose row is locked: handled, or kept as unmatched.

    The order in which events come does not matter: each adds to what is known.
    """
    encoded, sender_id = row["detail"].get("event"), row["sender_id"]
    if encoded is None or sender_id is None:
        await inbox.settle(conn, row["id"], state="unmatched", now=now)
        return
    event = decode(encoded)
    if event.kind == "account":
        await _account(conn, event, sender_id, now)
        await inbox.settle(conn, row["id"], state="handled", now=now, read_as="account")
        return
    ours = await messages.about(
        conn,
        sender_id=sender_id,
        message_id=event.message_id,
        rfc_message_id=event.rfc_message_id,
        provider_ref=event.provider_ref,
    )
    person, identity = await _who(conn, event, sender_id, ours)
    if event.kind == "unknown" or person is None:
        state = "handled" if event.kind in ("unknown", "own_message") else "unmatched"
        await inbox.settle(conn, row["id"], state=state, now=now, read_as=event.kind)
        return
    await _act(conn, keys, event, row, ours, (person, identity), now)
    if ours is not None and event_proves(event.kind, about=ours["prospect_id"], person=person):
        await note_evidence(conn, ours["id"], event.kind, now)
    await inbox.settle(
        conn,
        row["id"],
        state="handled",
        now=now,
        prospect_id=person,
        message_id=ours["id"] if ours is not None else None,
        read_as=event.kind,
    )


async def _who(
    conn: AsyncConnection, event: ChannelEvent, sender_id: UUID, ours: RowMapping | None
) -> tuple[UUID | None, UUID | None]:
    """(prospect, identity): whoever acted by their own address or references, else whom the message
    is to. Two people who share a reference are not merged: then only the message decides."""
    channel = (await senders.get(conn, sender_id))["channel"]
    found = await connections.who(
        conn,
        sender_id=sender_id,
        channel=channel,
        address=event.address,
        user_ref=event.user_ref,
        thread_ref=event.thread_ref,
        request_ref=str(event.detail["request_ref"]) if "request_ref" in event.detail else None,
    )
    if ours is not None and not any(one["prospect_id"] != ours["prospect_id"] for one in found):
        return ours["prospect_id"], ours["identity_id"]
    if len({one["prospect_id"] for one in found}) == 1:
        return found[0]["prospect_id"], found[0]["identity_id"]
    if ours is not None:
        return ours["prospect_id"], ours["identity_id"]
    return None, None


_DEEDS = frozenset({"message", "reaction", "button"})


async def did_it(conn: AsyncConnection, event: ChannelEvent, sender_id: UUID, person: UUID) -> bool:
    """Whether it was the person, not somebody beside them in a shared channel, who did this (L1).
    What nobody does by hand is about them in any case."""
    return event.kind not in _DEEDS or await connections.is_theirs(
        conn,
        prospect_id=person,
        sender_id=sender_id,
        channel=(await senders.get(conn, sender_id))["channel"],
        address=event.address,
        user_ref=event.user_ref,
        thread_ref=event.thread_ref,
    )


async def _act(
    conn: AsyncConnection,
    keys: Keys,
    event: ChannelEvent,
    row: RowMapping,
    ours: RowMapping | None,
    who: tuple[UUID, UUID | None],
    now: datetime,
) -> None:
    person, identity = who
    await standing.lock_prospects(conn, [person])
    if event.kind in ("acceptance", "declined") and identity is not None:
        await _admission(conn, event, row["sender_id"], person, identity, now)
    elif event.kind in ("delivered", "deferred"):
        await history.append(
            conn,
            f"message.{event.kind}",
            at=now,
            prospect_id=person,
            enrollment_id=ours["enrollment_id"] if ours is not None else None,
            message_id=ours["id"] if ours is not None else None,
        )
    theirs = await did_it(conn, event, row["sender_id"], person)
    said = heard(
        event,
        trust=row["trust"],
        handed_at=ours["handed_at"] if ours is not None else None,
        now=now,
        theirs=theirs,
    )
    if said is None:
        return
    if event.kind == "acceptance" and await _listens(conn, person):
        # Nothing waits to be let in, and the sequence listens: letting us in is the answer.
        said = Heard("acceptance", "human", "interested", reasons=said.reasons)
    await engage(
        conn,
        keys,
        prospect_id=person,
        kind=said.kind,
        grade=said.grade,
        meaning=said.meaning,
        until=said.until,
        reasons=said.reasons,
        message_id=ours["id"] if ours is not None else None,
        enrollment_id=ours["enrollment_id"] if ours is not None else None,
        provider_event_id=row["id"],
        happened_at=min(event.occurred_at or now, now),
        now=now,
        stamped=event.occurred_at is not None,
        doubt="perhaps an automatic answer" if theirs else "somebody else wrote there",
    )
    if said.then == "bounce" and identity is not None:
        message = ours["id"] if ours is not None else None
        await suppress_address(conn, identity_id=identity, now=now, message_id=message)
    elif said.then == "complaint":
        await stop_person(conn, prospect_id=person, reason="complaint", now=now)
    elif said.then == "unsubscribe":
        await stop_person(conn, prospect_id=person, reason="opt_out", now=now)


async def _admission(
    conn: AsyncConnection,
    event: ChannelEvent,
    sender_id: UUID,
    person: UUID,
    identity: UUID,
    now: datetime,
) -> None:
    """They let us in, or said no to that: what waited for it is looked at now."""
    await connections.note(
        conn,
        identity_id=identity,
        prospect_id=person,
        sender_id=sender_id,
        state="connected" if event.kind == "acceptance" else "declined",
        now=now,
        user_ref=event.user_ref,
        thread_ref=event.thread_ref,
    )
    woken = await connections.admit(conn, prospect_id=person, sender_id=sender_id, now=now)
    for enrollment in woken:
        await history.append(
            conn,
            f"connection.{event.kind}",
            at=now,
            prospect_id=person,
            enrollment_id=enrollment,
            sender=str(sender_id),
        )


async def _listens(conn: AsyncConnection, person: UUID) -> bool:
    for row in await standing.lock_enrollments(conn, [person]):
        if row["state"] == "active":
            step = Program.model_validate(row["definition"]).step(row["step"])
            if isinstance(step, UntilStep):
                return True
    return False


_PAUSED_BY_ACCOUNT = "account: "


async def _account(
    conn: AsyncConnection, event: ChannelEvent, sender_id: UUID, now: datetime
) -> None:
    """The account itself is ill or well: the lane pauses and says so, or goes on."""
    if event.account_ok is False:
        reason = _PAUSED_BY_ACCOUNT + (event.text or "the provider reports trouble")[:180]
        if await senders.pause(conn, sender_id, reason=reason, now=now):
            await history.append(
                conn, "sender.paused", at=now, sender=str(sender_id), reason=reason
            )
    elif event.account_ok:
        row = await senders.get(conn, sender_id)
        if (row["pause_reason"] or "").startswith(_PAUSED_BY_ACCOUNT):
            await senders.resume(conn, sender_id)
            await history.append(conn, "sender.resumed", at=now, sender=str(sender_id))
