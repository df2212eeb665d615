"""How soon: from a reply's arrival to the stop of its sequence, and from due to handed over."""

import asyncio
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from uuid import UUID

import httpx
from sqlalchemy import text

from bench.measure import Measure, Reading, Size, path
from bench.place import due_again, people_due, sink
from bench.whole import Whole, whole
from orchestrator.db import transaction
from orchestrator.rules import standard_webhook
from orchestrator.wiring import App, open_app

_STOPPED = """
select 1 from enrollments e join messages m on m.enrollment_id = e.id
where m.id = :id and (e.answered_at is not null or e.state not in ('active', 'sending'))
"""
_LATENESS = """
select extract(epoch from handed_at - due_at) * 1000 from messages where state = 'sent'
"""


def _spread(found: Sequence[float]) -> dict[str, float]:
    ordered = sorted(found)
    return {
        "p99": ordered[len(ordered) * 99 // 100],
        "p50": ordered[len(ordered) // 2],
        "worst": ordered[-1],
    }


@path("latency", minutes=10)
@asynccontextmanager
async def latency(size: Size) -> AsyncIterator[list[Measure]]:
    """`avtale up` as it is installed: its API takes the raw mails, its worker reads and sends."""
    replies, backlog, due = (10, 300, 60) if size == "quick" else (200, 8_000, 1_500)
    with TemporaryDirectory(prefix="avtale-bench-") as home:
        async with sink() as port, whole(Path(home) / "data", AVTALE_ORGANISATION="Bench") as up:
            settings = up.settings.model_copy(update={"postal_address": "Storgata 1, Oslo"})
            async with open_app(settings) as app:
                await _parked(app, port, backlog)

                async def stopped() -> dict[str, float]:
                    await _due(app, backlog)
                    return _spread(await _answers(up, app, replies))

                async def handed_over() -> dict[str, float]:
                    return _spread(await _on_time(app, due))

                yield [
                    Reading("reply in to sequence stopped, under full send load", "ms", stopped),
                    Reading("due to handed over, at a tenth of the load", "ms", handed_over),
                ]


async def _parked(app: App, port: int, count: int) -> None:
    """Messages to `count` people that wait for another day."""
    await people_due(app, count, 4, port)
    await _due(app, 0)


async def _due(app: App, count: int) -> None:
    """So many messages due now, as if never sent; the others on another day."""
    await due_again(app)
    async with transaction(app.engine) as conn:
        await conn.execute(
            text("""update messages set due_at = now() + interval '30 days' where id not in
              (select id from messages order by id limit :count)"""),
            {"count": count},
        )
    app.ring("send")


async def _answers(up: Whole, app: App, count: int) -> list[float]:
    """Milliseconds of each answer, one after the other, while the worker sends what it can."""
    async with transaction(app.engine) as conn:
        rows = await conn.execute(
            text("""select m.id, m.rfc_message_id, i.address from messages m
              join identities i on i.id = m.identity_id order by m.id desc limit :count"""),
            {"count": count},
        )
        asked = [(row.id, row.rfc_message_id, row.address) for row in rows]
        # Only who was written to can answer: these were, and their sequences run.
        await conn.execute(text("alter table messages disable trigger message_transition"))
        await conn.execute(
            text("""update messages set state = 'sent', handed_at = now() - interval '1 hour',
              settled_at = now() - interval '1 hour' where id = any(:ids)"""),
            {"ids": [one for one, _, _ in asked]},
        )
        await conn.execute(text("alter table messages enable trigger message_transition"))
    took: list[float] = []
    async with httpx.AsyncClient(trust_env=False, base_url=up.settings.base_url) as client:
        for message, rfc, address in asked:
            began = time.perf_counter()
            await _post(client, up, address, rfc)
            await _until_stopped(app, message)
            took.append((time.perf_counter() - began) * 1000)
    return took


async def _post(client: httpx.AsyncClient, up: Whole, address: str, rfc: str) -> None:
    mail = (
        f"From: Ola <{address}>\r\nTo: kari@sender.example\r\n"
        f"Subject: Re: the vouchers\r\nMessage-ID: <{time.time_ns()}@work.example>\r\n"
        f"In-Reply-To: {rfc}\r\nDate: Mon, 23 Nov 2026 10:00:00 +0100\r\n\r\n"
        "Hi Kari,\r\n\r\nYes, tell me more. When would it suit you?\r\n\r\nOla\r\n"
    ).encode()
    assert up.settings.mail_secret is not None
    key = standard_webhook.key_of(up.settings.mail_secret.get_secret_value())
    name, now = f"msg_{time.time_ns()}", datetime.now(UTC)
    headers = {
        "webhook-id": name,
        "webhook-timestamp": str(int(now.timestamp())),
        "webhook-signature": standard_webhook.sign(key, name, int(now.timestamp()), mail),
        "content-type": "message/rfc822",
    }
    answer = await client.post("/hooks/mail", content=mail, headers=headers)
    answer.raise_for_status()


async def _until_stopped(app: App, message: UUID) -> None:
    async with asyncio.timeout(60):
        while True:
            async with transaction(app.engine) as conn:
                if await conn.scalar(text(_STOPPED), {"id": message}):
                    return
            await asyncio.sleep(0.002)


async def _on_time(app: App, count: int) -> list[float]:
    """Milliseconds from due to the point of no return, for messages that become due one after the
    other, 50 a second: a tenth of what a worker sends on a small machine."""
    await _due(app, 0)
    async with transaction(app.engine) as conn:
        await conn.execute(
            text("""update messages m set due_at = now() + interval '2 s' + w.place * interval
              '20 ms' from (select id, row_number() over (order by id) as place from messages
              order by id limit :count) w where m.id = w.id"""),
            {"count": count},
        )
    app.ring("send")
    await asyncio.sleep(2 + count / 50)
    async with asyncio.timeout(60):
        while True:
            async with transaction(app.engine) as conn:
                found = list((await conn.execute(text(_LATENESS))).scalars())
            if len(found) >= count:
                return [float(one) for one in found]
            await asyncio.sleep(0.2)
