"""API keys and the answers that an Idempotency-Key replays."""

from sqlalchemy import (
    CheckConstraint,
    Column,
    ForeignKey,
    Integer,
    LargeBinary,
    Table,
    Text,
    func,
)
from sqlalchemy.dialects.postgresql import ARRAY

from orchestrator.models.base import Id, Instant, metadata

api_keys = Table(
    "api_keys",
    metadata,
    Column("id", Id, primary_key=True),
    Column("name", Text, nullable=False, unique=True),
    Column("secret_hash", LargeBinary, nullable=False, unique=True),  # sha256 of a 256-bit secret
    Column("scopes", ARRAY(Text), nullable=False),
    # Scopes say what the key is for, the role how far anybody in that role reaches.
    Column("role", Text, nullable=False, server_default="ops"),
    Column("user_id", Id, ForeignKey("users.id"), index=True),  # whose people a rep's key sees
    Column("created_at", Instant, nullable=False, server_default=func.now()),
    Column("used_at", Instant),
    Column("revoked_at", Instant),
    CheckConstraint("role in ('admin', 'ops', 'rep', 'viewer')", name="role"),
)

idempotency_keys = Table(
    "idempotency_keys",
    metadata,
    Column("api_key_id", Id, ForeignKey("api_keys.id"), primary_key=True),
    Column("key", Text, primary_key=True),
    Column("request_hash", LargeBinary, nullable=False),
    Column("status", Integer),
    Column("body", LargeBinary),
    Column("created_at", Instant, nullable=False, server_default=func.now(), index=True),
)
