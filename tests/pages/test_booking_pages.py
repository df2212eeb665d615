"""Picking, moving and cancelling a call on the prospect's own page."""

import asyncio
import re
from datetime import UTC, datetime, timedelta
from uuid import UUID
from zoneinfo import ZoneInfo

import httpx
import pytest
from icalendar import Calendar
from sqlalchemy import func, select, update
from sqlalchemy.ext.asyncio import AsyncEngine

from orchestrator.db import transaction
from orchestrator.flows.stop_person import stop_person
from orchestrator.keys import Keys
from orchestrator.models.calls import bookings
from orchestrator.models.engagement import engagements, unlocks
from orchestrator.pages.words import LANGUAGES, words_in
from tests import make
from tests.pages import sample

NB = words_in("nb")


async def unlocked(engine: AsyncEngine, keys: Keys, **values) -> tuple[make.World, sample.Someone]:
    """One person who has answered."""
    world, who = await sample.one(engine, keys, **values)
    async with transaction(engine) as conn:
        await sample.interested(conn, keys, who)
    return world, who


async def starts_of(
    browser: httpx.AsyncClient, who: sample.Someone, end: str = "times"
) -> list[str]:
    """The free times that the page offers."""
    answer = await browser.get(f"{who.page}/{end}")
    assert answer.status_code == 200
    return re.findall(r'name="start" value="([^"]+)"', answer.text)


async def rows_of(engine: AsyncEngine) -> list[dict]:
    """Every booking, oldest first."""
    starts = func.lower(bookings.c.during).label("starts_at")
    async with transaction(engine) as conn:
        rows = await conn.execute(select(bookings, starts).order_by(bookings.c.id))
        return [dict(row) for row in rows.mappings()]


async def test_before_an_answer_the_times_are_locked_and_say_what_opens_them(
    engine: AsyncEngine, keys: Keys, browser: httpx.AsyncClient
) -> None:
    """L1 at the door: neither a look nor a press books anything."""
    _, who = await sample.one(engine, keys)
    start = (datetime.now(UTC) + timedelta(days=3)).strftime("%Y-%m-%dT09:00Z")
    answers = [
        await browser.get(f"{who.page}/times"),
        await browser.post(f"{who.page}/book", data={"start": start}),
        await browser.post(f"{who.page}/book", data={}),
        await browser.post(f"{who.page}/move", data={"start": start}),
    ]
    for answer in answers:
        assert answer.status_code == 403
        assert "Fortell meg mer" in answer.text
        assert "Kari Nordmann" in answer.text
    assert not await rows_of(engine)
    for path in ("booked", "move", "cancel"):
        assert (await browser.get(f"{who.page}/{path}")).status_code == 303
    assert (await browser.get(f"{who.page}/invitation.ics")).status_code == 404
    async with transaction(engine) as conn:
        assert not (await conn.execute(select(unlocks))).all()


@pytest.mark.parametrize("language", LANGUAGES)
async def test_from_times_to_booked_in_every_language(
    engine: AsyncEngine, keys: Keys, browser: httpx.AsyncClient, language: str
) -> None:
    _, who = await unlocked(engine, keys, language=language)
    words = words_in(language)
    start = (await starts_of(browser, who))[0]
    form = {"start": start, "note": "Kan vi ta det på <Teams>?", "website": ""}
    answer = await browser.post(f"{who.page}/book", data=form)
    assert (answer.status_code, answer.headers["location"]) == (303, "booked")
    booked = await browser.get(f"{who.page}/booked")
    assert words("booked.title") in booked.text
    assert "Kari Nordmann" in booked.text
    assert "https://meet.sender.example/kari" in booked.text
    assert "&lt;Teams&gt;" in booked.text
    at = datetime.fromisoformat(start).astimezone(ZoneInfo("Europe/Oslo"))
    assert re.search(rf"\b0?{at.hour}[.:]{at:%M}", booked.text)
    page = await browser.get(who.page)
    assert words("standing.booked") in page.text
    (row,) = await rows_of(engine)
    assert (row["state"], row["note"]) == ("booked", "Kan vi ta det på <Teams>?")


async def test_the_calendar_file_is_the_booked_call(
    engine: AsyncEngine, keys: Keys, browser: httpx.AsyncClient
) -> None:
    _, who = await unlocked(engine, keys)
    start = (await starts_of(browser, who))[0]
    await browser.post(f"{who.page}/book", data={"start": start})
    answer = await browser.get(f"{who.page}/invitation.ics")
    assert answer.headers["content-type"].startswith("text/calendar")
    assert "invitation.ics" in answer.headers["content-disposition"]
    (event,) = Calendar.from_ical(answer.content).walk("VEVENT")
    (row,) = await rows_of(engine)
    assert event["UID"] == row["uid"]
    assert event["DTSTART"].dt == row["starts_at"] == datetime.fromisoformat(start)


async def test_pressing_twice_books_once(
    engine: AsyncEngine, keys: Keys, browser: httpx.AsyncClient
) -> None:
    _, who = await unlocked(engine, keys)
    first, second, *_ = await starts_of(browser, who)
    presses = [browser.post(f"{who.page}/book", data={"start": first}) for _ in range(4)]
    presses += [browser.post(f"{who.page}/book", data={"start": second})]
    answers = await asyncio.gather(*presses)
    assert {(answer.status_code, answer.headers["location"]) for answer in answers} == {
        (303, "booked")
    }
    assert len(await rows_of(engine)) == 1
    again = await browser.get(f"{who.page}/times")
    assert (again.status_code, again.headers["location"]) == (303, "booked")


async def test_two_people_want_the_same_time_and_one_sees_the_rest(
    engine: AsyncEngine, keys: Keys, browser: httpx.AsyncClient
) -> None:
    """B19."""
    world, one = await unlocked(engine, keys)
    async with transaction(engine) as conn:
        two = await sample.someone(conn, keys, world)
        await sample.interested(conn, keys, two)
    start = (await starts_of(browser, one))[4]
    answers = await asyncio.gather(
        *(
            browser.post(f"{who.page}/book", data={"start": start, "note": "Hei"})
            for who in (one, two)
        )
    )
    assert sorted(answer.status_code for answer in answers) == [303, 409]
    (late,) = (answer for answer in answers if answer.status_code == 409)
    assert NB("times.fault_taken") in late.text
    left = re.findall(r'name="start" value="([^"]+)"', late.text)
    assert left
    assert start not in left
    assert "Hei</textarea>" in late.text
    assert "/times?from=" in late.text  # the way to other weeks is no POST address
    assert len(await rows_of(engine)) == 1


@pytest.mark.parametrize(
    "start",
    ["", "soon", "2026-11-25", "2026-11-25T09:00", "0001-01-01T00:00+14:00", "9" * 400],
)
async def test_no_time_at_all_is_said_kindly(
    engine: AsyncEngine, keys: Keys, browser: httpx.AsyncClient, start: str
) -> None:
    _, who = await unlocked(engine, keys)
    answer = await browser.post(f"{who.page}/book", data={"start": start})
    assert answer.status_code == 422
    assert NB("times.fault_choose") in answer.text
    assert not await rows_of(engine)


async def test_a_time_that_is_not_offered_is_not_booked(
    engine: AsyncEngine, keys: Keys, browser: httpx.AsyncClient
) -> None:
    _, who = await unlocked(engine, keys)
    odd = datetime.fromisoformat((await starts_of(browser, who))[0]) + timedelta(minutes=7)
    for start in (odd, datetime(2020, 1, 1, 9, tzinfo=UTC), datetime(2199, 1, 1, 9, tzinfo=UTC)):
        answer = await browser.post(f"{who.page}/book", data={"start": start.isoformat()})
        assert answer.status_code == 409
        assert NB("times.fault_taken") in answer.text
    assert not await rows_of(engine)


async def test_a_robot_fills_in_every_field(
    engine: AsyncEngine, keys: Keys, browser: httpx.AsyncClient
) -> None:
    _, who = await unlocked(engine, keys)
    start = (await starts_of(browser, who))[0]
    form = {"start": start, "website": "https://spam.example"}
    assert (await browser.post(f"{who.page}/book", data=form)).headers["location"] == "times"
    assert not await rows_of(engine)


async def test_a_long_note_is_refused_and_kept_in_the_form(
    engine: AsyncEngine, keys: Keys, browser: httpx.AsyncClient
) -> None:
    _, who = await unlocked(engine, keys)
    start = (await starts_of(browser, who))[0]
    answer = await browser.post(f"{who.page}/book", data={"start": start, "note": "å" * 501})
    assert answer.status_code == 422
    assert NB("times.fault_note") in answer.text
    assert f'value="{start}" required checked' in answer.text
    assert not await rows_of(engine)


async def test_the_call_moves_and_keeps_its_identity(
    engine: AsyncEngine, keys: Keys, browser: httpx.AsyncClient
) -> None:
    _, who = await unlocked(engine, keys)
    first = (await starts_of(browser, who))[0]
    await browser.post(f"{who.page}/book", data={"start": first})
    (before,) = await rows_of(engine)
    others = await starts_of(browser, who, "move")
    assert first not in others
    answer = await browser.post(f"{who.page}/move", data={"start": others[2]})
    assert (answer.status_code, answer.headers["location"]) == (303, "booked")
    (after,) = await rows_of(engine)
    assert after["starts_at"] == datetime.fromisoformat(others[2])
    assert (after["uid"], after["revision"]) == (before["uid"], before["revision"] + 1)
    again = await browser.post(f"{who.page}/move", data={"start": others[2]})
    assert again.status_code == 303
    assert (await rows_of(engine))[0]["revision"] == after["revision"]


async def test_cancelling_asks_once_and_the_time_can_be_picked_again(
    engine: AsyncEngine, keys: Keys, browser: httpx.AsyncClient
) -> None:
    _, who = await unlocked(engine, keys)
    start = (await starts_of(browser, who))[0]
    await browser.post(f"{who.page}/book", data={"start": start})
    asked = await browser.get(f"{who.page}/cancel")
    assert NB("cancel.button") in asked.text
    assert (await rows_of(engine))[0]["state"] == "booked"
    for _ in range(2):
        answer = await browser.post(f"{who.page}/cancel")
        assert (answer.status_code, answer.headers["location"]) == (303, f"../{who.tokens['page']}")
    assert (await rows_of(engine))[0]["state"] == "cancelled"
    page = await browser.get(who.page)
    assert NB("standing.cancelled") in page.text
    assert start in await starts_of(browser, who)
    assert (await browser.post(f"{who.page}/book", data={"start": start})).status_code == 303
    assert [row["state"] for row in await rows_of(engine)] == ["cancelled", "booked"]


async def test_after_never_there_is_no_booking_but_a_booked_call_can_be_cancelled(
    engine: AsyncEngine, keys: Keys, browser: httpx.AsyncClient
) -> None:
    _, who = await unlocked(engine, keys)
    first, second, *_ = await starts_of(browser, who)
    await browser.post(f"{who.page}/book", data={"start": first})
    assert (await browser.post(f"{who.page}/never")).status_code == 303
    assert "/booked" in (await browser.get(who.page)).text
    assert (await browser.post(f"{who.page}/move", data={"start": second})).status_code == 403
    await browser.post(f"{who.page}/cancel")
    assert (await rows_of(engine))[0]["state"] == "cancelled"
    closed = await browser.get(f"{who.page}/times")
    assert closed.status_code == 403
    assert NB("locked.closed_title") in closed.text
    assert (await browser.post(f"{who.page}/book", data={"start": first})).status_code == 403


async def test_who_opted_out_before_booking_cannot_book(
    engine: AsyncEngine, keys: Keys, browser: httpx.AsyncClient
) -> None:
    _, who = await unlocked(engine, keys)
    start = (await starts_of(browser, who))[0]
    async with transaction(engine) as conn:
        await stop_person(conn, prospect_id=who.prospect, reason="opt_out", now=make.NOW)
    assert (await browser.post(f"{who.page}/book", data={"start": start})).status_code == 403
    assert not await rows_of(engine)


async def test_times_are_in_their_own_zone_or_the_one_they_choose(
    engine: AsyncEngine, keys: Keys, browser: httpx.AsyncClient
) -> None:
    _, who = await unlocked(engine, keys, language="en", country="JP", zone="Asia/Tokyo")
    start = datetime.fromisoformat((await starts_of(browser, who))[0])
    own = await browser.get(f"{who.page}/times")
    assert "Times are shown in Tokyo time (UTC+9)." in own.text
    assert f"{start.astimezone(ZoneInfo('Asia/Tokyo')):%H:%M}" in own.text
    chosen = await browser.get(f"{who.page}/times", params={"zone": "Asia/Kolkata"})
    assert "Times are shown in Kolkata time (UTC+5:30)." in chosen.text
    assert f"{start.astimezone(ZoneInfo('Asia/Kolkata')):%H:%M}" in chosen.text
    for wrong in ("../../etc/passwd", "Nowhere/Town", "", "\x00", "x" * 5000):
        answer = await browser.get(f"{who.page}/times", params={"zone": wrong, "from": wrong})
        assert answer.status_code == 200
        assert "Tokyo time" in answer.text


async def test_who_may_be_anywhere_is_asked_to_check_the_zone(
    engine: AsyncEngine, keys: Keys, browser: httpx.AsyncClient
) -> None:
    _, who = await unlocked(engine, keys, language="en", country="US", zone=None)
    page = await browser.get(f"{who.page}/times")
    assert words_in("en")("times.zone_unsure") in page.text
    sure = await browser.get(f"{who.page}/times", params={"zone": "America/Chicago"})
    assert words_in("en")("times.zone_unsure") not in sure.text


async def test_walking_the_weeks_shows_every_free_time(
    engine: AsyncEngine, keys: Keys, browser: httpx.AsyncClient
) -> None:
    _, who = await unlocked(engine, keys)
    seen: list[str] = []
    address = f"{who.page}/times?zone=Europe/Oslo"
    for _ in range(6):
        page = await browser.get(address)
        seen += re.findall(r'name="start" value="([^"]+)"', page.text)
        later = re.search(r'rel="next" href="([^"]+)"', page.text)
        if later is None:
            break
        address = str(
            httpx.URL(f"http://pages.example{address}").join(later[1].replace("&amp;", "&"))
        )
        assert "zone=Europe/Oslo" in address
    assert len(seen) == len(set(seen)) > 50
    assert seen == sorted(seen)


async def test_a_host_without_free_times_says_so(
    engine: AsyncEngine, keys: Keys, browser: httpx.AsyncClient
) -> None:
    world, who = await unlocked(engine, keys)
    async with transaction(engine) as conn:
        await conn.execute(
            update(make.hosts).where(make.hosts.c.id == world.host).values(weekly={})
        )
    page = await browser.get(f"{who.page}/times")
    assert (page.status_code, NB("times.none") in page.text) == (200, True)


async def test_a_call_that_has_been_cannot_be_changed(
    engine: AsyncEngine, keys: Keys, browser: httpx.AsyncClient
) -> None:
    _, who = await unlocked(engine, keys)
    start = (await starts_of(browser, who))[0]
    await browser.post(f"{who.page}/book", data={"start": start})
    async with transaction(engine) as conn:
        from orchestrator.models.work import clock

        await conn.execute(update(clock).values(ahead=timedelta(days=40)))
    page = await browser.get(f"{who.page}/booked")
    assert NB("booked.past") in page.text
    assert "/cancel" not in page.text
    for end in ("cancel", "move"):
        await browser.post(f"{who.page}/{end}", data={"start": start})
    assert (await rows_of(engine))[0]["state"] == "booked"
    assert (await browser.get(f"{who.page}/times")).headers["location"] == "booked"


async def test_only_a_human_engagement_ever_unlocked(
    engine: AsyncEngine, keys: Keys, browser: httpx.AsyncClient
) -> None:
    """Whatever was opened, followed and looked at, the unlock names the tap."""
    _, who = await sample.one(engine, keys)
    for _ in range(3):
        await browser.get(f"/o/{who.tokens['open']}.gif")
        await browser.get(f"/c/{who.tokens['click']}")
        await browser.get(who.page)
    assert (await browser.get(f"{who.page}/times")).status_code == 403
    await browser.post(f"{who.page}/more")
    assert (await browser.get(f"{who.page}/times")).status_code == 200
    async with transaction(engine) as conn:
        (unlock,) = (await conn.execute(select(unlocks))).mappings()
        earned: UUID = unlock["engagement_id"]
        query = select(engagements.c.kind).where(engagements.c.id == earned)
        assert (await conn.execute(query)).scalar_one() == "tap"
