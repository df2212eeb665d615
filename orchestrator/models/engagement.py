"""The inbox of provider events, engagements with their grade, and unlocks."""

from sqlalchemy import (
    CheckConstraint,
    Column,
    ForeignKey,
    ForeignKeyConstraint,
    Index,
    Integer,
    LargeBinary,
    Table,
    Text,
    UniqueConstraint,
    func,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB

from orchestrator.models.base import Id, Instant, metadata

provider_events = Table(
    "provider_events",
    metadata,
    Column("id", Id, primary_key=True),
    Column("source", Text, nullable=False),  # "imap:<sender name>", "mail", "track", "page" ...
    Column("external_id", Text, nullable=False),
    Column("kind", Text, nullable=False),  # mail | open | click | tap | ... | unknown
    # weak: not signed over the whole body; it can stop a sequence, and it unlocks nothing
    Column("trust", Text, nullable=False, server_default="signed"),
    Column("sender_id", Id, ForeignKey("senders.id"), index=True),
    Column("raw", LargeBinary, nullable=False),
    Column("detail", JSONB, nullable=False, server_default=text("'{}'::jsonb")),
    # stored: to be read | seen: a hit, to be judged | handled | unmatched | failed
    Column("state", Text, nullable=False, server_default="stored"),
    Column("attempt", Integer, nullable=False, server_default="0"),
    Column("error", Text),
    Column("prospect_id", Id, ForeignKey("prospects.id"), index=True),
    Column("message_id", Id, ForeignKey("messages.id"), index=True),
    Column("received_at", Instant, nullable=False, server_default=func.now()),
    Column("handled_at", Instant),
    UniqueConstraint("source", "external_id"),
    CheckConstraint("state in ('stored', 'seen', 'handled', 'unmatched', 'failed')", name="state"),
    CheckConstraint("trust in ('signed', 'weak')", name="trust"),
)
Index(
    "ix_provider_events_open",
    provider_events.c.received_at,
    postgresql_where=text("state = 'stored'"),
)
Index(
    "ix_provider_events_seen",
    provider_events.c.received_at,
    postgresql_where=text("state = 'seen'"),
)
Index(
    "ix_provider_events_unmatched",
    provider_events.c.received_at,
    postgresql_where=text("state = 'unmatched'"),
)

# Append-only (trigger). A changed verdict is a new row that names the one it revises.
engagements = Table(
    "engagements",
    metadata,
    Column("id", Id, primary_key=True),
    Column("prospect_id", Id, ForeignKey("prospects.id"), nullable=False, index=True),
    Column("enrollment_id", Id, ForeignKey("enrollments.id"), index=True),
    Column("message_id", Id, ForeignKey("messages.id"), index=True),
    Column("provider_event_id", Id, ForeignKey("provider_events.id"), index=True),
    Column("kind", Text, nullable=False),
    Column("grade", Text, nullable=False),
    Column("meaning", Text),  # of a human answer: interested | no | stop | not_now | unclear ...
    Column("reasons", JSONB, nullable=False, server_default=text("'[]'::jsonb")),
    Column("revises", Id, ForeignKey("engagements.id"), index=True),
    Column("happened_at", Instant, nullable=False),
    Column("recorded_at", Instant, nullable=False, server_default=func.now()),
    UniqueConstraint("id", "prospect_id", "grade"),
    CheckConstraint("grade in ('machine', 'ambiguous', 'human')", name="grade"),
    # L1 in the database: what a machine could have done is never human.
    CheckConstraint(
        "grade <> 'human' or kind in"
        " ('reply', 'tap', 'form', 'booking', 'reaction', 'direct_message', 'acceptance')",
        name="human_kind",
    ),
)

unlocks = Table(
    "unlocks",
    metadata,
    Column("id", Id, primary_key=True),
    Column("engagement_id", Id, nullable=False, unique=True),
    Column("prospect_id", Id, ForeignKey("prospects.id"), nullable=False, index=True),
    Column("grade", Text, nullable=False, server_default="human"),
    Column("enrollment_id", Id, nullable=False, unique=True),
    Column("host_id", Id, ForeignKey("hosts.id"), nullable=False, index=True),
    Column("minutes", Integer, nullable=False),
    Column("created_at", Instant, nullable=False, server_default=func.now()),
    UniqueConstraint("id", "prospect_id"),
    ForeignKeyConstraint(
        ["engagement_id", "prospect_id", "grade"],
        ["engagements.id", "engagements.prospect_id", "engagements.grade"],
    ),
    ForeignKeyConstraint(
        ["enrollment_id", "prospect_id"], ["enrollments.id", "enrollments.prospect_id"]
    ),
    CheckConstraint("grade = 'human'", name="human"),
    CheckConstraint("minutes between 5 and 480", name="minutes"),
)
