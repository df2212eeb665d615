"""The values of `prepare`: what it takes from the process, and all that a batch needs to know."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection

from channels.base import Account, Channel, Inviting
from orchestrator.config import Settings
from orchestrator.ids import uuid7
from orchestrator.keys import Keys
from orchestrator.render import CannotRender, Letter, letter
from orchestrator.rules.compose import answers
from orchestrator.rules.context import signature
from orchestrator.rules.invitation import BookingValues
from orchestrator.rules.outgoing import MessageRow, Unsendable, own_step
from orchestrator.rules.program import CallStep, Program, SendStep, Wording
from orchestrator.rules.wording import choose
from orchestrator.store import bookings, connections, context, senders, sequences
from orchestrator.store.context import Row
from orchestrator.store.frozen import Link

_OF_BOOKINGS = ("invitation", "host_invitation")


@dataclass(frozen=True, slots=True)
class Parts:
    """What `prepare` takes from the process: `Parts(app.settings, app.keys, app.channels)`."""

    settings: Settings
    keys: Keys
    channels: Mapping[str, Channel]


@dataclass(frozen=True, slots=True)
class Writer:
    """A sender of the batch, with what is the same in all that it writes now."""

    account: Account
    date: datetime  # now, in the sender's zone
    signed: Mapping[str, str]
    tokens: bool  # whether its answers come to an address that names the message


@dataclass(frozen=True, slots=True)
class Saying:
    """What one step says in one language. `letter` None: an invitation without a note."""

    program: Program
    language: str
    letter: Letter | None


@dataclass(frozen=True, slots=True)
class Known:
    """All that a batch needs to know, read in a number of statements that does not grow."""

    people: Mapping[UUID, Row]  # by message
    writers: Mapping[UUID, Writer]  # by sender
    sayings: Mapping[UUID, Saying | Unsendable]  # by message
    facts: Mapping[UUID, Mapping[str, str]]  # by person
    before: Mapping[UUID, Sequence[Row]]  # by enrollment, oldest first
    bookings: Mapping[UUID, BookingValues]
    notes_left: dict[UUID, int]  # by sender, where the network counts notes; this batch takes them


@dataclass(slots=True)
class Trails:
    """Our own addresses in one message; `rules.compose.Trails` is what follows it."""

    message_id: UUID
    keys: Keys
    base_url: str
    links: dict[str, UUID] = field(default_factory=dict)  # by where they lead

    def click(self, url: str) -> str:
        """The address that stands in the message instead of `url`."""
        link = self.links.get(url)
        if link is None:
            link = self.links[url] = uuid7()
        return f"{self.base_url}/c/{self.keys.token('click', link)}"

    def pixel(self) -> str:
        return f"{self.base_url}/o/{self.keys.token('open', self.message_id)}.gif"

    def trap(self) -> str:
        return f"{self.base_url}/t/{self.keys.token('trap', self.message_id)}"

    def unsubscribe(self) -> str:
        return f"{self.base_url}/u/{self.keys.token('unsubscribe', self.message_id)}"

    def rows(self) -> list[Link]:
        """The rows of `links`."""
        return [Link(link, self.message_id, url) for url, link in self.links.items()]


async def read(
    conn: AsyncConnection, parts: Parts, rows: Sequence[MessageRow], now: datetime
) -> Known:
    """What the messages of `rows` need. Those whose payload is there already need nothing more."""
    # First, since the first statement of a transaction is SQLAlchemy's, and this has few rows.
    writers = await _writers(conn, parts, rows, now)
    people = await context.people(conn, rows)
    todo = [row for row in rows if row.id in people and people[row.id]["payload"] is None]
    sayings, names = await _sayings(conn, todo, people)
    threaded = {row.enrollment_id for row in todo if answers(row)}
    return Known(
        people=people,
        writers=writers,
        sayings=sayings,
        facts=await context.facts(conn, {row.prospect_id for row in todo}, names),
        before=await context.threads(conn, threaded),
        bookings=await _bookings(conn, todo),
        notes_left=await _notes_left(conn, parts, todo),
    )


async def _writers(
    conn: AsyncConnection, parts: Parts, rows: Sequence[MessageRow], now: datetime
) -> dict[UUID, Writer]:
    found = await senders.accounts(conn, parts.keys, {row.sender_id for row in rows})
    return {
        sender: Writer(
            account,
            now.astimezone(zone),
            signature(account),
            bool(account.settings.get("address_tokens")),
        )
        for sender, (account, zone) in found.items()
    }


async def _sayings(
    conn: AsyncConnection, rows: Sequence[MessageRow], people: Mapping[UUID, Row]
) -> tuple[dict[UUID, Saying | Unsendable], set[str]]:
    """By message, and the facts that they name. Looked up once for all who get the same step in the
    same language."""
    made: dict[tuple[Any, ...], Saying | Unsendable] = {}
    found: dict[UUID, Saying | Unsendable] = {}
    for row in rows:
        if row.kind in _OF_BOOKINGS:
            continue
        person = people[row.id]
        key = (person["version_id"], row.kind, row.step, person["language"])
        saying = made.get(key)
        if saying is None:
            program = await sequences.load_program(conn, person["version_id"])
            saying = made[key] = _saying(program, row, person["language"])
        found[row.id] = saying
    letters = [one.letter for one in made.values() if isinstance(one, Saying) and one.letter]
    return found, {name for one in letters for name in one.facts}


def _saying(program: Program, row: MessageRow, language: str | None) -> Saying | Unsendable:
    try:
        step = program.step(own_step(row.kind, row.step))
        if not isinstance(step, SendStep | CallStep):
            return Unsendable(f"The step `{row.step}` sends nothing.")
        spoken, wording = choose(step.wordings, language, program.language)
        if row.kind == "request":
            note = letter(Wording(text=wording.note)) if wording.note else None
            return Saying(program, spoken, note)
        needs = step.needs if isinstance(step, SendStep) else ()
        return Saying(program, spoken, letter(wording, needs))
    except (CannotRender, ValueError, KeyError) as error:
        return Unsendable(f"This message cannot be written: {error}")


async def _bookings(conn: AsyncConnection, rows: Sequence[MessageRow]) -> dict[UUID, BookingValues]:
    """One by one: a batch holds few invitations, and outreach has none."""
    found = {}
    for one in {row.booking_id for row in rows if row.booking_id is not None}:
        values = await bookings.booking_values(conn, one)
        if values is not None:
            found[one] = values
    return found


async def _notes_left(
    conn: AsyncConnection, parts: Parts, rows: Sequence[MessageRow]
) -> dict[UUID, int]:
    """How many notes each sender of an invitation may still write this month."""
    left: dict[UUID, int] = {}
    for sender_id, name in {(row.sender_id, row.channel) for row in rows if row.kind == "request"}:
        channel = parts.channels[name]
        if not isinstance(channel, Inviting):
            continue
        pace = channel.request_pace(await senders.load_account(conn, parts.keys, sender_id))
        if pace.notes_monthly is not None:
            used = await connections.recent_notes(conn, sender_id)
            left[sender_id] = max(0, pace.notes_monthly - used)
    return left
