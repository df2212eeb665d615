"""Lists of networks that opens and clicks are told apart by."""

import sqlalchemy as sa
from alembic import op

revision: str = "0004"
down_revision: str | None = "0003"
branch_labels: None = None
depends_on: None = None


def upgrade() -> None:
    op.create_table(
        "network_lists",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("revision", sa.Uuid(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("ranges", sa.LargeBinary(), nullable=False),
        sa.Column("size", sa.Integer(), nullable=False),
        sa.Column(
            "fetched_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
        ),
        sa.CheckConstraint(
            "kind in ('prefetch', 'proxy', 'scanner', 'datacentre')",
            name=op.f("ck_network_lists_kind"),
        ),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_network_lists")),
    )


def downgrade() -> None:
    op.drop_table("network_lists")
