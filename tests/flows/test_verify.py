"""`avtale verify`: clean after everything that may happen, and not fooled by what may not."""

import asyncio
import json
from collections.abc import Iterator
from datetime import timedelta

import asyncpg
import pytest
from sqlalchemy import text

from channels.fake import FakeChannel
from orchestrator.clock import database_now
from orchestrator.config import Settings
from orchestrator.db import make_engine, transaction
from orchestrator.embedded import Embedded
from orchestrator.errors import BadInput
from orchestrator.flows.verify import Report, verify
from orchestrator.ids import uuid7
from orchestrator.keys import Keys
from orchestrator.rules.verify import CHECKS
from orchestrator.wiring import App, make_redis
from tests.conftest import SECRET, url_of
from tests.flows.verify_damage import DAMAGE
from tests.flows.verify_world import town


async def look(app: App, *only: str, settle: float = 0.0) -> Report:
    async with transaction(app.engine) as conn:
        now = await database_now(conn)
    return await verify(app, now, only=only, settle_seconds=settle)


async def test_clean_after_everything_that_may_happen(app: App) -> None:
    await town(app)
    report = await look(app)
    assert report.differences == []
    assert report.clean
    assert report.checked["messages"] >= 15


@pytest.fixture(scope="module")
def damaged_town(servers: Embedded) -> Iterator[tuple[str, dict[str, str]]]:
    """The town in a database of its own, from which each test takes a copy to break."""
    name = f"town_{uuid7().hex}"

    async def build() -> dict[str, str]:
        await admin(servers, f"create database {name} template avtale")
        made = open_parts(servers, url_of(servers, name))
        try:
            found = await town(made)
        finally:
            await made.close()
        return {who: str(one) for who, one in found.people.items()}

    people = asyncio.run(build())
    yield name, people
    asyncio.run(admin(servers, f"drop database {name} with (force)"))


async def admin(servers: Embedded, statement: str) -> None:
    conn = await asyncpg.connect(url_of(servers, "postgres"))
    try:
        await conn.execute(statement)
    finally:
        await conn.close()


def open_parts(servers: Embedded, url: str) -> App:
    return App(
        settings=Settings(database_url=url, base_url="https://avtale.example"),
        engine=make_engine(url, pool_size=5),
        keys=Keys(SECRET),
        channels={"email": FakeChannel(name="email")},
        redis=make_redis(servers.endpoints.redis_url),
    )


def test_every_check_has_its_damage() -> None:
    assert CHECKS.keys() == DAMAGE.keys()


@pytest.mark.parametrize("name", sorted(DAMAGE))
async def test_a_planted_corruption_is_found(
    name: str, servers: Embedded, damaged_town: tuple[str, dict[str, str]]
) -> None:
    """Must show 10: each check finds what is planted for it, and it was clean before."""
    origin, people = damaged_town
    copy = f"copy_{uuid7().hex}"
    await admin(servers, f"create database {copy} template {origin}")
    made = open_parts(servers, url_of(servers, copy))
    try:
        assert (await look(made, name)).differences == []
        async with transaction(made.engine) as conn:
            await conn.execute(text("set local session_replication_role = replica"))
            for statement in DAMAGE[name]:
                await conn.exec_driver_sql(statement.format(**people))
        report = await look(made, name)
        assert {one.check for one in report.differences} == {name}
        json.dumps([one.found for one in report.differences], default=str)
    finally:
        await made.close()
        await admin(servers, f"drop database {copy} with (force)")


async def test_what_passes_by_itself_is_no_difference(app: App) -> None:
    """A worker between two transactions is not a fault: it is looked at twice."""
    found = await town(app)
    async with transaction(app.engine) as conn:
        await conn.execute(
            text("update enrollments set due_at = null where prospect_id = :one"),
            {"one": found.people["sent"]},
        )

    async def mend() -> None:
        await asyncio.sleep(0.3)
        async with transaction(app.engine) as conn:
            await conn.execute(text("update enrollments set due_at = now() where due_at is null"))

    report, _ = await asyncio.gather(look(app, "enrollment_undue", settle=1.5), mend())
    assert report.clean
    assert report.vanished == 1


async def test_it_writes_nothing_and_waits_for_no_lock(app: App) -> None:
    """Beside whoever holds every row: it answers, and leaves no trace."""
    await town(app)
    async with transaction(app.engine) as conn:
        await conn.execute(text("select 1 from messages for update"))
        await conn.execute(text("select 1 from prospects for update"))
        assert (await look(app)).clean


async def test_a_check_that_there_is_not(app: App) -> None:
    with pytest.raises(BadInput, match="no_such_check"):
        await look(app, "no_such_check")


async def test_only_what_is_new_is_looked_at(app: App) -> None:
    found = await town(app)
    report = await verify(app, found.now, since=found.now + timedelta(hours=1), settle_seconds=0)
    assert report.checked["messages"] == 0
    assert report.checked["history"] > 0


async def test_a_long_list_is_cut_and_counted(app: App) -> None:
    found = await town(app)
    async with transaction(app.engine) as conn:
        await conn.execute(text("update identities set address_hash = 'x'"))
    report = await verify(app, found.now, most=3, settle_seconds=0)
    of_check = [one for one in report.differences if one.check == "address_hash"]
    assert len(of_check) == 3
    assert report.more["address_hash"] == len(found.people) - 3
