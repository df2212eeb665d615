"""`avtale backup` and `avtale restore`: whole, private, and nothing leaves twice by them."""

import asyncio
import json
import os
import stat
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import asyncpg
import pytest
from sqlalchemy import text

from orchestrator.clock import database_now
from orchestrator.db import make_engine, transaction
from orchestrator.embedded import Embedded
from orchestrator.flows.plan import plan
from orchestrator.flows.verify import verify
from orchestrator.ids import uuid7
from orchestrator.sender import drain
from orchestrator.wiring import App
from tests import make
from tests.conftest import SECRET, url_of
from tests.flows.verify_world import town


async def avtale(url: str, *words: str, code: int = 0, **env: str) -> str:
    """Run the command line on the database at `url`; what it said."""
    child = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "orchestrator.cli", *words),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
        env={
            "PATH": os.environ["PATH"],
            "AVTALE_ENV_FILE": "",
            "AVTALE_DATABASE_URL": url,
            "AVTALE_REDIS_URL": "redis://127.0.0.1:1/0",
            "AVTALE_SECRET_KEY": SECRET.decode(),
        }
        | env,
    )
    out, _ = await child.communicate()
    assert child.returncode == code, out.decode()
    return " ".join(out.decode().split())


@pytest.fixture
async def other_url(servers: Embedded) -> AsyncIterator[str]:
    """An empty database beside the test's own."""
    name = f"r_{uuid7().hex}"
    admin = await asyncpg.connect(url_of(servers, "postgres"))
    await admin.execute(f"create database {name}")
    yield url_of(servers, name)
    await admin.execute(f"drop database {name} with (force)")
    await admin.close()


async def rows(url: str, statement: str) -> list[Any]:
    conn = await asyncpg.connect(url)
    try:
        return [tuple(row) for row in await conn.fetch(statement)]
    finally:
        await conn.close()


async def restored_app(app: App, url: str) -> App:
    return App(
        settings=app.settings,
        engine=make_engine(url, pool_size=5),
        keys=app.keys,
        channels=app.channels,
        redis=app.redis,
    )


async def test_what_comes_back_is_what_was_there(
    app: App, database_url: str, other_url: str, tmp_path: Path
) -> None:
    await town(app)
    file = tmp_path / "avtale.dump"
    said = await avtale(database_url, "backup", str(file))
    assert "Keep AVTALE_SECRET_KEY elsewhere" in said
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    note = json.loads((tmp_path / "avtale.dump.json").read_text())
    assert note["bytes"] == file.stat().st_size
    assert note["counts"]["messages"] > 10
    assert SECRET.decode() not in (tmp_path / "avtale.dump.json").read_text()
    await app.engine.dispose()
    await avtale(other_url, "restore", str(file))
    for table in ("messages", "frozen", "suppressions", "engagements", "bookings", "unlocks"):
        query = f"select * from {table} order by 1"
        if table == "messages":  # all but what the restore puts in doubt
            query = "select id, step, rfc_message_id, fence from messages order by 1"
        assert await rows(other_url, query) == await rows(database_url, query)
    found = await restored_app(app, other_url)
    async with transaction(found.engine) as conn:
        now = await database_now(conn)
    report = await verify(found, now, settle_seconds=0)
    assert report.differences == []
    await found.engine.dispose()


async def test_nothing_that_may_have_left_leaves_again(
    app: App, database_url: str, other_url: str, tmp_path: Path
) -> None:
    """Must show, backups: a snapshot with unsent messages, which leave after it was taken."""
    async with transaction(app.engine) as conn:
        made = await make.world(conn)
        now = await database_now(conn)
        for _ in range(4):
            await make.enrollment(conn, made, await make.prospect(conn, app.keys), now=now)
    await plan(app, now, batch=3)  # three are planned, one is not
    file = tmp_path / "avtale.dump"
    await avtale(database_url, "backup", str(file))
    await plan(app, now)
    assert await drain(app) == 4
    await app.engine.dispose()
    await avtale(other_url, "restore", str(file))
    old = await restored_app(app, other_url)
    async with transaction(old.engine) as conn:
        now = await database_now(conn)
    await plan(old, now)
    assert await drain(old) == 0
    assert await rows(other_url, "select state, count(*) from messages group by 1") == [
        ("in_doubt", 3)
    ]
    asked = "select kind, count(*) from tasks where state = 'open' group by 1 order by 1"
    assert await rows(other_url, asked) == [("in_doubt", 3), ("late", 1)]
    report = await verify(old, now, settle_seconds=0)
    assert report.differences == []
    await old.engine.dispose()


async def test_nobody_starts_between_the_rows_and_what_is_held(
    app: App, database_url: str, other_url: str, tmp_path: Path
) -> None:
    """A restore that ends there: everything is due, and nothing is held yet (L2)."""
    async with transaction(app.engine) as conn:
        made = await make.world(conn)
        now = await database_now(conn)
        await make.enrollment(conn, made, await make.prospect(conn, app.keys), now=now)
    await plan(app, now)
    file = tmp_path / "avtale.dump"
    await avtale(database_url, "backup", str(file))
    note = file.with_name("avtale.dump.json")
    told = note.read_text()
    counted = json.loads(told)
    note.write_text(json.dumps(counted | {"counts": counted["counts"] | {"messages": 2}}))
    assert "should be" in await avtale(other_url, "restore", str(file), code=2)
    assert await rows(other_url, "select state from messages") == [("pending",)]
    for words in (["late"], ["worker"]):
        assert "was cut" in await avtale(other_url, *words, code=2)
    assert "not finished" in await avtale(other_url, "backup", str(tmp_path / "half.dump"), code=2)
    note.write_text(told)
    assert "has data" in await avtale(other_url, "restore", str(file), code=2)
    assert "was cut" in await avtale(other_url, "late", code=2)
    await avtale(other_url, "restore", str(file), "--replace")
    assert await rows(other_url, "select state from messages") == [("in_doubt",)]


async def test_it_refuses_what_would_lose_something(
    app: App, database_url: str, tmp_path: Path
) -> None:
    async with transaction(app.engine) as conn:
        await make.world(conn)
    file = tmp_path / "avtale.dump"
    await avtale(database_url, "backup", str(file))
    assert "is there already" in await avtale(database_url, "backup", str(file), code=2)
    said = await avtale(database_url, "restore", str(file), code=2)
    assert "connections of Avtale are open" in said
    await app.engine.dispose()
    said = await avtale(database_url, "restore", str(file), code=2)
    assert "This database has data" in said
    key = "another key, 32 bytes long and more"
    said = await avtale(
        database_url, "restore", str(file), "--replace", code=2, AVTALE_SECRET_KEY=key
    )
    assert "not the one of this backup" in said
    assert await rows(database_url, "select name from senders") == [("kari",)]
    await avtale(database_url, "restore", str(file), "--replace")
    assert await rows(database_url, "select name from senders") == [("kari",)]
    file.write_bytes(file.read_bytes()[:-1] + b"x")
    said = await avtale(database_url, "restore", str(file), "--replace", code=2)
    assert "is not the file" in said
    assert await rows(database_url, "select name from senders") == [("kari",)]


async def test_a_dump_by_hand_comes_back_too(
    app: App, database_url: str, other_url: str, tmp_path: Path
) -> None:
    """The route of a managed PostgreSQL: `pg_dump -Fc`, without our note."""
    async with transaction(app.engine) as conn:
        await make.world(conn)
        now = await database_now(conn)
        await conn.execute(text("insert into heartbeats (worker) values ('w')"))
    await app.engine.dispose()
    file = tmp_path / "avtale.dump"
    await avtale(database_url, "backup", str(file))
    (tmp_path / "avtale.dump.json").unlink()
    await avtale(other_url, "restore", str(file))
    ((taken, restored),) = await rows(other_url, "select snapshot_at, restored_at from clock")
    assert taken < restored
    assert abs((taken - now).total_seconds()) < 60


async def test_a_wrong_place_is_named_before_anything_is_written(
    other_url: str, tmp_path: Path
) -> None:
    file = tmp_path / "a.dump"
    assert "AVTALE_DATABASE_URL" in await avtale(other_url, "backup", str(file), code=2)
    missing = tmp_path / "missing"
    told = await avtale(other_url, "backup", str(missing / "a.dump"), code=2)
    assert "no directory" in told
    assert "missing" in told
    assert os.listdir(tmp_path) == []
