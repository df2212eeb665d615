"""L4: once a stop is committed, nothing automated leaves."""

import asyncio
from uuid import UUID

from sqlalchemy import text, update
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from orchestrator.db import transaction
from orchestrator.flows.pause_person import pause_person
from orchestrator.flows.stop_person import stop_person
from orchestrator.flows.suppress_address import suppress_address
from orchestrator.keys import Keys
from orchestrator.models.messages import messages
from orchestrator.models.people import identities, prospects, suppressions
from orchestrator.models.sequences import enrollments
from orchestrator.models.work import tasks
from orchestrator.store import handover, leases, standing
from tests import make
from tests.flows.coming import all_of, email_of, person, row_of
from tests.make import NOW


async def lease(conn: AsyncConnection, message: UUID) -> tuple[UUID, int]:
    """Claim a message as the sender does: (id, fence)."""
    claimed = await leases.lease(conn, [message], owner="test", seconds=600)
    return message, claimed[message]["fence"]


async def passes(engine: AsyncEngine, world: make.World, who: UUID, one: tuple[UUID, int]) -> bool:
    """Whether a leased message passes the point of no return."""
    async with transaction(engine) as conn:
        await handover.lock(
            conn, senders=[world.sender], sequences=[world.sequence], prospects=[who]
        )
        return one[0] in await handover.pass_point(conn, [one], budget=1, now=NOW)


async def test_an_opt_out_stops_every_message_and_suppresses_every_address(
    engine: AsyncEngine, keys: Keys
) -> None:
    async with transaction(engine) as conn:
        world = await make.world(conn)
        who, enrolled, message = await person(conn, keys, world)
        await make.identity(conn, keys, who, "second@prospect.example")
    async with transaction(engine) as conn:
        one = await lease(conn, message)
    async with transaction(engine) as conn:
        await stop_person(conn, prospect_id=who, reason="opt_out", now=NOW)
        await stop_person(conn, prospect_id=who, reason="opt_out", now=NOW)
    assert not await passes(engine, world, who, one)
    async with transaction(engine) as conn:
        assert (await row_of(conn, enrollments, enrolled))["state"] == "stopped"
        assert (await row_of(conn, messages, message))["state"] == "cancelled"
        assert {row["scope"] for row in await all_of(conn, suppressions)} == {"person"}
        assert len(await all_of(conn, suppressions)) == 2


async def test_a_stop_waits_for_a_hand_over_in_progress_and_stops_the_next(
    engine: AsyncEngine, keys: Keys
) -> None:
    """The hand-over that holds the prospect's row comes first; what was not past it never goes."""
    async with transaction(engine) as conn:
        world = await make.world(conn)
        who, enrolled, message = await person(conn, keys, world)
        later = await make.message(
            conn, world, who, enrolled, await email_of(conn, who), step="more"
        )
    async with transaction(engine) as conn:
        one = await lease(conn, message)
        two = await lease(conn, later)

    async def stop() -> None:
        async with transaction(engine) as conn:
            await stop_person(conn, prospect_id=who, reason="opt_out", now=NOW)

    async with transaction(engine) as conn:
        await handover.lock(
            conn, senders=[world.sender], sequences=[world.sequence], prospects=[who]
        )
        stopping = asyncio.create_task(stop())
        await asyncio.sleep(0.3)
        assert not stopping.done()
        assert await handover.pass_point(conn, [one], budget=1, now=NOW) == {message}
    await stopping
    assert not await passes(engine, world, who, two)
    async with transaction(engine) as conn:
        # Past the point of no return: it may have left, and its outcome is still to be settled.
        assert (await row_of(conn, messages, message))["state"] == "sending"
        assert (await row_of(conn, messages, later))["state"] == "cancelled"


async def test_a_hand_over_that_waits_for_a_stop_sees_it(engine: AsyncEngine, keys: Keys) -> None:
    async with transaction(engine) as conn:
        world = await make.world(conn)
        who, _, message = await person(conn, keys, world)
    async with transaction(engine) as conn:
        one = await lease(conn, message)
    async with transaction(engine) as conn:
        await stop_person(conn, prospect_id=who, reason="declined", now=NOW)
        passing = asyncio.create_task(passes(engine, world, who, one))
        await asyncio.sleep(0.3)
        assert not passing.done()
    assert not await passing


async def test_the_prospects_row_is_what_a_stop_takes_first(
    engine: AsyncEngine, keys: Keys
) -> None:
    async with transaction(engine) as conn:
        who, _, _ = await person(conn, keys, await make.world(conn))
    async with transaction(engine) as conn, transaction(engine) as other:
        await standing.lock_prospects(conn, [who])
        await other.execute(text("set local lock_timeout = '200ms'"))
        locked = False
        try:
            await stop_person(other, prospect_id=who, reason="manual", now=NOW)
        except Exception as error:
            locked = "lock timeout" in str(error)
            await other.rollback()
        assert locked


async def test_a_company_stops_without_opting_colleagues_out(
    engine: AsyncEngine, keys: Keys
) -> None:
    async with transaction(engine) as conn:
        world = await make.world(conn)
        who, _, _ = await person(conn, keys, world)
        company = (await row_of(conn, prospects, who))["company_id"]
        near, enrolled, _ = await person(conn, keys, world, company_id=company)
        await stop_person(conn, prospect_id=who, reason="opt_out", now=NOW, whole_company=True)
        assert (await row_of(conn, enrollments, enrolled))["stop_reason"] == "company: opt_out"
        assert (await row_of(conn, prospects, near))["opted_out_at"] is None


async def test_a_pause_takes_leases_back(engine: AsyncEngine, keys: Keys) -> None:
    async with transaction(engine) as conn:
        world = await make.world(conn)
        who, _, message = await person(conn, keys, world)
        one = await lease(conn, message)
        assert await pause_person(conn, prospect_id=who, now=NOW)
    assert not await passes(engine, world, who, one)
    async with transaction(engine) as conn:
        assert (await row_of(conn, messages, message))["state"] == "retry_wait"


async def test_a_bounce_stops_the_address_and_not_the_person(
    engine: AsyncEngine, keys: Keys
) -> None:
    async with transaction(engine) as conn:
        world = await make.world(conn)
        who, enrolled, message = await person(conn, keys, world)
        first = await email_of(conn, who)
        second = await make.identity(conn, keys, who, "second@prospect.example")
        assert await suppress_address(conn, identity_id=first, now=NOW)
        assert not await suppress_address(conn, identity_id=first, now=NOW)
        assert (await row_of(conn, identities, first))["state"] == "bounced"
        assert (await row_of(conn, identities, second))["state"] == "usable"
        assert (await row_of(conn, messages, message))["state"] == "cancelled"
        assert (await row_of(conn, enrollments, enrolled))["state"] == "held"
        assert [row["kind"] for row in await all_of(conn, tasks)] == ["undeliverable"]
        assert (await row_of(conn, prospects, who))["opted_out_at"] is None


async def test_the_last_address_that_bounces_ends_the_sequences(
    engine: AsyncEngine, keys: Keys
) -> None:
    async with transaction(engine) as conn:
        world = await make.world(conn)
        who, enrolled, message = await person(conn, keys, world)
        await conn.execute(update(enrollments).values(state="active", step="wait-1"))
        await suppress_address(conn, identity_id=await email_of(conn, who), now=NOW)
        row = await row_of(conn, enrollments, enrolled)
        assert (row["state"], row["stop_reason"]) == ("stopped", "undeliverable")
        assert (await row_of(conn, messages, message))["state"] == "cancelled"
