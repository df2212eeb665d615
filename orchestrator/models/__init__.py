"""Every table, so that `metadata` is whole for Alembic."""

from orchestrator.models import (
    access,
    calls,
    engagement,
    messages,
    outbound,
    people,
    sequences,
    work,
)
from orchestrator.models.base import metadata

__all__ = [
    "access",
    "calls",
    "engagement",
    "messages",
    "metadata",
    "outbound",
    "people",
    "sequences",
    "work",
]
