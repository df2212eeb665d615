"""Hits that wait to be judged have a state of their own: no answer waits behind them."""

import sqlalchemy as sa
from alembic import op

revision: str = "0008"
down_revision: str | None = "0007"
branch_labels: None = None
depends_on: None = None

_STATE = "state in ('stored', 'seen', 'handled', 'unmatched', 'failed')"
_BEFORE = "state in ('stored', 'handled', 'unmatched', 'failed')"


def _allow(states: str) -> None:
    # Not validated: the rows that are there kept the narrower rule, and nobody reads them all.
    op.execute("alter table provider_events drop constraint ck_provider_events_state")
    op.execute(
        f"alter table provider_events add constraint ck_provider_events_state"
        f" check ({states}) not valid"
    )


def upgrade() -> None:
    _allow(_STATE)
    op.create_index(
        "ix_provider_events_seen",
        "provider_events",
        ["received_at"],
        postgresql_where=sa.text("state = 'seen'"),
    )


def downgrade() -> None:
    op.drop_index("ix_provider_events_seen", "provider_events")
    op.execute("delete from provider_events where state = 'seen'")
    _allow(_BEFORE)
