"""Alembic's environment: runs on a connection handed in by `orchestrator.migrate`."""

from alembic import context

from orchestrator.models import metadata

connection = context.config.attributes["connection"]
context.configure(
    connection=connection,
    target_metadata=metadata,
    compare_type=True,
    compare_server_default=False,
    transaction_per_migration=True,
)
with context.begin_transaction():
    # A migration that cannot get its lock gives up instead of queueing every query behind it.
    connection.exec_driver_sql("set lock_timeout = '5s'")
    context.run_migrations()
