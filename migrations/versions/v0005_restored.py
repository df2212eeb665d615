"""When this database was restored, and from a snapshot of when."""

import sqlalchemy as sa
from alembic import op

revision: str = "0005"
down_revision: str | None = "0004"
branch_labels: None = None
depends_on: None = None


def upgrade() -> None:
    op.add_column("clock", sa.Column("snapshot_at", sa.DateTime(timezone=True), nullable=True))
    op.add_column("clock", sa.Column("restored_at", sa.DateTime(timezone=True), nullable=True))


def downgrade() -> None:
    op.drop_column("clock", "restored_at")
    op.drop_column("clock", "snapshot_at")
