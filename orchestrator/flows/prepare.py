"""Freeze claimed messages: choose the wording, render, add footer and tracking, fix the bytes."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection

from channels.base import Channel
from orchestrator.config import Settings
from orchestrator.keys import Keys
from orchestrator.rules.outgoing import MessageRow, Outgoing


@dataclass(frozen=True, slots=True)
class Parts:
    """What `prepare` takes from the process: `Parts(app.settings, app.keys, app.channels)`."""

    settings: Settings
    keys: Keys
    channels: Mapping[str, Channel]


async def prepare(
    conn: AsyncConnection, parts: Parts, rows: Sequence[MessageRow], now: datetime
) -> dict[UUID, Outgoing]:
    """What is to be transmitted for each claimed message, by message id.

    A message that is frozen already comes back as it was stored. The number of queries does not
    depend on the number of messages. Writes `frozen` and `links`; no network.
    """
    raise NotImplementedError
