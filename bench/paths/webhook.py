"""Provider events taken: verified, stored once, committed, answered; 50 connections at once."""

import asyncio
import hmac
import json
import time
from base64 import b64encode
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from hashlib import sha256
from pathlib import Path
from tempfile import TemporaryDirectory

from sqlalchemy import text

from bench import load
from bench.measure import Comparison, Growth, Measure, Size, path
from bench.place import product
from bench.serve import Served, serving
from bench.usual_web import WEBHOOK_KEY
from orchestrator.db import transaction
from orchestrator.ids import uuid7
from orchestrator.wiring import App
from tests.api.hook_world import add_sender

CONNECTIONS = 50
_FILL = """
insert into provider_events
  (id, source, external_id, kind, trust, sender_id, raw, detail, state, received_at, handled_at)
select gen_random_uuid(), 'resend:kari', 'old-' || n, 'delivered', 'signed', :sender,
       convert_to(repeat('x', 400), 'utf8'),
       '{"event": {"kind": "delivered", "external_id": "of long ago"}}', 'handled', now(), now()
  from generate_series(cast(:first as int), cast(:last as int)) n
"""


def _event(number: int) -> bytes:
    """What Resend tells of a mail that was delivered."""
    data = {
        "created_at": "2026-11-23T08:00:00.000Z",
        "email_id": str(uuid7()),
        "from": "Kari <kari@sender.example>",
        "to": [f"person{number}@work.example"],
        "subject": "The vouchers",
        "tags": {"campaign": "first-touch"},
    }
    body = {"type": "email.delivered", "created_at": "2026-11-23T08:00:01.000Z", "data": data}
    return json.dumps(body).encode()


def _requests(count: int) -> Iterator[bytes]:
    """Signed now, each with an id of its own."""
    stamp = str(int(time.time()))
    for number in range(count):
        body, name = _event(number), f"msg_{uuid7().hex}"
        mac = hmac.digest(WEBHOOK_KEY, f"{name}.{stamp}.".encode() + body, sha256)
        headers = {
            "svix-id": name,
            "svix-timestamp": stamp,
            "svix-signature": "v1," + b64encode(mac).decode(),
            "content-type": "application/json",
            "user-agent": "Svix-Webhooks/1.24.0",
        }
        yield load.request("POST", "/hooks/resend/kari", headers.items(), body)


async def _stored(app: App) -> int:
    async with transaction(app.engine) as conn:
        found = await conn.scalar(text("select count(*) from provider_events"))
    return int(found or 0)


@path("webhook")
@asynccontextmanager
async def webhook(size: Size) -> AsyncIterator[list[Measure]]:
    """One process of the API. No worker runs: what is stored is not read meanwhile."""
    count = 500 if size == "quick" else 15_000
    with TemporaryDirectory(prefix="avtale-bench-") as home:
        requests = Path(home) / "requests"
        async with product() as app:
            async with transaction(app.engine) as conn:
                secret = "whsec_" + b64encode(WEBHOOK_KEY).decode()
                sender = await add_sender(
                    *(conn, app.keys, "kari"),
                    settings={"host": "127.0.0.1", "events": {"source": "resend"}},
                    secrets={"resend_secret": secret},
                )
            settings = app.settings.model_copy(update={"log_level": "INFO"})
            async with (
                serving("noop") as noop,
                serving("product", settings) as ours,
                serving("bench.usual_web:create", settings) as usual,
            ):
                names = {noop.pid: "raw ASGI no-op", ours.pid: "product", usual.pid: "usual way"}
                spent: dict[str, str] = {}

                async def run(server: Served, few: int = 1) -> float:
                    await asyncio.to_thread(load.write_requests, requests, _requests(count // few))
                    before = server.cpu()
                    found = await load.rate(server.port, requests, connections=CONNECTIONS)
                    used = (server.cpu() - before) / (count // few) * 1e6
                    spent[names[server.pid]] = f"{used:.0f} us of CPU a request"
                    if found["statuses"] != {"200": count // few}:
                        raise RuntimeError(f"answers: {found['statuses']}")
                    return float(found["rate"])

                async def durable() -> float:
                    before = await _stored(app)
                    rate = await run(ours)
                    if await _stored(app) - before != count:
                        raise RuntimeError("not every event that was answered is stored")
                    return rate

                async def the_usual() -> float:
                    return await run(usual, few=3)

                async def among(stored: int) -> float:
                    """Milliseconds a request when so many are stored already."""
                    await _fill(app, sender, stored)
                    return 1000 / await run(ours, few=3)

                yield [
                    Comparison(
                        "webhook accepted durably, 50 connections", "product", "raw ASGI no-op",
                        "requests/s",
                        {
                            "product": durable,
                            "raw ASGI no-op": lambda: run(noop),
                            "usual way": the_usual,
                        },
                        0.25, 0.6, notes=spent,
                    ),
                    Comparison(
                        "webhook accepted durably, 50 connections", "product", "usual way",
                        "requests/s",
                        {"product": durable, "usual way": the_usual},
                    ),
                    Growth(
                        "webhook accepted durably, by events stored", "ms a request",
                        [1_000, 3_000] if size == "quick" else [10_000, 100_000, 1_000_000], among,
                    ),
                ]  # fmt: skip


async def _fill(app: App, sender: object, wanted: int) -> None:
    async with transaction(app.engine) as conn:
        await conn.execute(text("set local synchronous_commit = off"))
        await conn.execute(text("set local session_replication_role = replica"))  # it may forget
        present = await conn.scalar(text("select count(*) from provider_events"))
        if present > wanted:
            await conn.execute(text("delete from provider_events"))
            present = 0
        await conn.execute(text(_FILL), {"sender": sender, "first": present + 1, "last": wanted})
    async with app.engine.connect() as conn:
        auto = await conn.execution_options(isolation_level="AUTOCOMMIT")
        await auto.execute(text("vacuum analyze provider_events"))
