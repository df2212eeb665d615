"""The events of many messages, five times each, shuffled and late: one state in the end (F14)."""

import random
from collections import Counter, defaultdict
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from channels.base import ChannelEvent
from orchestrator.db import transaction
from orchestrator.flows.read_events import read_events
from orchestrator.flows.take_events import take_events
from orchestrator.models.engagement import engagements, provider_events, unlocks
from orchestrator.models.messages import messages
from orchestrator.models.people import identities, prospects, suppressions
from orchestrator.models.sequences import enrollments
from orchestrator.models.work import tasks
from orchestrator.rules import event_json
from orchestrator.store.arrivals import Arrival
from orchestrator.wiring import App
from tests import make
from tests.flows.coming import email_of
from tests.make import NOW

Said = tuple[str, dict[str, Any]]

DELIVERED: Said = ("delivered", {})
DEFERRED: Said = ("deferred", {})
OPENED: Said = ("opened", {"user_agent": "Mozilla/5.0 (X11; Linux x86_64) Firefox/140.0"})
CLICKED: Said = ("clicked", {"user_agent": "Mozilla/5.0 (X11; Linux x86_64) Firefox/140.0"})
HARD: Said = ("bounced", {"bounce": "hard"})
FULL: Said = ("bounced", {"bounce": "mailbox_full"})
COMPLAINED: Said = ("complained", {})
UNSUBSCRIBED: Said = ("unsubscribed", {})
READ: Said = ("read", {})
OWN: Said = ("own_message", {})
MORE: Said = ("button", {"choice": "more"})
LATER: Said = ("button", {"choice": "later"})
NEVER: Said = ("button", {"choice": "never"})
GLAD: Said = ("reaction", {"detail": {"reaction": "+1"}})
SORRY: Said = ("reaction", {"detail": {"reaction": "-1"}})
UNCLEAR: Said = ("message", {"text": "Hm."})
UNKNOWN: Said = ("unknown", {})

# What happens to one message, in the order in which it happened. `doubt`: nobody knew whether it
# had left before the first of these came.
SCENARIOS: dict[str, tuple[Said, ...]] = {
    "read": (DELIVERED, OPENED, CLICKED, UNKNOWN),
    "late": (DEFERRED, DEFERRED, DELIVERED, OPENED),
    "gone": (DEFERRED, HARD),
    "full": (DEFERRED, FULL),
    "complaint": (DELIVERED, OPENED, COMPLAINED),
    "unsubscribed": (DELIVERED, UNSUBSCRIBED, CLICKED),
    "both noes": (DELIVERED, COMPLAINED, UNSUBSCRIBED),
    "late bounce": (DELIVERED, OPENED, HARD, UNSUBSCRIBED),
    "doubt, read": (DELIVERED, OPENED),
    "doubt, gone": (DEFERRED, HARD),
    "doubt, stopped": (DELIVERED, UNSUBSCRIBED),
    "doubt, interested": (DELIVERED, MORE),
    "interested": (DELIVERED, READ, MORE, OWN),
    "interested twice": (GLAD, MORE, MORE),
    "never": (DELIVERED, NEVER, CLICKED),
    "more, then never": (DELIVERED, MORE, NEVER),
    "never, then more": (NEVER, MORE),
    "yes, then no": (MORE, SORRY),
    "no, then yes": (SORRY, MORE),
    "later, then more": (LATER, MORE),
    "more, then later": (MORE, LATER),
    "no, yes, later": (SORRY, MORE, LATER),
    "no, later, yes": (SORRY, LATER, MORE),
    "later, no, yes": (LATER, SORRY, MORE),
    "unclear, then no": (UNCLEAR, SORRY),
    "unclear, then yes": (UNCLEAR, MORE),
    "no, then unclear": (SORRY, UNCLEAR),
    "yes, then unclear": (MORE, UNCLEAR),
}


async def person(
    conn: AsyncConnection, app: App, world: make.World, scenario: str
) -> tuple[UUID, UUID]:
    """Somebody whose first message has left (or may have), and the message."""
    who = await make.prospect(conn, app.keys)
    doubt = scenario.startswith("doubt")
    enrolled = await make.enrollment(
        conn,
        world,
        who,
        state="sending" if doubt else "active",
        step="hello" if doubt else "listen",
        due_at=None if doubt else NOW + timedelta(days=10),
    )
    message = await make.message(conn, world, who, enrolled, await email_of(conn, who))
    for state in ("leased", "sending", "in_doubt" if doubt else "sent"):
        values = {"state": state, "fence": 1, "handed_at": NOW - timedelta(days=3)}
        await conn.execute(update(messages).where(messages.c.id == message).values(**values))
    return who, message


def events_of(message: UUID, scenario: str, sender: UUID, dice: random.Random) -> list[Arrival]:
    """The events of a message as rows, in the order in which they happened."""
    made = []
    for number, (kind, values) in enumerate(SCENARIOS[scenario]):
        happened = NOW - timedelta(days=2) + timedelta(hours=number)
        event = ChannelEvent(
            kind,  # type: ignore[arg-type]  # of the closed list above
            f"{dice.getrandbits(64):x}-{number}",
            occurred_at=happened,
            message_id=message,
            **values,
        )
        detail = {"event": event_json.encode(event)}
        made.append(Arrival("testing:kari", event.external_id, kind, "signed", sender, b"", detail))
    return made


async def state_of(app: App, who: UUID) -> dict[str, Any]:
    """What matters of a person from now on, without ids and times of arrival."""
    async with transaction(app.engine) as conn:

        async def rows(table: Any) -> list[Any]:
            found = await conn.execute(select(table).where(table.c.prospect_id == who))
            return list(found.mappings())

        [enrolled] = await rows(enrollments)
        running = enrolled["state"] in ("active", "sending", "held")
        found = await conn.execute(select(prospects).where(prospects.c.id == who))
        themselves = found.mappings().one()
        return {
            "state": enrolled["state"],
            # Of what is held, the reader of the answer decides where it goes on.
            "step": enrolled["step"] if running and enrolled["state"] != "held" else None,
            "reason": enrolled["stop_reason"],
            "due_now": enrolled["state"] == "active" and enrolled["due_at"] == NOW,
            "opted_out": themselves["opted_out_at"] is not None,
            "not_before": themselves["not_before"] if running else None,
            "messages": sorted(row["state"] for row in await rows(messages)),
            "identities": sorted(row["state"] for row in await rows(identities)),
            "suppressed": sorted({row["scope"] for row in await rows(suppressions)}),
            # The page of somebody who opted out is closed, whatever they had unlocked before.
            "unlocks": themselves["opted_out_at"] is None
            and enrolled["state"] != "held"
            and len(await rows(unlocks)),
            "tasks": sorted(r["kind"] for r in await rows(tasks) if r["state"] == "open"),
            "engagements": sorted(
                (row["kind"], row["grade"], row["meaning"] or "") for row in await rows(engagements)
            ),
        }


async def play(app: App, count: int, seed: int) -> dict[str, list[dict[str, Any]]]:
    """`count` messages of each scenario; every message's events come in an order of their own.
    Returns the states that came of each scenario."""
    dice = random.Random(seed)
    async with transaction(app.engine) as conn:
        world = await make.world(conn)
        people = [
            (scenario, *await person(conn, app, world, scenario))
            for scenario in SCENARIOS
            for _ in range(count)
        ]
    arrivals: list[Arrival] = []
    for number, (scenario, _, message) in enumerate(people):
        own = events_of(message, scenario, world.sender, dice)
        if number % count:  # the first of each scenario hears everything in its order
            dice.shuffle(own)
        arrivals += own
    await _arrive(app, arrivals, dice)
    while await read_events(app, NOW):
        pass
    found: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for scenario, who, _ in people:
        found[scenario].append(await state_of(app, who))
    return found


async def _arrive(app: App, arrivals: list[Arrival], dice: random.Random) -> None:
    """Store them over two days, each five times; the inbox is read in the order of arrival."""
    step = timedelta(days=2) / max(1, len(arrivals))
    at: datetime = NOW - timedelta(days=2)
    seen: list[Arrival] = []
    for one in arrivals:
        at += step
        seen.append(one)
        again = dice.sample(seen, min(2, len(seen)))
        async with transaction(app.engine) as conn:
            assert await take_events(conn, [one], now=at) == 1
            assert await take_events(conn, [one, *again], now=at) == 0
    async with transaction(app.engine) as conn:
        assert await take_events(conn, arrivals * 3, now=NOW) == 0
        rows = (await conn.execute(select(provider_events.c.id))).all()
    assert len(rows) == len(arrivals)


def differences(found: dict[str, list[dict[str, Any]]]) -> dict[str, dict[str, Counter[str]]]:
    """The scenarios whose messages came to different states, and what differs."""
    made: dict[str, dict[str, Counter[str]]] = {}
    for scenario, states in found.items():
        for field in states[0]:
            seen = Counter(str(one[field]) for one in states)
            if len(seen) > 1:
                made.setdefault(scenario, {})[field] = seen
    return made


async def test_the_order_of_events_does_not_matter(app: App) -> None:
    """Every message hears its events in an order of its own; all of a scenario end alike."""
    assert differences(await play(app, 6, seed=1)) == {}


@pytest.mark.slow
async def test_a_thousand_messages_in_a_thousand_orders(app: App) -> None:
    assert differences(await play(app, -(-1000 // len(SCENARIOS)), seed=2)) == {}
