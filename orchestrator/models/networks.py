"""Lists of networks that `avtale networks update` fetched."""

from sqlalchemy import CheckConstraint, Column, Integer, LargeBinary, Table, Text, func

from orchestrator.models.base import Id, Instant, metadata

network_lists = Table(
    "network_lists",
    metadata,
    Column("name", Text, primary_key=True),
    Column("revision", Id, nullable=False),  # another one with every update
    Column("kind", Text, nullable=False),  # rules.networks.KINDS
    Column("source", Text, nullable=False),  # the URL or file that the operator named
    Column("ranges", LargeBinary, nullable=False),  # merged and packed: rules.networks.Ranges
    Column("size", Integer, nullable=False),  # ranges as they were published
    Column("fetched_at", Instant, nullable=False, server_default=func.now()),
    CheckConstraint("kind in ('prefetch', 'proxy', 'scanner', 'datacentre')", name="kind"),
)
