"""What is due of the enrollments in an order that a watermark can name: by due time and id."""

from alembic import op
from sqlalchemy import text

revision: str = "0009"
down_revision: str | None = "0008"
branch_labels: None = None
depends_on: None = None


def upgrade() -> None:
    _index(["due_at", "id"])


def downgrade() -> None:
    _index(["due_at"])


def _index(columns: list[str]) -> None:
    op.drop_index("ix_enrollments_due", "enrollments")
    op.create_index(
        "ix_enrollments_due", "enrollments", columns, postgresql_where=text("state = 'active'")
    )
