"""Webhooks out: who subscribed, what is to be delivered to them, and every attempt."""

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    ForeignKey,
    Identity,
    Index,
    Integer,
    LargeBinary,
    Table,
    Text,
    UniqueConstraint,
    func,
    text,
)
from sqlalchemy.dialects.postgresql import ARRAY, JSONB

from orchestrator.models.base import Id, Instant, metadata

subscriptions = Table(
    "subscriptions",
    metadata,
    Column("id", Id, primary_key=True),
    Column("url", Text, nullable=False),
    Column("about", Text, nullable=False, server_default=""),
    Column("kinds", ARRAY(Text), nullable=False),  # "message.sent", "booking.*", "*"
    # Two live secrets while one replaces the other: sealed JSON {"current": ..., "previous": ...}
    Column("secrets", LargeBinary, nullable=False),
    Column("previous_until", Instant),
    Column("enabled", Boolean, nullable=False, server_default=text("true")),
    Column("disabled_reason", Text),
    Column("failing_since", Instant),
    # How far in `history` this subscription has been fanned out.
    Column("after_history", BigInteger, nullable=False, server_default="0"),
    Column("created_at", Instant, nullable=False, server_default=func.now()),
)

deliveries = Table(
    "deliveries",
    metadata,
    Column("id", Id, primary_key=True),  # the webhook-id: the receiver's idempotency key
    Column("subscription_id", Id, ForeignKey("subscriptions.id"), nullable=False),
    Column("history_id", BigInteger, nullable=False),
    Column("kind", Text, nullable=False),
    Column("body", LargeBinary, nullable=False),
    Column("state", Text, nullable=False, server_default="pending"),
    Column("attempt", Integer, nullable=False, server_default="0"),
    Column("due_at", Instant, nullable=False),
    Column("lease_until", Instant),
    Column("created_at", Instant, nullable=False, server_default=func.now()),
    Column("settled_at", Instant),
    UniqueConstraint("subscription_id", "history_id"),
    CheckConstraint("state in ('pending', 'delivered', 'failed')", name="state"),
)
Index(
    "ix_deliveries_due",
    deliveries.c.subscription_id,
    deliveries.c.due_at,
    postgresql_where=text("state = 'pending'"),
)

# The delivery log (append-only by habit; old rows are dropped with their delivery).
attempts = Table(
    "attempts",
    metadata,
    Column("id", BigInteger, Identity(always=True), primary_key=True),
    Column("delivery_id", Id, ForeignKey("deliveries.id"), nullable=False, index=True),
    Column("at", Instant, nullable=False),
    Column("status", Integer),  # null: no answer
    Column("millis", Integer),
    Column("detail", JSONB, nullable=False, server_default=text("'{}'::jsonb")),
)
