"""Hosts, their exceptions, and bookings."""

from sqlalchemy import (
    CheckConstraint,
    Column,
    Date,
    ForeignKey,
    ForeignKeyConstraint,
    Identity,
    Index,
    Integer,
    Table,
    Text,
    UniqueConstraint,
    func,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB, TSTZRANGE, ExcludeConstraint

from orchestrator.models.base import Id, Instant, metadata

hosts = Table(
    "hosts",
    metadata,
    Column("id", Id, primary_key=True),
    # A small integer beside the id: int4range(number, number, '[]') is what the exclusion
    # constraint compares, since GiST has no uuid equality without the btree_gist extension.
    Column("number", Integer, Identity(always=True), nullable=False, unique=True),
    Column("name", Text, nullable=False, unique=True),
    Column("display_name", Text, nullable=False),
    Column("email", Text, nullable=False),
    Column("zone", Text, nullable=False),
    Column("weekly", JSONB, nullable=False),  # {"mon": ["09:00-11:30", "12:30-16:00"], ...}
    Column("slot_minutes", Integer, nullable=False, server_default="30"),  # grid of starts
    Column("buffer_before_minutes", Integer, nullable=False, server_default="0"),
    Column("buffer_after_minutes", Integer, nullable=False, server_default="10"),
    Column("notice_minutes", Integer, nullable=False, server_default="240"),
    Column("horizon_days", Integer, nullable=False, server_default="21"),
    Column("location", Text, nullable=False, server_default=""),  # a meeting link or a place
    Column("created_at", Instant, nullable=False, server_default=func.now()),
    UniqueConstraint("id", "number"),
)

host_exceptions = Table(
    "host_exceptions",
    metadata,
    Column("host_id", Id, ForeignKey("hosts.id"), primary_key=True),
    Column("day", Date, primary_key=True),
    Column("hours", JSONB, nullable=False, server_default=text("'[]'::jsonb")),  # [] is closed
    Column("note", Text, nullable=False, server_default=""),
)

bookings = Table(
    "bookings",
    metadata,
    Column("id", Id, primary_key=True),
    Column("unlock_id", Id, nullable=False, index=True),
    Column("prospect_id", Id, nullable=False, index=True),
    Column("host_id", Id, nullable=False),
    Column("host_number", Integer, nullable=False),
    Column("during", TSTZRANGE, nullable=False),
    Column("busy", TSTZRANGE, nullable=False),  # during with the host's buffers
    Column("state", Text, nullable=False, server_default="booked"),
    Column("uid", Text, nullable=False, unique=True),  # RFC 5545 3.8.4.7, stable for life
    Column("revision", Integer, nullable=False, server_default="0"),  # iCalendar SEQUENCE
    Column("note", Text, nullable=False, server_default=""),
    Column("created_at", Instant, nullable=False, server_default=func.now()),
    Column("updated_at", Instant, nullable=False, server_default=func.now()),
    ForeignKeyConstraint(["unlock_id", "prospect_id"], ["unlocks.id", "unlocks.prospect_id"]),
    # Together: another host's number would slip past the exclusion constraint.
    ForeignKeyConstraint(["host_id", "host_number"], ["hosts.id", "hosts.number"]),
    CheckConstraint("state in ('booked', 'cancelled')", name="state"),
    CheckConstraint("busy @> during and not isempty(during)", name="busy_covers"),
    ExcludeConstraint(
        (text("int4range(host_number, host_number, '[]')"), "&&"),
        ("busy", "&&"),
        where=text("state = 'booked'"),
        name="no_double_booking",
        using="gist",
    ),
)
# One live call per unlock: moving changes the row, cancelling frees it.
Index(
    "uq_bookings_one_live",
    bookings.c.unlock_id,
    unique=True,
    postgresql_where=text("state = 'booked'"),
)
Index("ix_bookings_host_id", bookings.c.host_id)
