"""Tasks for people, the append-only history, and what keeps the machinery honest."""

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Column,
    ForeignKey,
    Identity,
    Index,
    Integer,
    Interval,
    Table,
    Text,
    func,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB

from orchestrator.models.base import Id, Instant, metadata

tasks = Table(
    "tasks",
    metadata,
    Column("id", Id, primary_key=True),
    # manual | missing_fact | missing_zone | unclear_answer | undeliverable | in_doubt |
    # subscription_disabled | stranded | revised_unlock
    # late: it could have left long ago, or may have left after the backup that was restored
    Column("kind", Text, nullable=False),
    Column("prospect_id", Id, ForeignKey("prospects.id"), index=True),
    Column("enrollment_id", Id, ForeignKey("enrollments.id"), index=True),
    Column("message_id", Id, ForeignKey("messages.id"), index=True),
    Column("step", Text),
    Column("title", Text, nullable=False),
    Column("detail", JSONB, nullable=False, server_default=text("'{}'::jsonb")),
    Column("state", Text, nullable=False, server_default="open"),
    Column("outcome", Text),
    Column("created_at", Instant, nullable=False, server_default=func.now()),
    Column("closed_at", Instant),
    CheckConstraint("state in ('open', 'done', 'cancelled')", name="state"),
)
Index(
    "uq_tasks_one_open",
    tasks.c.enrollment_id,
    tasks.c.step,
    tasks.c.kind,
    unique=True,
    # Every answer is read: the second one of a person may be the one that says no (L4).
    postgresql_where=text(
        "state = 'open' and enrollment_id is not null and kind <> 'unclear_answer'"
    ),
)
Index(
    "ix_tasks_open",
    tasks.c.created_at,
    postgresql_where=text("state = 'open'"),
)

# L7: why did this happen, why did it not. Append-only (trigger), written in the transaction
# that changed the state. `detail` holds ids, numbers and reasons; no names, no addresses.
history = Table(
    "history",
    metadata,
    Column("id", BigInteger, Identity(always=True), primary_key=True),
    Column("at", Instant, nullable=False),
    Column("kind", Text, nullable=False),  # "message.sent", "enrollment.stopped" ...
    Column("prospect_id", Id),
    Column("enrollment_id", Id),
    Column("message_id", Id),
    Column("detail", JSONB, nullable=False, server_default=text("'{}'::jsonb")),
)
Index("ix_history_prospect", history.c.prospect_id, history.c.id)

heartbeats = Table(
    "heartbeats",
    metadata,
    Column("worker", Text, primary_key=True),
    Column("started_at", Instant, nullable=False, server_default=func.now()),
    Column("beat_at", Instant, nullable=False, server_default=func.now()),
    Column("canary_at", Instant),  # the last doorbell that came all the way through Redis
    Column("detail", JSONB, nullable=False, server_default=text("'{}'::jsonb")),
)

mail_cursors = Table(
    "mail_cursors",
    metadata,
    Column("sender_id", Id, ForeignKey("senders.id"), primary_key=True),
    Column("folder", Text, primary_key=True),
    Column("uidvalidity", BigInteger, nullable=False),
    Column("last_uid", BigInteger, nullable=False),
    Column("seen_at", Instant, nullable=False, server_default=func.now()),
)

# One row. `ahead` is zero but in the sandbox, where a click moves time forward.
clock = Table(
    "clock",
    metadata,
    Column("id", Integer, primary_key=True, server_default="1"),
    Column("ahead", Interval, nullable=False, server_default=text("interval '0'")),
    # Of a restored backup: what may have left between these two instants waits for a person.
    Column("snapshot_at", Instant),
    Column("restored_at", Instant),
    CheckConstraint("id = 1", name="one_row"),
)
