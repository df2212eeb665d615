"""Users, their sessions and second factors, links that are good once, and the audit log."""

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Column,
    ForeignKey,
    Identity,
    Index,
    Integer,
    LargeBinary,
    Table,
    Text,
    func,
)
from sqlalchemy.dialects.postgresql import JSONB

from orchestrator.models.base import Id, Instant, metadata

users = Table(
    "users",
    metadata,
    Column("id", Id, primary_key=True),
    Column("email", Text, nullable=False, unique=True),  # folded: rules.accounts.folded
    Column("name", Text, nullable=False),
    Column("role", Text, nullable=False),
    Column("language", Text),  # of the console; null: what the browser asks for
    Column("theme", Text, nullable=False, server_default="auto"),
    Column("password_hash", Text),  # argon2id; null until the first link was used
    Column("totp_secret", LargeBinary),  # sealed
    Column("totp_offered", LargeBinary),  # sealed; counts once a code of it was typed
    Column("totp_step", BigInteger),  # the last time step that was used: a code is good once
    Column("disabled_at", Instant),
    Column("signed_in_at", Instant),
    Column("created_at", Instant, nullable=False, server_default=func.now()),
    CheckConstraint("role in ('admin', 'ops', 'rep', 'viewer')", name="role"),
    CheckConstraint("theme in ('auto', 'light', 'dark')", name="theme"),
)

# Ways in when the telephone is lost, each good once.
recovery_codes = Table(
    "recovery_codes",
    metadata,
    Column("user_id", Id, ForeignKey("users.id"), primary_key=True),
    Column("code_hash", LargeBinary, primary_key=True),
    Column("used_at", Instant),
)

sessions = Table(
    "sessions",
    metadata,
    Column("id", Id, primary_key=True),
    Column("user_id", Id, ForeignKey("users.id"), nullable=False, index=True),
    Column("token_hash", LargeBinary, nullable=False, unique=True),  # sha256 of 256 random bits
    # half: the password was right and the second factor is still to come
    Column("stage", Text, nullable=False),
    Column("address", Text, nullable=False, server_default=""),
    Column("user_agent", Text, nullable=False, server_default=""),
    Column("created_at", Instant, nullable=False),
    Column("seen_at", Instant, nullable=False),
    Column("expires_at", Instant, nullable=False, index=True),
    CheckConstraint("stage in ('half', 'whole')", name="stage"),
)

# Links that somebody gets by mail or from the terminal; each is good once.
access_links = Table(
    "access_links",
    metadata,
    Column("id", Id, primary_key=True),
    Column("kind", Text, nullable=False),
    Column("user_id", Id, ForeignKey("users.id"), index=True),
    Column("token_hash", LargeBinary, nullable=False, unique=True),
    Column("created_at", Instant, nullable=False),
    Column("expires_at", Instant, nullable=False),
    Column("used_at", Instant),
    CheckConstraint("kind in ('claim', 'invite', 'reset')", name="kind"),
    CheckConstraint("(kind = 'claim') = (user_id is null)", name="whose"),
)

# How often somebody tried lately, by a keyed hash of the account or of the address they came from.
tries = Table(
    "tries",
    metadata,
    Column("key", LargeBinary, primary_key=True),
    Column("count", Integer, nullable=False),
    Column("since", Instant, nullable=False, index=True),
)

# Who changed what, with before and after: written by triggers and by `db.transaction()`, in the
# transaction of the change. Append-only (trigger), but for what an erasure takes out.
audit = Table(
    "audit",
    metadata,
    Column("id", BigInteger, Identity(always=True), primary_key=True),
    Column("at", Instant, nullable=False, server_default=func.clock_timestamp()),
    Column("operation", Id, nullable=False),  # one for all that one request or command did
    Column("actor_kind", Text, nullable=False),
    Column("actor_id", Id),
    Column("actor_name", Text, nullable=False),
    Column("action", Text, nullable=False),
    Column("subject_kind", Text),
    Column("subject_id", Text),
    Column("before", JSONB(none_as_null=True)),
    Column("after", JSONB(none_as_null=True)),
    Column("redacted_at", Instant),
    CheckConstraint("actor_kind in ('user', 'key', 'cli', 'link')", name="actor_kind"),
)
Index("ix_audit_subject", audit.c.subject_kind, audit.c.subject_id, audit.c.id)
Index("ix_audit_actor", audit.c.actor_id, audit.c.id)
