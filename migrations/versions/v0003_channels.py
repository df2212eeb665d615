"""More channels: connections, the trust of a source, and webhooks out."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision: str = "0003"
down_revision: str | None = "0002"
branch_labels: None = None
depends_on: None = None


def upgrade() -> None:
    op.create_table(
        "subscriptions",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("url", sa.Text(), nullable=False),
        sa.Column("about", sa.Text(), server_default="", nullable=False),
        sa.Column("kinds", postgresql.ARRAY(sa.Text()), nullable=False),
        sa.Column("secrets", sa.LargeBinary(), nullable=False),
        sa.Column("previous_until", sa.DateTime(timezone=True), nullable=True),
        sa.Column("enabled", sa.Boolean(), server_default=sa.text("true"), nullable=False),
        sa.Column("disabled_reason", sa.Text(), nullable=True),
        sa.Column("failing_since", sa.DateTime(timezone=True), nullable=True),
        sa.Column("after_history", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_subscriptions")),
    )
    op.create_table(
        "deliveries",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("subscription_id", sa.Uuid(), nullable=False),
        sa.Column("history_id", sa.BigInteger(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        sa.Column("state", sa.Text(), server_default="pending", nullable=False),
        sa.Column("attempt", sa.Integer(), server_default="0", nullable=False),
        sa.Column("due_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("lease_until", sa.DateTime(timezone=True), nullable=True),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
        ),
        sa.Column("settled_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint(
            "state in ('pending', 'delivered', 'failed')", name=op.f("ck_deliveries_state")
        ),
        sa.ForeignKeyConstraint(
            ["subscription_id"], ["subscriptions.id"], name=op.f("fk_deliveries_subscription_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_deliveries")),
        sa.UniqueConstraint(
            "subscription_id", "history_id", name=op.f("uq_deliveries_subscription_id_history_id")
        ),
    )
    op.create_index(
        "ix_deliveries_due",
        "deliveries",
        ["subscription_id", "due_at"],
        unique=False,
        postgresql_where=sa.text("state = 'pending'"),
    )
    op.create_table(
        "attempts",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("delivery_id", sa.Uuid(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("status", sa.Integer(), nullable=True),
        sa.Column("millis", sa.Integer(), nullable=True),
        sa.Column(
            "detail",
            postgresql.JSONB(astext_type=sa.Text()),
            server_default=sa.text("'{}'::jsonb"),
            nullable=False,
        ),
        sa.ForeignKeyConstraint(
            ["delivery_id"], ["deliveries.id"], name=op.f("fk_attempts_delivery_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_attempts")),
    )
    op.create_index(op.f("ix_attempts_delivery_id"), "attempts", ["delivery_id"], unique=False)
    op.create_table(
        "connections",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("identity_id", sa.Uuid(), nullable=False),
        sa.Column("prospect_id", sa.Uuid(), nullable=False),
        sa.Column("sender_id", sa.Uuid(), nullable=False),
        sa.Column("state", sa.Text(), server_default="none", nullable=False),
        sa.Column("user_ref", sa.Text(), nullable=True),
        sa.Column("thread_ref", sa.Text(), nullable=True),
        sa.Column("request_ref", sa.Text(), nullable=True),
        sa.Column("invited_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("connected_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint(
            "state in ('none', 'invited', 'connected', 'declined', 'withdrawn')",
            name=op.f("ck_connections_state"),
        ),
        sa.ForeignKeyConstraint(
            ["identity_id", "prospect_id"],
            ["identities.id", "identities.prospect_id"],
            name=op.f("fk_connections_identity_id_prospect_id"),
        ),
        sa.ForeignKeyConstraint(
            ["sender_id"], ["senders.id"], name=op.f("fk_connections_sender_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_connections")),
        sa.UniqueConstraint(
            "identity_id", "sender_id", name=op.f("uq_connections_identity_id_sender_id")
        ),
    )
    op.create_index(
        op.f("ix_connections_prospect_id"), "connections", ["prospect_id"], unique=False
    )
    op.create_index(
        "ix_connections_sender_thread_ref", "connections", ["sender_id", "thread_ref"], unique=False
    )
    op.create_index(
        "ix_connections_sender_user_ref", "connections", ["sender_id", "user_ref"], unique=False
    )
    op.add_column("messages", sa.Column("thread_ref", sa.Text(), nullable=True))
    op.create_index(
        "ix_messages_provider_ref",
        "messages",
        ["sender_id", "provider_ref"],
        unique=False,
        postgresql_where=sa.text("provider_ref is not null"),
    )
    op.add_column(
        "provider_events", sa.Column("trust", sa.Text(), server_default="signed", nullable=False)
    )
    op.add_column("provider_events", sa.Column("sender_id", sa.Uuid(), nullable=True))
    op.create_index(
        op.f("ix_provider_events_sender_id"), "provider_events", ["sender_id"], unique=False
    )
    op.create_foreign_key(
        op.f("fk_provider_events_sender_id"), "provider_events", "senders", ["sender_id"], ["id"]
    )
    op.create_check_constraint("trust", "provider_events", "trust in ('signed', 'weak')")
    op.drop_constraint(op.f("ck_messages_kind"), "messages", type_="check")
    op.create_check_constraint(
        "kind",
        "messages",
        "kind in ('request', 'outreach', 'call_offer', 'invitation', 'host_invitation')",
    )


def downgrade() -> None:
    op.drop_constraint(op.f("ck_messages_kind"), "messages", type_="check")
    op.create_check_constraint(
        "kind", "messages", "kind in ('outreach', 'call_offer', 'invitation', 'host_invitation')"
    )
    op.drop_constraint(op.f("ck_provider_events_trust"), "provider_events", type_="check")
    op.drop_constraint(op.f("fk_provider_events_sender_id"), "provider_events", type_="foreignkey")
    op.drop_index(op.f("ix_provider_events_sender_id"), table_name="provider_events")
    op.drop_column("provider_events", "sender_id")
    op.drop_column("provider_events", "trust")
    op.drop_index(
        "ix_messages_provider_ref",
        table_name="messages",
        postgresql_where=sa.text("provider_ref is not null"),
    )
    op.drop_column("messages", "thread_ref")
    op.drop_index("ix_connections_sender_user_ref", table_name="connections")
    op.drop_index("ix_connections_sender_thread_ref", table_name="connections")
    op.drop_index(op.f("ix_connections_prospect_id"), table_name="connections")
    op.drop_table("connections")
    op.drop_index(op.f("ix_attempts_delivery_id"), table_name="attempts")
    op.drop_table("attempts")
    op.drop_index(
        "ix_deliveries_due", table_name="deliveries", postgresql_where=sa.text("state = 'pending'")
    )
    op.drop_table("deliveries")
    op.drop_table("subscriptions")
