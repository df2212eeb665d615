"""Users, sessions, one-time links, whose people are whose, and the audit log."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision: str = "0006"
down_revision: str | None = "0005"
branch_labels: None = None
depends_on: None = None

# Of each table that people change: which changes, what is never shown, what is no news.
WATCHED: dict[str, tuple[str, str, str]] = {
    "users": (
        "insert or update or delete",
        "password_hash,totp_secret,totp_offered",
        "totp_step,signed_in_at",
    ),
    "recovery_codes": ("insert or update or delete", "code_hash", ""),
    "api_keys": ("insert or update or delete", "secret_hash", "used_at"),
    "senders": ("insert or update or delete", "secrets", ""),
    "hosts": ("insert or update or delete", "", "number"),
    "host_exceptions": ("insert or update or delete", "", ""),
    "sequences": ("insert or update or delete", "", ""),
    # The version itself is immutable and has the words.
    "sequence_versions": ("insert", "", "definition,source"),
    "suppressions": ("insert or update or delete", "address_hash", ""),
    "subscriptions": ("insert or update or delete", "secrets", "after_history"),
    "network_lists": ("insert or update or delete", "", "ranges"),
    "companies": ("update or delete", "", ""),
    "prospects": ("insert or update or delete", "", "updated_at"),
    "identities": ("insert or update or delete", "address_hash", ""),
    "facts": ("insert or update or delete", "", ""),
    "tasks": ("update or delete", "", ""),
    "bookings": ("insert or update or delete", "", "host_number,busy,updated_at"),
    "enrollments": ("update of state", "", "due_at,entered_step_at"),
}

# `avtale.actor` is set by db.transaction() where a person acts, for that transaction only. What the
# machinery does by itself is in `history`; the condition of each trigger costs it a comparison.
ACTING = "coalesce(current_setting('avtale.actor', true), '') <> ''"

AUDIT_ROW = """
create function audit_row() returns trigger language plpgsql as $$
declare
  who jsonb := current_setting('avtale.actor')::jsonb;
  was jsonb := case when tg_op = 'INSERT' then null else to_jsonb(old) end;
  became jsonb := case when tg_op = 'DELETE' then null else to_jsonb(new) end;
  whole jsonb := coalesce(became, was);
  hidden text;
begin
  was := was - string_to_array(tg_argv[1], ',');
  became := became - string_to_array(tg_argv[1], ',');
  foreach hidden in array string_to_array(tg_argv[0], ',') loop
    if was ->> hidden is distinct from became ->> hidden and tg_op = 'UPDATE' then
      became := became || jsonb_build_object(hidden, case
        when became ->> hidden is null then 'null'::jsonb else '"(another secret)"'::jsonb end);
    elsif became ->> hidden is not null then
      became := became || jsonb_build_object(hidden, '(a secret)'::text);
    end if;
    if was ->> hidden is not null then
      was := was || jsonb_build_object(hidden, '(a secret)'::text);
    end if;
  end loop;
  if tg_op = 'UPDATE' then
    select jsonb_object_agg(a.key, b.value), jsonb_object_agg(a.key, a.value)
      into was, became
      from jsonb_each(became) a left join jsonb_each(was) b on b.key = a.key
     where a.value is distinct from b.value;
    if became is null then
      return null;
    end if;
  end if;
  insert into audit (operation, actor_kind, actor_id, actor_name, action, subject_kind, subject_id,
                     before, after)
  values ((who ->> 'operation')::uuid, who ->> 'kind', (who ->> 'id')::uuid, who ->> 'name',
          who ->> 'action', tg_table_name,
          coalesce(whole ->> 'id', whole ->> 'host_id', whole ->> 'user_id', whole ->> 'name'),
          was, became);
  perform set_config('avtale.audited', 'yes', true);
  return null;
end $$
"""

# An erasure may take out what names a person. Nothing else ever changes.
APPEND_ONLY = """
create function audit_append_only() returns trigger language plpgsql as $$
begin
  if tg_op = 'UPDATE' and new.redacted_at is not null and new.before is null and new.after is null
     and (to_jsonb(new) - array['before', 'after', 'redacted_at'])
       = (to_jsonb(old) - array['before', 'after', 'redacted_at']) then
    return new;
  end if;
  raise exception 'audit is append-only: % refused', tg_op
    using errcode = 'check_violation', constraint = 'audit_append_only';
end $$
"""


def upgrade() -> None:
    _accounts()
    _links()
    _audit()
    role = "role in ('admin', 'ops', 'rep', 'viewer')"
    op.add_column("api_keys", sa.Column("role", sa.Text(), server_default="ops", nullable=False))
    op.create_check_constraint(op.f("ck_api_keys_role"), "api_keys", role)
    for table, column in {"api_keys": "user_id", "prospects": "owner_id"}.items():
        op.add_column(table, sa.Column(column, sa.Uuid(), nullable=True))
        name = op.f(f"fk_{table}_{column}")
        op.create_foreign_key(name, table, "users", [column], ["id"])
    op.create_index(op.f("ix_api_keys_user_id"), "api_keys", ["user_id"])
    op.create_index(
        "ix_prospects_owner_id",
        "prospects",
        ["owner_id", "id"],
        postgresql_where=sa.text("owner_id is not null"),
    )
    _watch()


def _accounts() -> None:
    op.create_table(
        "users",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("email", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("role", sa.Text(), nullable=False),
        sa.Column("language", sa.Text(), nullable=True),
        sa.Column("theme", sa.Text(), server_default="auto", nullable=False),
        sa.Column("password_hash", sa.Text(), nullable=True),
        sa.Column("totp_secret", sa.LargeBinary(), nullable=True),
        sa.Column("totp_offered", sa.LargeBinary(), nullable=True),
        sa.Column("totp_step", sa.BigInteger(), nullable=True),
        sa.Column("disabled_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("signed_in_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
        ),
        sa.CheckConstraint("role in ('admin', 'ops', 'rep', 'viewer')", name=op.f("ck_users_role")),
        sa.CheckConstraint("theme in ('auto', 'light', 'dark')", name=op.f("ck_users_theme")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_users")),
        sa.UniqueConstraint("email", name=op.f("uq_users_email")),
    )
    op.create_table(
        "recovery_codes",
        sa.Column("user_id", sa.Uuid(), nullable=False),
        sa.Column("code_hash", sa.LargeBinary(), nullable=False),
        sa.Column("used_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name=op.f("fk_recovery_codes_user_id")),
        sa.PrimaryKeyConstraint("user_id", "code_hash", name=op.f("pk_recovery_codes")),
    )
    op.create_table(
        "sessions",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("user_id", sa.Uuid(), nullable=False),
        sa.Column("token_hash", sa.LargeBinary(), nullable=False),
        sa.Column("stage", sa.Text(), nullable=False),
        sa.Column("address", sa.Text(), server_default="", nullable=False),
        sa.Column("user_agent", sa.Text(), server_default="", nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("seen_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("stage in ('half', 'whole')", name=op.f("ck_sessions_stage")),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name=op.f("fk_sessions_user_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_sessions")),
        sa.UniqueConstraint("token_hash", name=op.f("uq_sessions_token_hash")),
    )
    op.create_index(op.f("ix_sessions_user_id"), "sessions", ["user_id"])
    op.create_index(op.f("ix_sessions_expires_at"), "sessions", ["expires_at"])


def _links() -> None:
    op.create_table(
        "access_links",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("user_id", sa.Uuid(), nullable=True),
        sa.Column("token_hash", sa.LargeBinary(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("used_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint(
            "kind in ('claim', 'invite', 'reset')", name=op.f("ck_access_links_kind")
        ),
        sa.CheckConstraint(
            "(kind = 'claim') = (user_id is null)", name=op.f("ck_access_links_whose")
        ),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name=op.f("fk_access_links_user_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_access_links")),
        sa.UniqueConstraint("token_hash", name=op.f("uq_access_links_token_hash")),
    )
    op.create_index(op.f("ix_access_links_user_id"), "access_links", ["user_id"])
    op.create_table(
        "tries",
        sa.Column("key", sa.LargeBinary(), nullable=False),
        sa.Column("count", sa.Integer(), nullable=False),
        sa.Column("since", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("key", name=op.f("pk_tries")),
    )
    op.create_index(op.f("ix_tries_since"), "tries", ["since"])


def _audit() -> None:
    op.create_table(
        "audit",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column(
            "at",
            sa.DateTime(timezone=True),
            server_default=sa.text("clock_timestamp()"),
            nullable=False,
        ),
        sa.Column("operation", sa.Uuid(), nullable=False),
        sa.Column("actor_kind", sa.Text(), nullable=False),
        sa.Column("actor_id", sa.Uuid(), nullable=True),
        sa.Column("actor_name", sa.Text(), nullable=False),
        sa.Column("action", sa.Text(), nullable=False),
        sa.Column("subject_kind", sa.Text(), nullable=True),
        sa.Column("subject_id", sa.Text(), nullable=True),
        sa.Column("before", postgresql.JSONB(), nullable=True),
        sa.Column("after", postgresql.JSONB(), nullable=True),
        sa.Column("redacted_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint(
            "actor_kind in ('user', 'key', 'cli', 'link')", name=op.f("ck_audit_actor_kind")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_audit")),
    )
    op.create_index("ix_audit_subject", "audit", ["subject_kind", "subject_id", "id"])
    op.create_index("ix_audit_actor", "audit", ["actor_id", "id"])


def _watch() -> None:
    op.execute(AUDIT_ROW)
    op.execute(APPEND_ONLY)
    op.execute(
        "create trigger audit_append_only before update or delete on audit"
        " for each row execute function audit_append_only()"
    )
    op.execute(
        "create trigger audit_no_truncate before truncate on audit"
        " for each statement execute function audit_append_only()"
    )
    for table, (events, hidden, ignored) in WATCHED.items():
        op.execute(
            f"create trigger {table}_audit after {events} on {table} for each row"
            f" when ({ACTING}) execute function audit_row('{hidden}', '{ignored}')"
        )


def downgrade() -> None:
    for table in WATCHED:
        op.execute(f"drop trigger {table}_audit on {table}")
    op.drop_index("ix_prospects_owner_id", "prospects")
    op.drop_column("prospects", "owner_id")
    op.drop_column("api_keys", "user_id")
    op.drop_column("api_keys", "role")
    for table in ("audit", "tries", "access_links", "sessions", "recovery_codes", "users"):
        op.drop_table(table)
    op.execute("drop function audit_append_only()")
    op.execute("drop function audit_row()")
