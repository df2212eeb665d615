"""How long `avtale verify` takes: a database of N messages, every fact of theirs in place.

python -m bench.verify 100000
"""

import asyncio
import resource
import shutil
import sys
import tempfile
import time
from datetime import timedelta
from hashlib import sha256
from pathlib import Path
from typing import Any

from pydantic import SecretStr
from sqlalchemy import insert, text

from channels.fake import FakeChannel
from orchestrator import migrate
from orchestrator.clock import database_now
from orchestrator.config import Settings
from orchestrator.db import make_engine, transaction
from orchestrator.embedded import Embedded
from orchestrator.flows.verify import verify
from orchestrator.ids import uuid7
from orchestrator.keys import Keys
from orchestrator.store.people_import import copy_rows
from orchestrator.wiring import App, make_redis
from tests import make

SECRET = "a secret of the benches, longer than 32 bytes"
BATCH = 5_000


async def fill(app: App, count: int) -> None:
    """`count` people whose first message was sent, with its bytes and its history."""
    async with transaction(app.engine) as conn:
        world = await make.world(conn)
        now = await database_now(conn)
    for start in range(0, count, BATCH):
        async with transaction(app.engine) as conn:
            await conn.execute(text("set local session_replication_role = replica"))
            await _batch(conn, app.keys, world, min(BATCH, count - start), now)
    async with transaction(app.engine) as conn:
        await conn.execute(insert_lane(), {"count": count})
    async with app.engine.connect() as raw:
        await raw.execution_options(isolation_level="AUTOCOMMIT")
        await raw.execute(text("analyze"))


def insert_lane() -> Any:
    """The lane has counted them all."""
    return text("update lanes set used = :count, day = (now() at time zone 'utc')::date")


async def _batch(conn: Any, keys: Keys, world: make.World, count: int, now: Any) -> None:
    company = uuid7()
    await conn.execute(insert(make.companies).values(id=company, name="Acme", key=str(company)))
    rows: dict[str, list[tuple[Any, ...]]] = {name: [] for name in _COLUMNS}
    for _ in range(count):
        owner, address_id, enrolled, message = uuid7(), uuid7(), uuid7(), uuid7()
        address = f"{owner.hex}@prospect.example"
        ref = keys.rfc_message_id(message, "sender.example")
        payload = f"Message-ID: {ref}\r\n".encode() + b"x" * 2_000
        rows["prospects"].append((owner, company, "Ola", now, now))
        digest = keys.address_hash("email", address)
        rows["identities"].append((address_id, owner, "email", address, digest))
        rows["enrollments"].append(
            (enrolled, owner, world.sequence, world.version, world.sender, "active", "wait-1",
             now + timedelta(days=3), now)
        )  # fmt: skip
        rows["messages"].append(
            (message, enrolled, owner, "hello", "email", world.sender, address_id, "sent", now, 1,
             1, ref, now, now)
        )  # fmt: skip
        rows["frozen"].append((message, address, "", "", payload, sha256(payload).digest()))
        for kind in ("message.planned", "message.sending", "message.sent"):
            detail = '{"attempt": 1, "fence": 1}'
            rows["history"].append((now, kind, owner, enrolled, message, detail))
    for table, columns in _COLUMNS.items():
        await copy_rows(conn, table, columns, rows[table])


_COLUMNS = {
    "prospects": ("id", "company_id", "first_name", "created_at", "updated_at"),
    "identities": ("id", "prospect_id", "channel", "address", "address_hash"),
    "enrollments": ("id", "prospect_id", "sequence_id", "version_id", "sender_id", "state", "step",
                    "due_at", "entered_step_at"),
    "messages": ("id", "enrollment_id", "prospect_id", "step", "channel", "sender_id",
                 "identity_id", "state", "due_at", "fence", "attempt", "rfc_message_id",
                 "handed_at", "settled_at"),
    "frozen": ("message_id", "recipient", "subject", "text", "payload", "sha256"),
    "history": ("at", "kind", "prospect_id", "enrollment_id", "message_id", "detail"),
}  # fmt: skip


async def run(count: int, home: Path) -> None:
    """Fill, verify, and print what it took."""
    servers = Embedded(home)
    try:
        found = servers.start()
        await asyncio.to_thread(lambda: asyncio.run(migrate.upgrade(found.database_url)))
        app = App(
            settings=Settings(database_url=found.database_url, secret_key=SecretStr(SECRET)),
            engine=make_engine(found.database_url, pool_size=5),
            keys=Keys(SECRET.encode()),
            channels={"email": FakeChannel(name="email")},
            redis=make_redis(found.redis_url),
        )
        await fill(app, count)
        memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        async with transaction(app.engine) as conn:
            now = await database_now(conn)
        began = time.perf_counter()
        report = await verify(app, now, settle_seconds=0)
        seconds = time.perf_counter() - began
        more = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - memory) // 1024
        rows = sum(report.checked.values())
        found_any = sorted({one.check for one in report.differences})
        print(
            f"{count:,} messages, {rows:,} rows: {seconds:.1f} s, {rows / seconds:,.0f} rows/s,"
            f" {more} MB more memory, differences: {found_any}"
        )
        await app.close()
    finally:
        servers.stop()


if __name__ == "__main__":
    scratch = Path(tempfile.mkdtemp(prefix="avtale-bench-"))
    try:
        asyncio.run(run(int(sys.argv[1]) if len(sys.argv) > 1 else 100_000, scratch))
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
