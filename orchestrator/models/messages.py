"""Senders and their lanes; messages, which are the outbox; what was frozen; tracked links."""

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Column,
    Computed,
    Date,
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

senders = Table(
    "senders",
    metadata,
    Column("id", Id, primary_key=True),
    Column("name", Text, nullable=False, unique=True),
    Column("channel", Text, nullable=False),
    Column("address", Text, nullable=False),
    Column("display_name", Text, nullable=False, server_default=""),
    # How the channel reaches the provider; the channel package owns the shape (no secrets).
    Column("settings", JSONB, nullable=False, server_default=text("'{}'::jsonb")),
    Column("secrets", LargeBinary),  # Fernet-sealed JSON, write-only at every door
    Column("daily_cap", Integer, nullable=False, server_default="50"),
    Column("gap_seconds", Integer, nullable=False, server_default="90"),
    Column("gap_jitter_seconds", Integer, nullable=False, server_default="60"),
    Column("zone", Text, nullable=False, server_default="UTC"),
    Column("hours", JSONB, nullable=False),  # rules.window.Window of the sender
    Column("paused_at", Instant),
    Column("pause_reason", Text),
    Column("created_at", Instant, nullable=False, server_default=func.now()),
    UniqueConstraint("channel", "address"),
    CheckConstraint("daily_cap >= 0 and gap_seconds >= 0 and gap_jitter_seconds >= 0", name="pace"),
)

# The moving part of a sender, apart from its settings so that a claim and a pause do not collide.
lanes = Table(
    "lanes",
    metadata,
    Column("sender_id", Id, ForeignKey("senders.id"), primary_key=True),
    Column("free_at", Instant, nullable=False, server_default=func.now()),  # minimum gap
    Column("parked_until", Instant),  # rate limit or circuit
    Column("park_reason", Text),
    Column("failures", Integer, nullable=False, server_default="0"),  # troubles in a row
    Column("day", Date),  # in the sender's zone
    Column("used", Integer, nullable=False, server_default="0"),  # hand-over attempts of `day`
)

messages = Table(
    "messages",
    metadata,
    Column("id", Id, primary_key=True),
    Column("enrollment_id", Id, nullable=False),
    Column("prospect_id", Id, nullable=False, index=True),
    # The step's id; notices about a booking use "booking:<booking id>:<sequence>:<to>".
    Column("step", Text, nullable=False),
    # request: asks to be let in on a channel where one must be, step "<step>:request";
    # outreach | call_offer | invitation (to the prospect, asked for) | host_invitation
    Column("kind", Text, nullable=False, server_default="outreach"),
    Column("channel", Text, nullable=False),
    Column("sender_id", Id, ForeignKey("senders.id"), nullable=False),
    Column("identity_id", Id, nullable=True),  # null only for host_invitation
    Column("unlock_id", Id, nullable=True),
    Column("booking_id", Id, nullable=True),
    Column("thread_ref", Text),  # the provider's conversation that it went to
    Column("thread_of", Id, ForeignKey("messages.id"), nullable=True),
    Column("state", Text, nullable=False, server_default="pending"),
    # What the indexes below stand on instead of the state: it stays while a message is leased and
    # handed over, so that these change the row alone and no index (a heap-only update).
    Column(
        "phase",
        Text,
        Computed(
            "case when state in ('pending', 'retry_wait', 'leased', 'sending') then 'open'"
            " when state = 'in_doubt' then 'doubt' else 'over' end",
            persisted=True,
        ),
        nullable=False,
    ),
    Column("due_at", Instant, nullable=False),
    Column("attempt", Integer, nullable=False, server_default="0"),
    Column("fence", BigInteger, nullable=False, server_default="0"),
    Column("lease_owner", Text),
    Column("lease_until", Instant),
    Column("rfc_message_id", Text, nullable=False, unique=True),
    Column("handed_at", Instant),  # the point of no return, database clock
    Column("settled_at", Instant),
    Column("provider_ref", Text),
    Column("last_class", Text),
    Column("last_detail", Text),
    Column("created_at", Instant, nullable=False, server_default=func.now()),
    UniqueConstraint("enrollment_id", "step"),
    UniqueConstraint("id", "prospect_id"),
    ForeignKeyConstraint(
        ["enrollment_id", "prospect_id"], ["enrollments.id", "enrollments.prospect_id"]
    ),
    ForeignKeyConstraint(
        ["identity_id", "prospect_id"], ["identities.id", "identities.prospect_id"]
    ),
    # use_alter: messages and what comes back of them point at each other.
    ForeignKeyConstraint(
        ["unlock_id", "prospect_id"],
        ["unlocks.id", "unlocks.prospect_id"],
        name="fk_messages_unlock_id_prospect_id",
        use_alter=True,
    ),
    ForeignKeyConstraint(
        ["booking_id"], ["bookings.id"], name="fk_messages_booking_id", use_alter=True
    ),
    CheckConstraint(
        "state in ('pending', 'leased', 'sending', 'sent', 'retry_wait', 'failed', 'in_doubt',"
        " 'abandoned', 'cancelled', 'suppressed')",
        name="state",
    ),
    CheckConstraint(
        "kind in ('request', 'outreach', 'call_offer', 'invitation', 'host_invitation')",
        name="kind",
    ),
    CheckConstraint("kind = 'host_invitation' or identity_id is not null", name="addressed"),
    # L1: the offer of a call exists only for an unlock.
    CheckConstraint("kind <> 'call_offer' or unlock_id is not null", name="offer_needs_unlock"),
    CheckConstraint(
        "kind not in ('invitation', 'host_invitation') or booking_id is not null",
        name="invitation_needs_booking",
    ),
)

Index(
    "ix_messages_claim",
    messages.c.sender_id,
    messages.c.due_at,
    messages.c.id,
    postgresql_where=text("phase = 'open'"),
)
Index("ix_messages_due", messages.c.due_at, postgresql_where=text("phase = 'open'"))
# By id: `handed_at` in an index would make a heap-only update of no hand-over.
Index("ix_messages_in_doubt", messages.c.id, postgresql_where=text("phase = 'doubt'"))
# Confirmations that a prospect asked for go past caps, gaps and windows.
Index(
    "ix_messages_confirmations",
    messages.c.due_at,
    postgresql_where=text("phase = 'open' and kind in ('invitation', 'host_invitation')"),
)
# Few messages have these: the others need no entry.
Index(
    "ix_messages_booking_id",
    messages.c.booking_id,
    postgresql_where=text("booking_id is not null"),
)
Index("ix_messages_thread_of", messages.c.thread_of, postgresql_where=text("thread_of is not null"))
Index("ix_messages_identity", messages.c.identity_id)
Index(
    "ix_messages_provider_ref",
    messages.c.sender_id,
    messages.c.provider_ref,
    postgresql_where=text("provider_ref is not null"),
)
# L4: one unlock opens one offer.
Index(
    "uq_messages_one_offer",
    messages.c.unlock_id,
    unique=True,
    postgresql_where=text("kind = 'call_offer'"),
)

# The bytes of the first attempt. A trigger refuses UPDATE: a retry is byte-identical.
frozen = Table(
    "frozen",
    metadata,
    Column("message_id", Id, ForeignKey("messages.id"), primary_key=True),
    Column("recipient", Text, nullable=False),
    Column("subject", Text, nullable=False, server_default=""),
    Column("text", Text, nullable=False, server_default=""),  # what the person reads, for "why"
    Column("payload", LargeBinary, nullable=False),  # what the channel transmits
    Column("sha256", LargeBinary, nullable=False),
    Column("frozen_at", Instant, nullable=False, server_default=func.now()),
)

# A link in a message that is followed; the address never rides in the URL.
links = Table(
    "links",
    metadata,
    Column("id", Id, primary_key=True),
    Column("message_id", Id, ForeignKey("messages.id"), nullable=False, index=True),
    Column("url", Text, nullable=False),
)
