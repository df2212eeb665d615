"""Sending to a provider far away: a sink that answers 40 ms late, beside plain aiosmtplib."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import aiosmtplib
from sqlalchemy import text

from bench.measure import Comparison, Size, path
from bench.paths.send import CONNECTIONS, send_all
from bench.place import Clock, people_due, product, sink
from orchestrator.db import transaction
from orchestrator.wiring import App

ROUND_TRIP_MS = 40


@path("far")
@asynccontextmanager
async def far(size: Size) -> AsyncIterator[list[Comparison]]:
    """Mails a second and connection, each connection as fast as the distance lets it."""
    count = 60 if size == "quick" else 2_000
    async with (
        sink("--delay-ms", str(ROUND_TRIP_MS)) as port,
        product(send_connections=CONNECTIONS) as app,
    ):
        await people_due(app, count, 4, port)

        async def durable() -> float:
            return await send_all(app, count) / CONNECTIONS

        async def plain() -> float:
            return await _plain(port, await _mail(app), 2 if size == "quick" else 30)

        yield [
            Comparison(
                f"{ROUND_TRIP_MS} ms round trips", "product", "aiosmtplib",
                "messages/s a connection", {"product": durable, "aiosmtplib": plain},
                notes={"connections": CONNECTIONS, "messages": count},
            )
        ]  # fmt: skip


async def _mail(app: App) -> bytes:
    """The bytes of a mail that the product sent, or of one as long before its first round."""
    async with transaction(app.engine) as conn:
        found: bytes | None = await conn.scalar(text("select payload from frozen limit 1"))
    return found or b"Subject: test\r\n\r\n" + (b"x" * 70 + b"\r\n") * 50


async def _plain(port: int, mail: bytes, each: int) -> float:
    """`each` mails over each of the connections, which are open before the clock starts."""
    lines = [
        aiosmtplib.SMTP(hostname="127.0.0.1", port=port, start_tls=False)
        for _ in range(CONNECTIONS)
    ]
    for line in lines:
        await line.connect()

    async def talk(line: aiosmtplib.SMTP) -> None:
        for _ in range(each):
            await line.sendmail("kari@sender.example", ["ola@prospect.example"], mail)

    try:
        clock = Clock()
        await asyncio.gather(*(talk(line) for line in lines))
        return each / clock.seconds
    finally:
        for line in lines:
            line.close()
