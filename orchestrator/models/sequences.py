"""Sequences, their immutable versions, and enrollments that pin a prospect to one version."""

from sqlalchemy import (
    CheckConstraint,
    Column,
    ForeignKey,
    Index,
    Integer,
    Table,
    Text,
    UniqueConstraint,
    func,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB

from orchestrator.models.base import Id, Instant, metadata

sequences = Table(
    "sequences",
    metadata,
    Column("id", Id, primary_key=True),
    Column("name", Text, nullable=False, unique=True),
    # active | paused | archived
    Column("state", Text, nullable=False, server_default="active"),
    Column("created_at", Instant, nullable=False, server_default=func.now()),
    CheckConstraint("state in ('active', 'paused', 'archived')", name="state"),
)

# Rows never change: a trigger refuses UPDATE and DELETE.
sequence_versions = Table(
    "sequence_versions",
    metadata,
    Column("id", Id, primary_key=True),
    Column("sequence_id", Id, ForeignKey("sequences.id"), nullable=False),
    Column("number", Integer, nullable=False),
    Column("definition", JSONB, nullable=False),  # rules.definition.Definition, templates inlined
    Column("source", Text, nullable=False),  # the file as it was written
    Column("digest", Text, nullable=False),  # sha256 of the canonical definition
    Column("published_at", Instant, nullable=False, server_default=func.now()),
    UniqueConstraint("sequence_id", "number"),
    UniqueConstraint("sequence_id", "digest"),
)

enrollments = Table(
    "enrollments",
    metadata,
    Column("id", Id, primary_key=True),
    Column("prospect_id", Id, ForeignKey("prospects.id"), nullable=False),
    Column("sequence_id", Id, ForeignKey("sequences.id"), nullable=False),
    Column("version_id", Id, ForeignKey("sequence_versions.id"), nullable=False, index=True),
    Column("sender_id", Id, ForeignKey("senders.id"), nullable=False, index=True),
    # active: the planner looks at it when due; sending: a message of this step is on its way;
    # held: an open task must be done first; stopped, finished: over
    Column("state", Text, nullable=False, server_default="active"),
    Column("step", Text, nullable=False),
    Column("due_at", Instant),  # when the planner looks again; null when a message or task decides
    Column("entered_step_at", Instant, nullable=False, server_default=func.now()),
    # Set by the first human answer: from then on only what the answer opened may leave (L4).
    Column("answered_at", Instant),
    Column("stop_reason", Text),
    Column("ended_at", Instant),
    Column("created_at", Instant, nullable=False, server_default=func.now()),
    UniqueConstraint("prospect_id", "sequence_id"),
    UniqueConstraint("id", "prospect_id"),
    CheckConstraint("state in ('active', 'sending', 'held', 'stopped', 'finished')", name="state"),
)

Index(
    "ix_enrollments_due",
    enrollments.c.due_at,
    enrollments.c.id,
    postgresql_where=text("state = 'active'"),
)
Index(
    "ix_enrollments_waiting",
    enrollments.c.prospect_id,
    postgresql_where=text("state in ('sending', 'held')"),
)
Index("ix_enrollments_sequence_state", enrollments.c.sequence_id, enrollments.c.state)
