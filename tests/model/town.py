"""What the model plays with: two senders, two sequences, six people in three continents."""

from dataclasses import dataclass
from datetime import date, datetime
from uuid import UUID
from zoneinfo import ZoneInfo

from sqlalchemy import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from orchestrator.db import transaction
from orchestrator.flows.add_fact import add_fact
from orchestrator.flows.publish_sequence import publish_sequence
from orchestrator.ids import uuid7
from orchestrator.models.calls import hosts
from orchestrator.models.messages import lanes, senders
from orchestrator.models.people import identities
from orchestrator.rules.sequence_file import TemplateLibrary
from tests import make
from tests.model.house import House

ALPHA = """sequence: alpha
about: {about}
language: en
channels: [email]
window: {{days: mon-fri, hours: "08:00-16:00"}}
steps:
  - id: hello
    send:
      needs: [fact.pain]
      subject: "{{{{ fact.pain }}}}?"
      text: "Hello {{{{ first_name }}}}, I saw: {{{{ fact.pain }}}}."
  - wait: 1 hours
  - id: more
    send: {{thread: hello, text: "One more thought."}}
  - id: listen
    until: engaged
    within: 2 days
    then: offer
    otherwise: goodbye
  - id: offer
    call: {{host: sales, length: 20 minutes, text: "Pick a time: {{{{ page_url }}}}"}}
  - id: goodbye
    send: {{thread: hello, text: "I shall not write again."}}
"""
BETA = """sequence: beta
about: {about}
language: en
channels: [email]
window: {{days: mon-sun, hours: "07:00-21:00"}}
steps:
  - id: first
    send: {{subject: "A word", text: "Hello {{{{ first_name }}}}."}}
  - id: listen
    until: engaged
    within: 1 days
    then: offer
    otherwise: last
  - id: offer
    call: {{host: sales, length: 20 minutes, text: "Pick a time: {{{{ page_url }}}}"}}
  - id: last
    send: {{subject: "The last word", text: "That was all."}}
"""
FILES = {"alpha": ALPHA, "beta": BETA}
SENDERS = ("kari", "per")

# Public holidays between the first day and those that a run can reach, as the calendars say.
HOLIDAYS = {
    "NO": {date(2026, 12, 25), date(2026, 12, 26), date(2027, 1, 1)},
    "US": {date(2026, 11, 26), date(2026, 12, 25), date(2027, 1, 1)},
    "IN": {date(2026, 12, 25)},
}
_HOURS = {"alpha": (8, 16, range(5)), "beta": (7, 21, range(7))}


@dataclass
class Person:
    """A prospect, and what is true of them whether Avtale knows it or not."""

    id: UUID
    identity: UUID
    address: str
    lives: str  # the zone
    country: str
    fact: bool

    def may_read(self, sequence: str, at: datetime) -> bool:
        """Whether `at` lies in the hours of a sequence where they live. Written anew on purpose."""
        local = at.astimezone(ZoneInfo(self.lives))
        first, last, days = _HOURS[sequence]
        free = local.date() in HOLIDAYS[self.country]
        return first <= local.hour < last and local.weekday() in days and not free


async def settle_in(house: House) -> list[Person]:
    """Senders, a host, the sequences and the people. What Avtale is not told: where the last one
    lives."""
    async with transaction(house.engine) as conn:
        for name in SENDERS:
            made = uuid7()
            await conn.execute(
                insert(senders).values(
                    id=made,
                    name=name,
                    channel="email",
                    address=f"{name}@sender.example",
                    display_name=name,
                    settings={},
                    daily_cap=1000 if name == "kari" else 4,
                    gap_seconds=0 if name == "kari" else 60,
                    gap_jitter_seconds=0,
                    hours={"days": "mon-sun", "hours": "00:00-24:00"},
                )
            )
            await conn.execute(insert(lanes).values(sender_id=made, free_at=house.clock.now))
        await conn.execute(
            insert(hosts).values(
                id=uuid7(),
                name="sales",
                display_name="Kari",
                email="kari@sender.example",
                zone="Europe/Oslo",
                weekly={"mon": ["09:00-11:30"]},
            )
        )
        for name in FILES:
            await publish(house, conn, name, "because of the model")
        return [
            await _person(house, conn, "Europe/Oslo", "NO", fact=True),
            await _person(house, conn, "America/New_York", "US", fact=True),
            await _person(house, conn, "Asia/Kolkata", "IN", fact=False),
            await _person(house, conn, "Europe/Oslo", "NO", fact=True),
            await _person(house, conn, "America/New_York", "US", fact=True),
            await _person(house, conn, "America/Los_Angeles", "US", fact=True, told=False),
        ]


async def publish(house: House, conn: AsyncConnection, name: str, about: str) -> UUID:
    """A version of a sequence; a new one when `about` is new."""
    made = await publish_sequence(
        conn,
        text=FILES[name].format(about=about),
        filename=f"{name}.yaml",
        library=TemplateLibrary({}),
        now=house.clock.now,
        channels=("email",),
    )
    return made.version_id


async def _person(
    house: House, conn: AsyncConnection, lives: str, country: str, *, fact: bool, told: bool = True
) -> Person:
    address = f"{uuid7().hex}@prospect.example"
    zone = lives if told else None
    who = await make.prospect(
        conn, house.app.keys, address=address, zone=zone, country=country, language="en"
    )
    found = await conn.execute(identities.select().where(identities.c.address == address))
    person = Person(who, found.one().id, address, lives, country, fact)
    if fact:
        await learn(house, conn, person)
    return person


async def learn(house: House, conn: AsyncConnection, person: Person) -> None:
    """Do the homework about somebody."""
    person.fact = True
    await add_fact(
        conn,
        house.app.keys,
        prospect_id=person.id,
        name="pain",
        value=pain_of(person),
        source=None,
        found_on=None,
        now=house.clock.now,
    )


def pain_of(person: Person) -> str:
    """What the homework found."""
    return f"three posts at {person.id.hex[-6:]}"
