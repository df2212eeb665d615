"""Booking: only what was unlocked and offered, once, and with everything that follows from it."""

import asyncio
from datetime import timedelta

import pytest
from sqlalchemy import select, text, update
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from orchestrator.db import transaction
from orchestrator.errors import BadInput, CallLocked, Conflict, Forbidden, SlotTaken
from orchestrator.flows.book import book
from orchestrator.flows.cancel_booking import cancel_booking
from orchestrator.flows.list_slots import list_slots
from orchestrator.flows.move_booking import move_booking
from orchestrator.flows.set_host_exception import set_host_exception
from orchestrator.ids import uuid7
from orchestrator.keys import Keys
from orchestrator.models.calls import bookings, hosts
from orchestrator.models.engagement import engagements
from orchestrator.models.messages import messages
from orchestrator.models.people import prospects
from orchestrator.models.sequences import enrollments
from orchestrator.rules.invitation import calendar, invitation_mail, revision_of
from orchestrator.store import history
from orchestrator.store.bookings import booking_values
from tests import make
from tests.flows.call_world import ELEVEN, NOW, TEN, engaged, messages_of, person


async def row_of(conn: AsyncConnection, table: object, row_id: object) -> dict[str, object]:
    found = await conn.execute(select(table).where(table.c.id == row_id))  # type: ignore[arg-type, attr-defined]
    return dict(found.mappings().one())


async def test_booking_does_all_that_follows(engine: AsyncEngine, keys: Keys) -> None:
    async with transaction(engine) as conn:
        world = await make.world(conn)
        who = await person(conn, keys, world)
        made = await book(
            conn, keys, unlock_id=who.unlock, start=TEN, now=NOW, note=" Om\x00 fakturaer\r\n"
        )
        row = await row_of(conn, bookings, made)
        assert (row["state"], row["revision"], row["note"]) == ("booked", 0, "Om fakturaer")
        assert (row["during"].lower, row["during"].upper) == (TEN, TEN + timedelta(minutes=20))  # type: ignore[attr-defined]
        assert row["busy"].upper == TEN + timedelta(minutes=30)  # type: ignore[attr-defined]
        assert row["uid"] == f"{made}@sender.example"

        enrolled = await row_of(conn, enrollments, who.enrollment)
        assert (enrolled["state"], enrolled["stop_reason"]) == ("finished", "booked")
        assert enrolled["ended_at"] == NOW
        assert enrolled["due_at"] is None
        assert (await row_of(conn, messages, who.offer))["state"] == "cancelled"

        made_engagements = await conn.execute(
            select(engagements.c.grade).where(
                engagements.c.prospect_id == who.prospect, engagements.c.kind == "booking"
            )
        )
        assert made_engagements.scalars().all() == ["human"]

        told, host = await messages_of(conn, made)
        assert (told["kind"], host["kind"]) == ("invitation", "host_invitation")
        assert (told["state"], host["state"]) == ("pending", "pending")
        assert told["step"] == f"booking:{made}:0:prospect"
        assert host["step"] == f"booking:{made}:0:host"
        assert (told["identity_id"], host["identity_id"]) == (who.identity, None)
        assert (told["thread_of"], host["thread_of"]) == (who.hello, None)
        assert told["rfc_message_id"] == keys.rfc_message_id(told["id"], "sender.example")
        assert told["due_at"] == NOW

        kinds = [line["kind"] for line in await history.of_prospect(conn, who.prospect)]
        assert kinds == [
            "message.cancelled", "booking.made", "enrollment.finished",
            "message.planned", "message.planned",
        ]  # fmt: skip


async def test_the_same_time_again_is_the_same_booking(engine: AsyncEngine, keys: Keys) -> None:
    async with transaction(engine) as conn:
        who = await person(conn, keys, await make.world(conn))
    made = []
    for _ in range(2):
        async with transaction(engine) as conn:
            made.append(await book(conn, keys, unlock_id=who.unlock, start=TEN, now=NOW))
    assert made[0] == made[1]
    async with transaction(engine) as conn:
        assert len(await messages_of(conn, made[0])) == 2
        with pytest.raises(Conflict, match="move"):
            await book(conn, keys, unlock_id=who.unlock, start=ELEVEN, now=NOW)


async def test_only_what_is_offered(engine: AsyncEngine, keys: Keys) -> None:
    async with transaction(engine) as conn:
        world = await make.world(conn)
        who = await person(conn, keys, world)
        assert TEN in await list_slots(conn, host_id=world.host, minutes=20, now=NOW)
        await set_host_exception(
            conn, name="sales", day=(TEN + timedelta(days=1)).date(), hours=[], now=NOW
        )
        for start in (
            NOW + timedelta(hours=1),  # less than the notice of four hours
            TEN + timedelta(minutes=5),  # off the grid
            TEN + timedelta(hours=8),  # 18:00
            TEN + timedelta(days=1),  # an exception: closed
            TEN + timedelta(days=3),  # Saturday
            TEN + timedelta(days=63),  # beyond the horizon
            TEN - timedelta(days=7),
        ):
            with pytest.raises(BadInput, match="offered"):
                await book(conn, keys, unlock_id=who.unlock, start=start, now=NOW)
        with pytest.raises(BadInput, match="UTC"):
            await book(conn, keys, unlock_id=who.unlock, start=TEN.replace(tzinfo=None), now=NOW)
        await book(conn, keys, unlock_id=who.unlock, start=TEN, now=NOW)


async def test_no_unlock_and_opted_out(engine: AsyncEngine, keys: Keys) -> None:
    async with transaction(engine) as conn:
        who = await person(conn, keys, await make.world(conn))
        with pytest.raises(CallLocked):
            await book(conn, keys, unlock_id=uuid7(), start=TEN, now=NOW)
        await conn.execute(
            update(prospects).where(prospects.c.id == who.prospect).values(opted_out_at=NOW)
        )
        with pytest.raises(Forbidden):
            await book(conn, keys, unlock_id=who.unlock, start=TEN, now=NOW)


async def test_buffers_keep_the_next_start_free(engine: AsyncEngine, keys: Keys) -> None:
    """30 minutes from 10:00 and ten of buffer: 10:30 is taken, 11:00 is not."""
    async with transaction(engine) as conn:
        world = await make.world(conn)
        first, second = [await person(conn, keys, world, offer=False) for _ in range(2)]
        await conn.execute(text("update unlocks set minutes = 30"))
        await book(conn, keys, unlock_id=first.unlock, start=TEN, now=NOW)
        half_past = TEN + timedelta(minutes=30)
        with pytest.raises(SlotTaken):
            await book(conn, keys, unlock_id=second.unlock, start=half_past, now=NOW)
        assert half_past not in await list_slots(conn, host_id=world.host, minutes=30, now=NOW)
        await book(conn, keys, unlock_id=second.unlock, start=ELEVEN, now=NOW)


async def test_two_at_once_and_one_gets_it(engine: AsyncEngine, keys: Keys) -> None:
    """Eight prospects press the same time on connections of their own."""
    async with transaction(engine) as conn:
        world = await make.world(conn)
        people = [await person(conn, keys, world, offer=False) for _ in range(8)]

    async def press(unlock: object) -> str:
        async with transaction(engine) as conn:
            try:
                await book(conn, keys, unlock_id=unlock, start=TEN, now=NOW)  # type: ignore[arg-type]
            except SlotTaken:
                # The door's transaction is usable after the refusal.
                return str((await conn.execute(text("select 'taken'"))).scalar_one())
            return "booked"

    told = await asyncio.gather(*(press(one.unlock) for one in people))
    assert sorted(told) == ["booked", *["taken"] * 7]


async def test_moving_frees_the_old_time_and_overtakes_the_invitations(
    engine: AsyncEngine, keys: Keys
) -> None:
    async with transaction(engine) as conn:
        world = await make.world(conn)
        who, other = [await person(conn, keys, world, offer=False) for _ in range(2)]
        made = await book(conn, keys, unlock_id=who.unlock, start=TEN, now=NOW)
        # Half an hour on lies inside its own buffer: no obstacle to itself.
        later = TEN + timedelta(minutes=30)
        assert later in await list_slots(conn, host_id=world.host, minutes=20, now=NOW, moving=made)
        assert await move_booking(conn, keys, booking_id=made, start=later, now=NOW) == made
        await move_booking(conn, keys, booking_id=made, start=later, now=NOW)  # no move: no mail
        sent = await messages_of(conn, made)
        assert [(one["state"], revision_of(one["step"])) for one in sent] == [
            ("cancelled", 0), ("cancelled", 0), ("pending", 1), ("pending", 1)
        ]  # fmt: skip
        values = await booking_values(conn, made)
        assert values is not None
        assert (values.revision, values.news, values.start) == (1, "moved", later)
        assert values.uid == f"{made}@sender.example"
        await book(conn, keys, unlock_id=other.unlock, start=ELEVEN, now=NOW)
        with pytest.raises(SlotTaken):
            await move_booking(conn, keys, booking_id=made, start=ELEVEN, now=NOW)
        with pytest.raises(Conflict, match="begun"):
            await move_booking(conn, keys, booking_id=made, start=TEN, now=later)


async def test_cancelling_frees_the_time_and_the_unlock(engine: AsyncEngine, keys: Keys) -> None:
    async with transaction(engine) as conn:
        who = await person(conn, keys, await make.world(conn), offer=False)
        made = await book(conn, keys, unlock_id=who.unlock, start=TEN, now=NOW)
        for _ in range(2):
            await cancel_booking(conn, keys, booking_id=made, by="prospect", now=NOW)
        sent = await messages_of(conn, made)
        assert [(one["state"], revision_of(one["step"])) for one in sent] == [
            ("cancelled", 0), ("cancelled", 0), ("pending", 1), ("pending", 1)
        ]  # fmt: skip
        values = await booking_values(conn, made)
        assert values is not None
        assert (values.method, values.news) == ("CANCEL", "cancelled")
        assert b"METHOD:CANCEL" in calendar(values, values.method)
        with pytest.raises(Conflict, match="cancelled"):
            await move_booking(conn, keys, booking_id=made, start=ELEVEN, now=NOW)
        again = await book(conn, keys, unlock_id=who.unlock, start=TEN, now=NOW)
        assert again != made


async def test_cancelling_after_an_opt_out_tells_the_host_only(
    engine: AsyncEngine, keys: Keys
) -> None:
    async with transaction(engine) as conn:
        who = await person(conn, keys, await make.world(conn), offer=False)
        made = await book(conn, keys, unlock_id=who.unlock, start=TEN, now=NOW)
        await conn.execute(
            update(prospects).where(prospects.c.id == who.prospect).values(opted_out_at=NOW)
        )
        with pytest.raises(Forbidden):
            await move_booking(conn, keys, booking_id=made, start=ELEVEN, now=NOW)
        await cancel_booking(conn, keys, booking_id=made, by="prospect", now=NOW)
        new = [one for one in await messages_of(conn, made) if one["state"] == "pending"]
        assert [one["kind"] for one in new] == ["host_invitation"]


async def test_what_else_runs_for_the_person_stops(engine: AsyncEngine, keys: Keys) -> None:
    async with transaction(engine) as conn:
        world = await make.world(conn)
        who = await person(conn, keys, world, offer=False)
        other = uuid7()
        await conn.execute(
            text("insert into sequences (id, name) values (:id, 'second')"), {"id": other}
        )
        second = await make.enrollment(conn, world, who.prospect, sequence_id=other)
        await book(conn, keys, unlock_id=who.unlock, start=TEN, now=NOW)
        assert (await row_of(conn, enrollments, second))["state"] == "stopped"


async def test_booking_values_speak_to_both(engine: AsyncEngine, keys: Keys) -> None:
    async with transaction(engine) as conn:
        world = await make.world(conn)
        who = await person(
            conn, keys, world, address="ola@acme.example", language="sv",
            zone=None, country="SE", offer=False,
        )  # fmt: skip
        await conn.execute(update(hosts).values(zone="Europe/London"))
        start = TEN + timedelta(minutes=30)
        made = await book(conn, keys, unlock_id=who.unlock, start=start, now=NOW)
        values = await booking_values(conn, made)
        assert values is not None
        assert values.prospect_email == "ola@acme.example"
        assert values.prospect_zone == "Europe/Stockholm"
        assert (values.language, values.host_language) == ("sv", "en")
        subject, _ = invitation_mail(values, values.language, "prospect")
        assert subject.endswith("10:30–10:50 (tid i Stockholm)")
        subject, _ = invitation_mail(values, values.host_language, "host")
        assert subject.endswith("09:30–09:50 (London time)")
        assert await booking_values(conn, uuid7()) is None


async def test_somebody_without_a_mail_address_is_booked_and_the_host_told(
    engine: AsyncEngine, keys: Keys
) -> None:
    async with transaction(engine) as conn:
        who = await person(conn, keys, await make.world(conn), offer=False)
        await engaged(conn, who.prospect)
        await conn.execute(text("update identities set state = 'bounced'"))
        made = await book(conn, keys, unlock_id=who.unlock, start=TEN, now=NOW)
        assert [one["kind"] for one in await messages_of(conn, made)] == ["host_invitation"]
        lines = await history.of_prospect(conn, who.prospect)
        assert "booking.not_told" in [line["kind"] for line in lines]
