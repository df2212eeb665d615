"""The usual way to build this, as a measure: one arq job, ORM transactions and an `EmailMessage`
for each message, over a connection that stays open. It checks nothing and may send twice."""

import asyncio
from email.message import EmailMessage
from email.utils import formatdate, make_msgid
from html import escape

import aiosmtplib
from arq.connections import ArqRedis, RedisSettings, create_pool
from arq.worker import Worker, func
from jinja2 import Environment
from sqlalchemy import String, select
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession, async_sessionmaker
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column
from sqlalchemy.sql.functions import count

from bench.place import LETTER, Clock
from orchestrator.db import make_engine


class Base(DeclarativeBase):
    """Tables of the usual way."""


class Mail(Base):
    """One message to send."""

    __tablename__ = "usual_mail"
    id: Mapped[int] = mapped_column(primary_key=True)
    address: Mapped[str] = mapped_column(String)
    first_name: Mapped[str] = mapped_column(String)
    company: Mapped[str] = mapped_column(String)
    state: Mapped[str] = mapped_column(String, default="pending")


_ENV = Environment(autoescape=False)
_SUBJECT, _TEXT = _ENV.from_string(LETTER["subject"]), _ENV.from_string(LETTER["text"])


class UsualWay:
    """Sends with an arq worker. `rate` returns messages a second."""

    def __init__(self, database_url: str, redis_url: str, port: int) -> None:
        self._engine: AsyncEngine = make_engine(database_url)
        self._sessions: async_sessionmaker[AsyncSession] = async_sessionmaker(self._engine)
        self._redis_url = redis_url
        self._redis: ArqRedis
        self._port = port
        self._idle: asyncio.Queue[aiosmtplib.SMTP] = asyncio.Queue()

    async def open(self, connections: int) -> None:
        """Make the table and the connections."""
        async with self._engine.begin() as conn:
            await conn.run_sync(Base.metadata.create_all)
        self._redis = await create_pool(RedisSettings.from_dsn(self._redis_url))
        for _ in range(connections):
            smtp = aiosmtplib.SMTP(hostname="127.0.0.1", port=self._port, start_tls=False)
            await smtp.connect()
            self._idle.put_nowait(smtp)

    async def rate(self, mails: int) -> float:
        """Insert `mails`, then enqueue and send them all."""
        async with self._sessions.begin() as session:
            made = [
                Mail(address=f"p{n}@prospect.example", first_name="Ola", company="Acme AS")
                for n in range(mails)
            ]
            session.add_all(made)
            await session.flush()
            ids = [one.id for one in made]
        clock = Clock()
        for one in ids:
            await self._redis.enqueue_job("send", one, _queue_name="usual")
        worker = Worker(
            [func(self._send, name="send")],
            redis_pool=self._redis,
            queue_name="usual",
            burst=True,
            poll_delay=0.01,
            max_jobs=self._idle.qsize(),
            handle_signals=False,
        )
        await worker.async_run()
        took = clock.seconds
        async with self._sessions() as session:
            done = select(count()).where(Mail.id.in_(ids), Mail.state == "sent")
            if await session.scalar(done) != mails:
                raise RuntimeError("the usual way did not send them all")
        return mails / took

    async def _send(self, _ctx: object, mail_id: int) -> None:
        async with self._sessions.begin() as session:
            mail = (await session.execute(select(Mail).where(Mail.id == mail_id))).scalar_one()
            values = {"first_name": mail.first_name, "company": {"name": mail.company}}
            address = mail.address
        message = EmailMessage()
        message["From"], message["To"] = "Kari <kari@sender.example>", address
        message["Subject"] = _SUBJECT.render(values)
        message["Date"], message["Message-ID"] = formatdate(), make_msgid(domain="sender.example")
        text = _TEXT.render(values)
        message.set_content(text)
        message.add_alternative(f"<p>{escape(text)}</p>", subtype="html")
        smtp = await self._idle.get()
        try:
            await smtp.send_message(message)
        finally:
            self._idle.put_nowait(smtp)
        async with self._sessions.begin() as session:
            found = await session.get(Mail, mail_id)
            assert found is not None
            found.state = "sent"

    async def close(self) -> None:
        """Hang up."""
        while not self._idle.empty():
            self._idle.get_nowait().close()
        await self._redis.aclose()
        await self._engine.dispose()
