"""The naive sender, as it is usually written: one arq job a message, sent, then marked as sent.

It is not careless: it looks whether the message was sent already, and arq runs a job again that
died with its worker. Started as `arq tests.faults.naive_worker.WorkerSettings`.
"""

import os
from email.message import EmailMessage
from typing import Any, ClassVar

import aiosmtplib
import asyncpg
from arq.connections import RedisSettings


async def startup(ctx: dict[str, Any]) -> None:
    """A pool of connections to the database."""
    ctx["pool"] = await asyncpg.create_pool(os.environ["NAIVE_DATABASE_URL"], min_size=1)


async def send(ctx: dict[str, Any], message_id: str) -> None:
    """Send one message, unless it is marked as sent, and mark it."""
    row = await ctx["pool"].fetchrow("select * from naive where id = $1", message_id)
    if row["sent_at"] is not None:
        return
    mail = EmailMessage()
    mail["From"], mail["To"] = "kari@sender.example", row["recipient"]
    mail["Subject"], mail["Message-ID"] = "Hello Ola", message_id
    mail.set_content("A short hello.")
    await aiosmtplib.send(mail, hostname="127.0.0.1", port=int(os.environ["NAIVE_SMTP_PORT"]))
    await ctx["pool"].execute("update naive set sent_at = now() where id = $1", message_id)


class WorkerSettings:
    """arq's defaults, but for two times that only make the wait shorter."""

    functions: ClassVar = [send]
    on_startup = startup
    redis_settings = RedisSettings.from_dsn(os.environ.get("NAIVE_REDIS_URL", "redis://nowhere"))
    poll_delay = 0.05  # 0.5 by default: 20 jobs a second
    job_timeout = 5  # 300 by default: a job whose worker died runs again ten seconds after that
