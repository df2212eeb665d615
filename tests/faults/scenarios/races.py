"""Stops that race with claim and hand-over: which was committed first, by the log itself.

What is conclusive: the order of commits is the order of their records in PostgreSQL's write-ahead
log, which logical decoding gives back transaction by transaction. Neither a clock nor what a client
saw first comes into it. A hand-over whose commit stands behind its stop's commit is a violation,
even by a microsecond; where both wait for one row the log can not disagree with the lock, since a
lock is let go only after the commit was logged.
"""

import asyncio
import random
import shutil
import struct
import tempfile
from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from uuid import UUID

from pydantic import SecretStr
from sqlalchemy import insert, text
from sqlalchemy.ext.asyncio import AsyncConnection
from structlog.testing import capture_logs

from channels.fake import FakeChannel
from orchestrator import migrate
from orchestrator.combiner import Combiner
from orchestrator.config import Settings
from orchestrator.db import make_engine, transaction
from orchestrator.embedded import Embedded
from orchestrator.flows.claim import Claimed, claim
from orchestrator.flows.plan import plan
from orchestrator.ids import uuid7
from orchestrator.keys import Keys
from orchestrator.models.messages import lanes, senders
from orchestrator.wiring import App, make_redis
from tests import make
from tests.faults.harness import SECRET
from tests.faults.race_stops import STOPS, Race
from tests.faults.scenario import Outcome, Size, Tally, say, scenario
from tests.flows.coming import second_sequence

RACES = {"quick": 200, "full": 2000}
_ROUND = 10  # races at a time, about what the connections carry
# Seconds within which each side of a race starts. Every second stop lets the claim go first and
# takes longer, so that both orders occur on a busy machine too.
_HAND_OVERS, _STOPS, _LATER = 0.012, 0.036, 0.06
_LINGER = 0.003  # seconds at most that a stop lies uncommitted, as a slow client's would
NOW = make.NOW


# The line, or the stored event, that the stop's own transaction wrote; by what of the race.
_WRITTEN = {
    "opt-out": ("prospect.opted_out", "prospect"),
    "pause of the person": ("prospect.paused", "prospect"),
    "pause of the sequence": ("sequence.paused", "sequence_id"),
    "pause of the sender": ("sender.paused", "sender"),
    "answer": ("engagement.recorded", "prospect"),
    "bounce": ("identity.bounced", "prospect"),
}


@dataclass
class Result:
    """How the races of one kind ended."""

    stop_first: int = 0
    hand_over_first: int = 0
    violations: int = 0
    unstopped: int = 0
    late: list[str] = field(default_factory=list)


async def _add(conn: AsyncConnection, keys: Keys, world: make.World, dice: random.Random) -> Race:
    """A race of the kind whose turn it is, with a sender and a sequence of its own if it pauses
    those."""
    kind = dice.choice(list(STOPS))
    at, sender_name = world, "kari"
    if kind == "pause of the sequence":
        at = await second_sequence(conn, world)
    if kind == "pause of the sender":
        own = uuid7()
        sender_name = own.hex
        await conn.execute(
            insert(senders).values(
                id=own,
                name=sender_name,
                channel="email",
                address=f"{own.hex}@sender.example",
                display_name="Kari Nordmann",
                settings={},
                daily_cap=100_000,
                gap_seconds=0,
                gap_jitter_seconds=0,
                hours={"days": "mon-sun", "hours": "00:00-24:00"},
            )
        )
        await conn.execute(insert(lanes).values(sender_id=own))
        at = make.World(own, world.host, world.sequence, world.version, world.program)
    who = await make.prospect(conn, keys)
    enrolled = await make.enrollment(conn, at, who)
    later = dice.random() < 0.5
    return Race(
        *(kind, who, enrolled, at.sender, at.sequence),
        sender_name,
        at.program.sequence,
        later=later,
        stop_delay=dice.random() * (_LATER if later else _STOPS),
        pass_delay=dice.random() * _HAND_OVERS,
        linger=dice.random() * _LINGER * dice.choice((0, 1)),
    )


async def _round(app: App, other: App, races: Sequence[Race], *, with_claim: bool) -> None:
    """Plan, then let stop and hand-over of each race run into each other. `with_claim`: the claim
    is part of the race; else the messages are leased before it starts."""
    while await plan(app, NOW):
        pass
    async with transaction(app.engine) as conn:
        rows = await conn.execute(
            text(
                "select id, enrollment_id, rfc_message_id, identity_id from messages"
                " where enrollment_id = any(:ids)"
            ),
            {"ids": [one.enrollment for one in races]},
        )
        by = {row.enrollment_id: row for row in rows}
    for one in races:
        row = by[one.enrollment]
        one.message, one.rfc, one.identity = row.id, row.rfc_message_id, row.identity_id
    combiner = Combiner(app.engine)
    writer = asyncio.create_task(combiner.run())
    delays = {one.message: one.pass_delay for one in races}
    found = [] if with_claim else await _claim_all(app)
    claimed = asyncio.Event()
    await asyncio.gather(
        _send(app, combiner, found, delays, claimed), *(_stop(other, one, claimed) for one in races)
    )
    writer.cancel()
    with suppress(asyncio.CancelledError):
        await writer


async def _claim_all(app: App) -> list[Claimed]:
    found: list[Claimed] = []
    while more := await claim(app, NOW, owner="racer", batch=200):
        found += more
    return found


async def _stop(app: App, race: Race, claimed: asyncio.Event) -> None:
    if race.later:
        await claimed.wait()
    await asyncio.sleep(race.stop_delay)
    async with transaction(app.engine) as conn:
        await STOPS[race.kind](conn, app.keys, race)
        if race.linger:
            await asyncio.sleep(race.linger)


async def _send(
    app: App,
    combiner: Combiner,
    found: Sequence[Claimed],
    delays: dict[UUID | None, float],
    claimed: asyncio.Event,
) -> None:
    async def hand_over(one: Claimed) -> None:
        await asyncio.sleep(delays.get(one.row.id, 0))
        await combiner.pass_point(
            one.row.id,
            one.fence,
            prospect_id=one.row.prospect_id,
            sender_id=one.row.sender_id,
            sequence_id=one.sequence_id,
            now=one.now(),
        )

    found = found or await _claim_all(app)
    claimed.set()
    await asyncio.gather(*(hand_over(one) for one in found))


_SLOT = "avtale_races"

# A hand-over lies uncommitted for up to 4 ms after its checks, as on a busy disk: without the locks
# a stop finds its way in between. Runs within COMMIT, before the commit is logged.
_SLOW_COMMIT = (
    "create function linger() returns trigger language plpgsql as $$"
    " begin perform pg_sleep(random() * 0.004); return null; end $$",
    "create constraint trigger linger after insert on history deferrable initially deferred"
    " for each row when (new.kind = 'message.sending') execute function linger()",
)


async def _watch(app: App) -> None:
    """From here on the log keeps what is needed to say in which order was committed."""
    async with transaction(app.engine) as conn:
        await conn.execute(text("create publication races for table history, provider_events"))
        for statement in _SLOW_COMMIT:
            await conn.execute(text(statement))
    async with transaction(app.engine) as conn:
        await conn.execute(
            text("select pg_create_logical_replication_slot(:slot, 'pgoutput')"), {"slot": _SLOT}
        )


async def commit_order(conn: AsyncConnection) -> dict[int, int]:
    """Transaction id -> where its commit stands in the write-ahead log, for all since `_watch`."""
    rows = await conn.execute(
        text(
            "select cast(cast(xid as text) as bigint), data"
            " from pg_logical_slot_get_binary_changes(:slot, null, null,"
            " 'proto_version', '1', 'publication_names', 'races')"
        ),
        {"slot": _SLOT},
    )
    # `B`, then the LSN of the commit (Int64): the protocol's Begin message.
    return {xid: struct.unpack(">Q", bytes(data)[1:9])[0] for xid, data in rows if data[:1] == b"B"}


async def _judge(app: App, races: Sequence[Race]) -> dict[str, Result]:
    async with transaction(app.engine) as conn:
        order = await commit_order(conn)
    async with transaction(app.engine) as conn:
        lines = await conn.execute(
            text(
                "select kind, prospect_id, detail, cast(cast(xmin as text) as bigint) as xid"
                " from history order by id"
            )
        )
        written: dict[tuple[str, str], int] = {}
        for line in lines:
            key = line.prospect_id or line.detail.get("sequence_id") or line.detail.get("sender")
            written.setdefault((line.kind, str(key)), line.xid)
        events = await conn.execute(
            text(
                "select external_id, cast(cast(xmin as text) as bigint) as xid from provider_events"
            )
        )
        stored = {row.external_id: row.xid for row in events}
    found: dict[str, Result] = {kind: Result() for kind in STOPS}
    for race in races:
        result = found[race.kind]
        if race.kind in _WRITTEN:
            kind, by = _WRITTEN[race.kind]
            whose = {"prospect": race.prospect, "sequence_id": race.sequence, "sender": race.sender}
            stop = written.get((kind, str(whose[by])))
        else:
            stop = stored.get(str(race.prospect))
        if stop is None:
            result.unstopped += 1
            continue
        passed = written.get(("message.sending", str(race.prospect)))
        if passed is None:
            result.stop_first += 1
        elif order[passed] < order[stop]:
            result.hand_over_first += 1
        else:
            result.violations += 1
            result.late.append(f"{race.kind}: {order[passed] - order[stop]} bytes of log later")
    return found


async def run_races(count: int, *, seed: int) -> dict[str, Result]:
    """`count` races on a PostgreSQL of their own."""
    home = Path(tempfile.mkdtemp(prefix="avtale-races-"))
    servers = Embedded(home / "data", redis=False, postgres_options=("wal_level=logical",))
    try:
        url = servers.start().database_url
        await migrate.upgrade(url)
        app, other = _app(url), _app(url)
        try:
            return await _races(app, other, count, random.Random(seed))
        finally:
            await app.close()
            await other.close()
    finally:
        servers.stop()
        shutil.rmtree(home, ignore_errors=True)


async def _races(app: App, other: App, count: int, dice: random.Random) -> dict[str, Result]:
    async with transaction(app.engine) as conn:
        world = await make.world(conn)
    await _watch(app)
    races: list[Race] = []
    while len(races) < count:
        async with transaction(app.engine) as conn:
            these = [
                await _add(conn, app.keys, world, dice)
                for _ in range(min(_ROUND, count - len(races)))
            ]
        await _round(app, other, these, with_claim=bool(len(races) // _ROUND % 2))
        races += these
        if len(races) % (10 * _ROUND) == 0:
            say(f"races: {len(races)} of {count}")
    return await _judge(app, races)


def _app(url: str) -> App:
    settings = Settings(
        secret_key=SecretStr(SECRET), base_url="https://avtale.example", organisation="Avtale"
    )
    return App(
        settings=settings,
        engine=make_engine(url, pool_size=10),
        keys=Keys(SECRET.encode()),
        channels={"email": FakeChannel(name="email")},
        redis=make_redis("redis://127.0.0.1:1"),
    )


def outcome(found: dict[str, Result], name: str) -> Outcome:
    """The figures of all kinds, and a fault for each violation and for each empty arm."""
    sums: Counter[str] = Counter()
    figures: dict[str, float | int | str] = {}
    faults: list[str] = []
    for kind, one in found.items():
        count = one.stop_first + one.hand_over_first + one.violations
        sums["races"] += count
        sums["stops first"] += one.stop_first
        sums["hand-overs first"] += one.hand_over_first
        sums["violations"] += one.violations
        share = f"{one.stop_first} / {one.hand_over_first} / {one.violations}"
        figures[f"{kind} (stop first / hand-over first / violations)"] = share
        faults += one.late[:3]
        if one.violations > 3:
            faults.append(f"{kind}: {one.violations} violations in all")
        if one.unstopped:
            faults.append(f"{kind}: {one.unstopped} stops left no trace")
        if not one.stop_first or not one.hand_over_first:
            faults.append(f"{kind}: only one order occurred, so that it shows nothing")
    tally = Tally(messages=sums["races"], unexpected=sums["violations"])
    return Outcome(name, tally, dict(sums) | figures, tuple(faults))


@scenario("races", quick=True)
def run(size: Size) -> Outcome:
    """A stop of each kind against claim and hand-over: nothing is handed over in a transaction that
    committed after the stop's did (L4), by the order of commits in PostgreSQL's log.
    """
    with capture_logs():  # each refused hand-over would be a line
        found = asyncio.run(run_races(RACES[size], seed=20261123))
    return outcome(found, "races")
