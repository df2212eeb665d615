"""Where people stand, under lock; and the bulk changes that stopping and answering make.

Lock order everywhere: prospects by id, then enrollments, then messages. Whoever holds a prospect's
row knows that no message of theirs passes the point of no return meanwhile (L4).
"""

from collections.abc import Iterable, Sequence
from datetime import datetime
from uuid import UUID

from sqlalchemy import RowMapping, exists, func, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from orchestrator.models.engagement import unlocks
from orchestrator.models.messages import messages
from orchestrator.models.people import prospects
from orchestrator.models.sequences import enrollments, sequence_versions
from orchestrator.rules.outgoing import OF_STEPS

RUNNING = ("active", "sending", "held")
_UNSENT = ("pending", "retry_wait", "leased")  # `sending` is past the point of no return


async def lock_prospects(conn: AsyncConnection, ids: Iterable[UUID]) -> dict[UUID, RowMapping]:
    """Take the rows of these prospects, in order of id. Missing ones are missing in the answer."""
    rows = await conn.execute(
        select(prospects)
        .where(prospects.c.id.in_(sorted(set(ids))))
        .order_by(prospects.c.id)
        .with_for_update(key_share=True)
    )
    return {row["id"]: row for row in rows.mappings()}


async def colleagues(conn: AsyncConnection, prospect_id: UUID) -> list[UUID]:
    """The other prospects of the same company."""
    own = select(prospects.c.company_id).where(prospects.c.id == prospect_id).scalar_subquery()
    rows = await conn.execute(
        select(prospects.c.id).where(prospects.c.company_id == own, prospects.c.id != prospect_id)
    )
    return list(rows.scalars())


async def stops_company(conn: AsyncConnection, prospect_id: UUID) -> bool:
    """Whether a running sequence of this person says that an answer stops their whole company."""
    rows = await conn.execute(
        select(enrollments.c.id)
        .join(sequence_versions, sequence_versions.c.id == enrollments.c.version_id)
        .where(
            enrollments.c.prospect_id == prospect_id,
            enrollments.c.state.in_(RUNNING),
            sequence_versions.c.definition["stop_company"].as_boolean(),
        )
        .limit(1)
    )
    return rows.first() is not None


async def lock_enrollments(
    conn: AsyncConnection, prospect_ids: Iterable[UUID]
) -> Sequence[RowMapping]:
    """Every enrollment of these prospects, in order of id, with its program's `definition` and
    whether it is `unlocked`. The prospects' rows must be locked before."""
    unlocked = exists().where(unlocks.c.enrollment_id == enrollments.c.id)
    rows = await conn.execute(
        select(enrollments, sequence_versions.c.definition, unlocked.label("unlocked"))
        .join(sequence_versions, sequence_versions.c.id == enrollments.c.version_id)
        .where(enrollments.c.prospect_id.in_(list(prospect_ids)))
        .order_by(enrollments.c.id)
        .with_for_update(key_share=True, of=enrollments)
    )
    return rows.mappings().all()


async def end_enrollments(
    conn: AsyncConnection,
    ids: Sequence[UUID],
    *,
    reason: str,
    now: datetime,
    answered: bool = False,
) -> None:
    """Stop enrollments. `answered` notes that the person's own answer did it."""
    values: dict[str, object] = {
        "state": "stopped",
        "stop_reason": reason,
        "ended_at": now,
        "due_at": None,
    }
    if answered:
        values["answered_at"] = func.coalesce(enrollments.c.answered_at, now)
    await conn.execute(update(enrollments).where(enrollments.c.id.in_(ids)).values(values))


async def hold_enrollments(conn: AsyncConnection, ids: Sequence[UUID]) -> None:
    """Hold running enrollments until a person has read something."""
    await conn.execute(
        update(enrollments)
        .where(enrollments.c.id.in_(ids), enrollments.c.state.in_(RUNNING))
        .values(state="held")
    )


async def move_enrollment(
    conn: AsyncConnection,
    enrollment_id: UUID,
    *,
    step: str,
    due_at: datetime,
    now: datetime,
    answered: bool = False,
) -> None:
    """Put an enrollment on a step, active and due: also one that had ended (late interest)."""
    values: dict[str, object] = {
        "state": "active",
        "step": step,
        "due_at": due_at,
        "entered_step_at": now,
        "stop_reason": None,
        "ended_at": None,
    }
    if answered:
        values["answered_at"] = func.coalesce(enrollments.c.answered_at, now)
    await conn.execute(update(enrollments).where(enrollments.c.id == enrollment_id).values(values))


async def finish_enrollment(conn: AsyncConnection, enrollment_id: UUID, *, now: datetime) -> None:
    """End an enrollment that has reached its end."""
    await conn.execute(
        update(enrollments)
        .where(enrollments.c.id == enrollment_id)
        .values(state="finished", ended_at=now, due_at=None)
    )


async def message_state(conn: AsyncConnection, enrollment_id: UUID, step: str) -> str | None:
    """The state of the message of one step; None when it has none."""
    row = await conn.execute(
        select(messages.c.state).where(
            messages.c.enrollment_id == enrollment_id, messages.c.step == step
        )
    )
    return row.scalar_one_or_none()


async def resume_enrollment(
    conn: AsyncConnection, enrollment_id: UUID, *, state: str, due_at: datetime | None
) -> None:
    """Let a held enrollment go on: active and due at its own time, or at `due_at` when it had none;
    or `sending`, when the message of its step decides."""
    due = None if due_at is None else func.coalesce(enrollments.c.due_at, due_at)
    await conn.execute(
        update(enrollments)
        .where(enrollments.c.id == enrollment_id, enrollments.c.state == "held")
        .values(state=state, due_at=due)
    )


async def settle_doubt(
    conn: AsyncConnection, message_id: UUID, *, state: str, now: datetime
) -> bool:
    """Settle a message in doubt by hand. False when it is not in doubt any more."""
    changed = await conn.execute(
        update(messages)
        .where(messages.c.id == message_id, messages.c.state == "in_doubt")
        .values(state=state, settled_at=now, due_at=now, last_class="by hand")
    )
    return changed.rowcount == 1


async def cancel_messages(
    conn: AsyncConnection,
    *,
    enrollment_ids: Sequence[UUID] | None = None,
    prospect_id: UUID | None = None,
    identity_id: UUID | None = None,
    everything: bool = False,
) -> list[RowMapping]:
    """Cancel what has not passed the point of no return. `everything`: also confirmations of a
    booking to the prospect; what goes to the host always stays. Returns id, enrollment, step."""
    kinds = [*OF_STEPS, *(["invitation"] if everything else [])]
    change = update(messages).where(messages.c.state.in_(_UNSENT), messages.c.kind.in_(kinds))
    if enrollment_ids is not None:
        change = change.where(messages.c.enrollment_id.in_(enrollment_ids))
    if prospect_id is not None:
        change = change.where(messages.c.prospect_id == prospect_id)
    if identity_id is not None:
        change = change.where(messages.c.identity_id == identity_id)
    rows = await conn.execute(
        change.values(state="cancelled", lease_owner=None, lease_until=None).returning(
            messages.c.id, messages.c.prospect_id, messages.c.enrollment_id, messages.c.step
        )
    )
    return list(rows.mappings())


async def release_messages(conn: AsyncConnection, prospect_id: UUID) -> None:
    """Take leases back from senders that have not passed the point of no return."""
    await conn.execute(
        update(messages)
        .where(messages.c.prospect_id == prospect_id, messages.c.state == "leased")
        .where(messages.c.kind != "host_invitation")
        .values(state="retry_wait", lease_owner=None, lease_until=None)
    )


async def postpone(conn: AsyncConnection, prospect_id: UUID, *, until: datetime) -> None:
    """Move everything of this person that is due before `until` to then."""
    await conn.execute(
        update(enrollments)
        .where(enrollments.c.prospect_id == prospect_id, enrollments.c.state.in_(RUNNING))
        .where(enrollments.c.due_at < until)
        .values(due_at=until)
    )
    await conn.execute(
        update(messages)
        .where(messages.c.prospect_id == prospect_id, messages.c.due_at < until)
        .where(messages.c.state.in_(("pending", "retry_wait")))
        .where(messages.c.kind.in_(OF_STEPS))
        .values(due_at=until)
    )


async def restate_reason(
    conn: AsyncConnection, prospect_id: UUID, *, reason: str, instead_of: Iterable[str]
) -> list[UUID]:
    """Let stopped enrollments say the weightier reason, which came to be known later."""
    changed = await conn.execute(
        update(enrollments)
        .where(
            enrollments.c.prospect_id == prospect_id,
            enrollments.c.state == "stopped",
            enrollments.c.stop_reason.in_(list(instead_of)),
        )
        .values(stop_reason=reason)
        .returning(enrollments.c.id)
    )
    return list(changed.scalars())


async def set_prospect(
    conn: AsyncConnection,
    prospect_id: UUID,
    *,
    now: datetime,
    **values: datetime | None,
) -> None:
    """Set `opted_out_at`, `paused_at` or `not_before`. An opt-out is set once and stays."""
    if "opted_out_at" in values:
        changed = func.coalesce(prospects.c.opted_out_at, values.pop("opted_out_at"))
        await conn.execute(
            update(prospects).where(prospects.c.id == prospect_id).values(opted_out_at=changed)
        )
    await conn.execute(
        update(prospects).where(prospects.c.id == prospect_id).values(updated_at=now, **values)
    )
