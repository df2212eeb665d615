"""`avtale demo --auto`: the whole way from a file of people to a call, played for real.

Every stage goes through a door that people use (command line, HTTP, SMTP) and is checked at one;
the first stage that fails ends the rehearsal.
"""

import asyncio
import re
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import asyncpg
import httpx

from orchestrator.sandbox import world
from orchestrator.sandbox.commands import CommandFailed
from orchestrator.sandbox.mailbox import Mail
from orchestrator.sandbox.prospect import Prospect
from orchestrator.sandbox.rehearsal_channels import ChannelStages
from orchestrator.sandbox.screens import Invitation, invitations
from orchestrator.sandbox.stage import PATIENCE, StageFailed, Stagehand, require

WRITTEN_TO = 11  # of the twelve, one lacks the fact that the first message needs
YES, STOP = "ingrid@solheimregnskap.example", "erik@lindqvistredovisning.example"
Say = Callable[[str], None]


@dataclass
class Rehearsal(Stagehand):
    """The stages, in order. `summary` fills up as they pass."""

    prospect: Prospect
    say: Say

    def __post_init__(self) -> None:
        super().__post_init__()
        self.summary: dict[str, Any] = {}
        self.refused: dict[str, bool] = {}
        self._page = ""  # the address of the answering prospect's own page
        self._person = ""  # their id
        self._start = ""  # the time that they picked

    async def play(self) -> bool:
        """Every stage; False when one failed."""
        started = time.monotonic()
        stages: list[tuple[str, Callable[[], Awaitable[tuple[Any, str]]]]] = [
            ("imported", self.import_people),
            ("published", self.publish),
            ("enrolled", self.enroll),
            ("sent", self.send),
            ("opened", self.open),
            ("clicked", self.click),
            ("replied", self.reply),
            ("stopped", self.stop),
            ("unlocked", self.unlock),
            ("booked", self.book),
            ("invited", self.invite),
            *ChannelStages(self).stages(),
        ]
        try:
            for name, stage in stages:
                try:
                    self.summary[name], words = await asyncio.wait_for(stage(), 2 * PATIENCE)
                except (
                    StageFailed,
                    CommandFailed,
                    httpx.HTTPError,
                    OSError,
                    TimeoutError,
                ) as error:
                    self.say(f"✗ {name:<10} {error or type(error).__name__}")
                    self.summary |= {"failed": name, "reason": str(error)}
                    return False
                self.say(f"✓ {name:<10} {words}")
            refused = ", ".join(name.replace("_", " ") for name in self.refused)
            self.say(f"✓ {'refused':<10} {refused}")
            return True
        finally:
            self.summary["refused"] = self.refused
            self.summary["seconds"] = round(time.monotonic() - started, 1)
            await self.http.aclose()

    # --- the stages: what they made, and words about it

    async def import_people(self) -> tuple[Any, str]:
        """People from a file."""
        key = await self.avtale("key", "create", f"rehearsal-{uuid4().hex[:8]}", "--scope", "*")
        self.http.headers["authorization"] = f"Bearer {key.stdout.strip()}"
        count = await world.import_people(self.avtale)
        require(count == 16, f"16 people are in the file, {count} were taken")
        return count, "16 people, from Norway, Sweden and Britain"

    async def publish(self) -> tuple[Any, str]:
        """A sequence; and one that calls without an answer, which is refused."""
        refused = await self.avtale(
            "sequence", "publish", str(world.DEMO / "cold-call.yaml"), code=1
        )
        self.refused["publish_without_engagement"] = "without an engagement" in refused.stderr
        require(self.refused["publish_without_engagement"], refused.stderr.strip())
        made = await world.publish(self.avtale)
        return f"{made['sequence']} version {made['number']}", f"{made['sequence']}, immutable"

    async def enroll(self) -> tuple[Any, str]:
        """Everybody with an email address, twice: the second time changes nothing."""
        await world.enroll(self.avtale)
        await world.enroll(self.avtale)
        rows = await self.rows("/api/enrollments")
        require(len(rows) == 12, f"12 people to enroll, {len(rows)} enrollments")
        return len(rows), "12 people by email, each once"

    async def send(self) -> tuple[Any, str]:
        """First messages, each inside its reader's hours."""
        mails = await self.advance(lambda: self._delivered("hello", WRITTEN_TO), "first messages")
        addresses = [mail.recipients[0] for mail in mails]
        require(len(set(addresses)) == WRITTEN_TO, f"somebody got two: {sorted(addresses)}")
        tasks = await self.rows("/api/tasks", state="open")
        require(
            [task["kind"] for task in tasks] == ["missing_fact"],
            f"one task for the missing fact, not {[task['kind'] for task in tasks]}",
        )
        return len(mails), f"{len(mails)} mails by SMTP; one waits as a task for its missing fact"

    async def open(self) -> tuple[Any, str]:
        """The pixel, as a mail program loads it."""
        mail = await self._first_mail(YES)
        await self.move("hour")
        await self.prospect.open(mail)
        seen = await self.until(lambda: self._engagement("open"), "the open")
        require(seen["grade"] != "human", "an open counted as human")
        return 1, f"by {YES}, graded {seen['grade']}"

    async def click(self) -> tuple[Any, str]:
        """A tracked link; neither this nor the open unlocks the call."""
        mail = await self._first_mail(YES)
        tracked = [link for link in mail.links if "/c/" in link]
        require(tracked, "the mail carries no tracked link")
        answer = await self.prospect.click(mail, tracked[0])
        require(answer.status == 200, f"the link answered {answer.status}")
        require("/more" in answer.text, "the way to the link asks for no tap")
        seen = await self.until(lambda: self._engagement("click"), "the click")
        require(seen["grade"] != "human", "a click counted as human")
        await self._call_is_locked(mail)
        await self._sql_refuses()
        return 1, f"asks for the one tap, graded {seen['grade']}; the call stays locked"

    async def reply(self) -> tuple[Any, str]:
        """An answer composed from the delivered mail, over SMTP and the signed pipe."""
        mail = await self._first_mail(YES)
        await self.prospect.answer(mail, "Ja, fortell gjerne mer.", now=datetime.now(UTC))
        seen = await self.until(lambda: self._engagement("reply"), "the reply")
        require(seen["grade"] == "human", f"the reply was graded {seen['grade']}")
        require(seen["meaning"] == "interested", f"the reply was read as {seen['meaning']}")
        return 1, "“Ja, fortell gjerne mer”: human, interested"

    async def stop(self) -> tuple[Any, str]:
        """Somebody says stop: nothing more for them, and no follow-up for who answered."""
        mail = await self._first_mail(STOP)
        await self.prospect.answer(mail, "Sluta skriva till mig, tack.", now=datetime.now(UTC))
        stopped = await self.until(lambda: self._opted_out(STOP), "the stop")
        follow_ups = await self.advance(
            lambda: self._delivered("one-more-thought", WRITTEN_TO - 2), "follow-ups"
        )
        again = {mail.recipients[0] for mail in follow_ups}
        require(not again & {YES, STOP}, f"a follow-up went to {again & {YES, STOP}}")
        require(stopped["opted_out_at"], "the person is not opted out")
        return 1, f"nothing more to {STOP}; {len(follow_ups)} others got one more thought"

    async def unlock(self) -> tuple[Any, str]:
        """The offer arrives where the answer came from, and the page opens."""
        unlocks = await self.rows("/api/unlocks", prospect_id=self._person)
        require(len(unlocks) == 1, f"one unlock was earned, there are {len(unlocks)}")
        offers = await self.advance(lambda: self._delivered("offer", 1), "the offer of a call")
        require(self._page in offers[0].text, "the offer does not carry the page")
        seen = await self.prospect.visit(f"{self._page}/times")
        require(seen.status == 200, f"the times page answers {seen.status}")
        starts = re.findall(r'name="start" value="([^"]+)"', seen.text)
        require(starts, "the page shows no free time")
        self._start = starts[min(3, len(starts) - 1)]
        return 1, f"offered once, in the thread; {len(starts)} free times this week"

    async def book(self) -> tuple[Any, str]:
        """A time, picked on the page."""
        form = {"start": self._start, "zone": "Europe/Oslo", "note": "Ring gjerne på Teams."}
        answer = await self.prospect.submit(f"{self._page}/book", form)
        require(answer.status == 303, f"booking answered {answer.status}")
        bookings = await self.rows("/api/bookings")
        require(len(bookings) == 1, f"one booking, not {len(bookings)}")
        return 1, f"{self._start}, by the prospect's own hand"

    async def invite(self) -> tuple[Any, str]:
        """Both invitations, read as a calendar reads them."""
        found = await self.until(self._both_invitations, "both invitations")
        theirs, ours = found
        require(theirs.uid == ours.uid, "the two invitations are different events")
        require({theirs.method, ours.method} == {"REQUEST"}, "an invitation is no REQUEST")
        picked = datetime.fromisoformat(self._start)
        for each in (theirs, ours):
            require(each.start == picked, f"the invitation says {each.start}, not {picked}")
            require((each.end - each.start).total_seconds() == 1200, "the call is not 20 minutes")
        return 2, f"to prospect and host, one event: {theirs.uid}"

    # --- what must be refused

    async def _call_is_locked(self, mail: Mail) -> None:
        pages = [link for link in mail.links if "/p/" in link]
        require(pages, "the mail carries no link to the prospect's page")
        self._page = pages[0]
        look = await self.prospect.visit(f"{self._page}/times")
        press = await self.prospect.submit(f"{self._page}/book", {"start": "2030-01-07T10:00:00Z"})
        self.refused["call_page_before_unlock"] = (look.status, press.status) == (403, 403)
        require(
            self.refused["call_page_before_unlock"],
            f"before the unlock the page answered {look.status} and {press.status}",
        )

    async def _sql_refuses(self) -> None:
        """The database says no to a booking by hand, also with an unlock out of thin air."""
        assert self.settings.database_url is not None
        conn = await asyncpg.connect(self.settings.database_url)
        try:
            await conn.execute(
                "insert into bookings (id, unlock_id, prospect_id, host_id, host_number, during,"
                " busy, uid) select gen_random_uuid(), gen_random_uuid(), $1, id, number,"
                " tstzrange(now(), now() + interval '20 min'),"
                " tstzrange(now(), now() + interval '20 min'), gen_random_uuid()::text"
                " from hosts",
                self._person,
            )
        except asyncpg.ForeignKeyViolationError:
            self.refused["sql_booking_without_unlock"] = True
        finally:
            await conn.close()
        require(
            self.refused.get("sql_booking_without_unlock"),
            "the database took a booking without an unlock",
        )

    # --- looking

    async def _first_mail(self, address: str) -> Mail:
        mails = self.mailbox.of(address)
        require(mails, f"{address} got no mail")
        people = await self.rows("/api/prospects", address=address)
        self._person = people[0]["id"] if address == YES else self._person
        return mails[0]

    async def _delivered(self, step: str, count: int) -> list[Mail] | None:
        """The mails of one step, once `count` are in. Every message arrived exactly once."""
        rows = await self.rows("/api/messages", state="sent")
        wanted = {row["rfc_message_id"] for row in rows if row["step"] == step}
        mails = [mail for mail in self.mailbox.mails() if mail.message_id in wanted]
        require(len(mails) <= len(wanted), f"a message of the step {step} arrived twice")
        return mails if len(mails) >= count else None

    async def _engagement(self, kind: str) -> dict[str, Any] | None:
        rows = await self.rows("/api/engagements", prospect_id=self._person)
        return next((row for row in rows if row["kind"] == kind), None)

    async def _opted_out(self, address: str) -> dict[str, Any] | None:
        people = await self.rows("/api/prospects", address=address)
        return people[0] if people and people[0]["opted_out_at"] else None

    async def _both_invitations(self) -> tuple[Invitation, Invitation] | None:
        found = [
            [event for mail in self.mailbox.of(address) for event in invitations(mail)]
            for address in (YES, world.HOST_ADDRESS)
        ]
        return (found[0][0], found[1][0]) if all(found) else None
