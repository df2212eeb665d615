"""What the database itself refuses: illegal transitions, rewritten history, a changed version."""

from alembic import op

revision: str = "0002"
down_revision: str | None = "0001"
branch_labels: None = None
depends_on: None = None

TRANSITIONS = """
create function message_transition() returns trigger language plpgsql as $$
begin
  if tg_op = 'INSERT' then
    if new.state <> 'pending' or new.fence <> 0 then
      raise exception 'a message starts as pending, not %', new.state
        using errcode = 'check_violation', constraint = 'message_transition';
    end if;
    return new;
  end if;
  if new.fence < old.fence then
    raise exception 'the fence of a message never falls (% -> %)', old.fence, new.fence
      using errcode = 'check_violation', constraint = 'message_fence';
  end if;
  if new.state = old.state then
    return new;
  end if;
  if not (case old.state
      when 'pending' then new.state in ('leased', 'cancelled', 'suppressed')
      when 'retry_wait' then new.state in ('leased', 'cancelled', 'suppressed', 'failed')
      when 'leased' then new.state in ('sending', 'retry_wait', 'failed', 'cancelled', 'suppressed')
      when 'sending' then new.state in ('sent', 'retry_wait', 'failed', 'in_doubt')
      when 'in_doubt' then new.state in ('sent', 'retry_wait', 'abandoned')
      else false end) then
    raise exception 'a message cannot go from % to %', old.state, new.state
      using errcode = 'check_violation', constraint = 'message_transition';
  end if;
  if new.state = 'leased' and new.fence <= old.fence then
    raise exception 'a lease raises the fence'
      using errcode = 'check_violation', constraint = 'message_fence';
  end if;
  return new;
end $$
"""

REFUSE = """
create function refuse_change() returns trigger language plpgsql as $$
begin
  raise exception '% is append-only: % refused', tg_table_name, tg_op
    using errcode = 'check_violation', constraint = tg_table_name || '_append_only';
end $$
"""


def upgrade() -> None:
    op.execute(TRANSITIONS)
    op.execute(REFUSE)
    op.execute(
        "create trigger message_transition before insert or update of state, fence on messages"
        " for each row execute function message_transition()"
    )
    for table, events in {
        "sequence_versions": "update or delete",
        "engagements": "update or delete",
        "history": "update or delete",
        "frozen": "update",
    }.items():
        op.execute(
            f"create trigger {table}_append_only before {events} on {table}"
            " for each row execute function refuse_change()"
        )
        if "delete" in events:
            op.execute(
                f"create trigger {table}_no_truncate before truncate on {table}"
                " for each statement execute function refuse_change()"
            )


def downgrade() -> None:
    for table in ("sequence_versions", "engagements", "history", "frozen"):
        op.execute(f"drop trigger if exists {table}_append_only on {table}")
        op.execute(f"drop trigger if exists {table}_no_truncate on {table}")
    op.execute("drop trigger message_transition on messages")
    op.execute("drop function message_transition()")
    op.execute("drop function refuse_change()")
