"""How far each mailbox has been read, and which mailboxes there are."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from sqlalchemy import RowMapping, exists, func, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from orchestrator.models.engagement import provider_events
from orchestrator.models.messages import senders
from orchestrator.models.work import mail_cursors


async def mailboxes(conn: AsyncConnection) -> Sequence[RowMapping]:
    """Email senders whose answers arrive by IMAP, also paused ones: people answer those, too."""
    rows = await conn.execute(
        select(senders)
        .where(
            senders.c.channel == "email",
            func.jsonb_typeof(senders.c.settings["imap"]) == "object",
        )
        .order_by(senders.c.id)
    )
    return rows.mappings().all()


async def get(conn: AsyncConnection, sender_id: UUID, folder: str) -> RowMapping | None:
    """Where reading stopped."""
    rows = await conn.execute(
        select(mail_cursors).where(
            mail_cursors.c.sender_id == sender_id, mail_cursors.c.folder == folder
        )
    )
    return rows.mappings().one_or_none()


async def advance(
    conn: AsyncConnection,
    sender_id: UUID,
    folder: str,
    *,
    uidvalidity: int,
    uid: int,
    now: datetime,
) -> None:
    """Note that everything up to `uid` is stored. Never goes back within one UIDVALIDITY, so that
    two readers of one mailbox do no harm."""
    given = insert(mail_cursors).values(
        sender_id=sender_id, folder=folder, uidvalidity=uidvalidity, last_uid=uid, seen_at=now
    )
    await conn.execute(
        given.on_conflict_do_update(
            index_elements=["sender_id", "folder"],
            set_={"uidvalidity": uidvalidity, "last_uid": uid, "seen_at": now},
            where=(mail_cursors.c.uidvalidity != uidvalidity) | (mail_cursors.c.last_uid < uid),
        )
    )


async def has_mail(conn: AsyncConnection, source: str, message_id: str) -> bool:
    """Whether a mail with this Message-ID came from this source before. Without an index: asked
    only while a mailbox is read again, after its UIDVALIDITY has changed."""
    row = await conn.execute(
        select(
            exists().where(
                provider_events.c.source == source,
                provider_events.c.detail["message_id"].astext == message_id,
            )
        )
    )
    return bool(row.scalar_one())
