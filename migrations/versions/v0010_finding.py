"""People are found by the beginnings of their words: name and title, company, address."""

from alembic import op
from sqlalchemy import text

revision: str = "0010"
down_revision: str | None = "0009"
branch_labels: None = None
depends_on: None = None


def upgrade() -> None:
    op.create_index(
        "ix_prospects_words",
        "prospects",
        [
            text(
                "to_tsvector('simple'::regconfig, translate((((first_name || ' ') || last_name)"
                " || ' ') || coalesce(title, ''), '/.@&', '    '))"
            )
        ],
        postgresql_using="gin",
    )
    op.create_index(
        "ix_companies_words",
        "companies",
        [text("to_tsvector('simple'::regconfig, translate(name, '/.@&', '    '))")],
        postgresql_using="gin",
    )
    op.create_index(
        "ix_identities_address",
        "identities",
        ["address"],
        postgresql_ops={"address": "text_pattern_ops"},
    )


def downgrade() -> None:
    op.drop_index("ix_identities_address", "identities")
    op.drop_index("ix_companies_words", "companies")
    op.drop_index("ix_prospects_words", "prospects")
