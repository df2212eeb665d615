"""Every table, so that `metadata` is whole for Alembic."""

from orchestrator.models import (
    access,
    accounts,
    calls,
    engagement,
    messages,
    networks,
    outbound,
    people,
    sequences,
    work,
)
from orchestrator.models.base import metadata

__all__ = [
    "access",
    "accounts",
    "calls",
    "engagement",
    "messages",
    "metadata",
    "networks",
    "outbound",
    "people",
    "sequences",
    "work",
]
