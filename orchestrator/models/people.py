"""Companies, prospects, their identities and facts, and suppressions."""

from typing import Any

from sqlalchemy import (
    CheckConstraint,
    Column,
    ColumnElement,
    Date,
    ForeignKey,
    ForeignKeyConstraint,
    Index,
    LargeBinary,
    Table,
    Text,
    UniqueConstraint,
    func,
    literal_column,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB

from orchestrator.models.base import Id, Instant, metadata

companies = Table(
    "companies",
    metadata,
    Column("id", Id, primary_key=True),
    Column("name", Text, nullable=False),
    # What two rows of one company share: the domain when there is one, else the folded name.
    Column("key", Text, nullable=False, unique=True),
    Column("domain", Text),
    Column("country", Text),
    Column("created_at", Instant, nullable=False, server_default=func.now()),
)

prospects = Table(
    "prospects",
    metadata,
    Column("id", Id, primary_key=True),
    Column("company_id", Id, ForeignKey("companies.id"), index=True),
    Column("first_name", Text, nullable=False, server_default=""),
    Column("last_name", Text, nullable=False, server_default=""),
    Column("title", Text),
    Column("language", Text),  # ISO 639: nb, sv, en ...
    Column("country", Text),  # ISO 3166-1 alpha-2
    Column("zone", Text),  # IANA name; null when unknown, and then the window narrows
    Column("phone", Text),  # E.164
    Column("preferred_channel", Text),  # what the prospect chose
    # "Not now: come back on ...": nothing leaves before this instant.
    Column("not_before", Instant),
    # Set once by an opt-out; never cleared by code (L4).
    Column("opted_out_at", Instant),
    Column("paused_at", Instant),  # by sales ops, reversible
    Column("owner_id", Id, ForeignKey("users.id")),  # the rep whose person this is
    Column("attributes", JSONB, nullable=False, server_default=text("'{}'::jsonb")),
    Column("created_at", Instant, nullable=False, server_default=func.now()),
    Column("updated_at", Instant, nullable=False, server_default=func.now()),
)

identities = Table(
    "identities",
    metadata,
    Column("id", Id, primary_key=True),
    Column("prospect_id", Id, ForeignKey("prospects.id"), nullable=False, index=True),
    Column("channel", Text, nullable=False),
    Column("address", Text, nullable=False),  # canonical form: what the envelope carries
    Column("address_hash", LargeBinary, nullable=False, index=True),  # the suppression key
    # usable | bounced
    Column("state", Text, nullable=False, server_default="usable"),
    Column("created_at", Instant, nullable=False, server_default=func.now()),
    UniqueConstraint("channel", "address"),
    UniqueConstraint("id", "prospect_id"),
    CheckConstraint("state in ('usable', 'bounced')", name="state"),
)

# How one sender and one identity know each other on a channel where a person has to be reached
# through the provider's own references, or has to let us in first.
connections = Table(
    "connections",
    metadata,
    Column("id", Id, primary_key=True),
    Column("identity_id", Id, nullable=False),
    Column("prospect_id", Id, nullable=False, index=True),
    Column("sender_id", Id, ForeignKey("senders.id"), nullable=False),
    # none: nothing was asked; invited; connected: messages may go; declined, withdrawn: not before
    # the ban is over
    Column("state", Text, nullable=False, server_default="none"),
    Column("user_ref", Text),
    Column("thread_ref", Text),
    Column("request_ref", Text),
    Column("invited_at", Instant),
    Column("connected_at", Instant),
    Column("ended_at", Instant),
    UniqueConstraint("identity_id", "sender_id"),
    ForeignKeyConstraint(
        ["identity_id", "prospect_id"], ["identities.id", "identities.prospect_id"]
    ),
    CheckConstraint(
        "state in ('none', 'invited', 'connected', 'declined', 'withdrawn')", name="state"
    ),
)
Index("ix_connections_sender_user_ref", connections.c.sender_id, connections.c.user_ref)
Index("ix_connections_sender_thread_ref", connections.c.sender_id, connections.c.thread_ref)

# Facts of research about one prospect. Append-only: of a name, the newest by found_on and
# recorded_at wins.
facts = Table(
    "facts",
    metadata,
    Column("id", Id, primary_key=True),
    Column("prospect_id", Id, ForeignKey("prospects.id"), nullable=False),
    Column("name", Text, nullable=False),  # "pain" for the column fact.pain
    Column("value", Text, nullable=False),
    Column("source", Text),
    Column("found_on", Date),
    Column("recorded_at", Instant, nullable=False, server_default=func.now()),
    UniqueConstraint(
        "prospect_id", "name", "value", "source", "found_on", postgresql_nulls_not_distinct=True
    ),
)

# No foreign key to prospects: a suppression outlives the erasure of the person.
suppressions = Table(
    "suppressions",
    metadata,
    Column("id", Id, primary_key=True),
    # person: everything to whoever holds this address; address: this address only
    Column("scope", Text, nullable=False),
    Column("channel", Text, nullable=False),
    Column("address_hash", LargeBinary, nullable=False),
    Column("prospect_id", Id, index=True),
    Column("reason", Text, nullable=False),  # opt_out | hard_bounce | complaint | imported | manual
    Column("created_at", Instant, nullable=False, server_default=func.now()),
    UniqueConstraint("address_hash", "scope"),
    CheckConstraint("scope in ('person', 'address')", name="scope"),
)

Index("ix_prospects_created_at_id", prospects.c.created_at, prospects.c.id)
Index(
    "ix_prospects_owner_id",
    prospects.c.owner_id,
    prospects.c.id,
    postgresql_where=text("owner_id is not null"),
)

# What people are found by when somebody types: each word begins one of these. Signs that the parser
# of PostgreSQL would read as part of a path, a host or an address stand between words here.
WORDS_OF_PERSON: ColumnElement[Any] = literal_column(
    "to_tsvector('simple'::regconfig, translate((((prospects.first_name || ' ')"
    " || prospects.last_name) || ' ') || coalesce(prospects.title, ''), '/.@&', '    '))"
)
WORDS_OF_COMPANY: ColumnElement[Any] = literal_column(
    "to_tsvector('simple'::regconfig, translate(companies.name, '/.@&', '    '))"
)
Index(
    "ix_prospects_words",
    text(
        "to_tsvector('simple'::regconfig, translate((((first_name || ' ') || last_name)"
        " || ' ') || coalesce(title, ''), '/.@&', '    '))"
    ),
    postgresql_using="gin",
    _table=prospects,
)
Index(
    "ix_companies_words",
    text("to_tsvector('simple'::regconfig, translate(name, '/.@&', '    '))"),
    postgresql_using="gin",
    _table=companies,
)
Index(
    "ix_identities_address",
    identities.c.address,
    postgresql_ops={"address": "text_pattern_ops"},
)
