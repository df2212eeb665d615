"""A claim of due messages as more people are enrolled, and while an old snapshot is held open."""

import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from statistics import median

import asyncpg

from bench.crowd import ADDRESS, PERSON, add_people, identifier, vacuum, without_triggers
from bench.measure import Comparison, Growth, Measure, Size, path
from bench.place import ONE_STEP, add_senders, product
from orchestrator.clock import database_now
from orchestrator.db import transaction
from orchestrator.flows.claim import claim
from orchestrator.rules.watermark import Watermarks
from orchestrator.wiring import App, require_urls
from tests import make

BATCH = 100
SEATS = 20
CLAIMS = 20  # of which the p50 is taken
STEP = 500_000  # people made in one transaction
DUE_LEAST = CLAIMS * BATCH + 700

# Who was imported and enrolled together is due together, in the order of their steps' waits; with
# `together` 1 each of those who are due stands somewhere else among all the others.
TOGETHER = 500
# One group in `every` is due; of ten others one waits with a message for another day, three are
# over, and six wait for the planner.
_ENROLLMENTS = f"""
insert into enrollments (id, prospect_id, sequence_id, version_id, sender_id, state, step, due_at,
  ended_at)
select {identifier(5)}, {PERSON}, $3::uuid, $4::uuid, ($7::uuid[])[1 + n % {SEATS}],
  case when due or n % 10 = 1 then 'sending' when n % 10 < 5 then 'finished' else 'active' end,
  'hello',
  case when not due and n % 10 >= 5 then now() + make_interval(secs => 86400 + n % 999) end,
  case when not due and n % 10 between 2 and 4 then now() end
from (select n, n / $5::bigint % $6::bigint = 0 as due
  from generate_series($1::bigint, $2::bigint) n) people"""
# Messages of steps that were planned earlier: sent, or waiting for another day.
_OLDER = f"""
insert into messages (id, enrollment_id, prospect_id, step, channel, sender_id, identity_id, state,
  due_at, rfc_message_id)
select {identifier(6)}, {identifier(5)}, {PERSON}, 'hello', 'email',
  ($5::uuid[])[1 + n % {SEATS}], {ADDRESS},
  case when n % 10 = 1 then 'pending' else 'sent' end,
  now() + make_interval(days => 1 + (n % 9)::int), '<' || md5(n::text) || '@sender.example>'
from generate_series($1::bigint, $2::bigint) n
where n / $3::bigint % $4::bigint <> 0 and n % 10 < 5"""
# A message is written when its step is planned: the rows of these are the newest. Each group has
# ten minutes of the hour before last.
_DUE = f"""
insert into messages (id, enrollment_id, prospect_id, step, channel, sender_id, identity_id,
  due_at, rfc_message_id)
select {identifier(7, "row_number() over (order by ago desc)")}, {identifier(5)}, {PERSON},
  'hello', 'email', ($4::uuid[])[1 + n % {SEATS}], {ADDRESS}, now() - make_interval(secs => ago),
  '<' || md5(n::text) || '@sender.example>'
from (select n, 7200 - 3000 * abs(hashint8(n / $2::bigint)::float8) / 2147483648
    - 600 * abs(hashint8(n)::float8) / 2147483648 as ago
  from generate_series(1, $1::bigint) n where n / $2::bigint % $3::bigint = 0) people
order by ago desc"""
_PLAIN_INDEXES = """
select indexdef, indexrelid::regclass::text as name from pg_index i
join pg_indexes d on d.indexname::regclass = i.indexrelid
where not i.indisunique and d.tablename = any(array['companies', 'prospects', 'identities',
  'enrollments', 'messages'])"""
_UNCLAIM = (
    """update messages set state = 'pending', fence = 0, attempt = 0, lease_owner = null,
      lease_until = null where state = 'leased'""",
    "update lanes set free_at = now(), used = 0",
)
# What the prototype of the reference did: lease the oldest due rows, and look at nothing else.
_BARE = f"""
update messages m set state = 'leased', fence = fence + 1, attempt = attempt + 1,
  lease_owner = 'bare', lease_until = now() + interval '60 s'
from (select id from messages where phase = 'open' and state in ('pending', 'retry_wait')
    and due_at <= now()
  order by due_at limit {BATCH} for no key update skip locked) d
where m.id = d.id returning m.id, m.fence, m.prospect_id"""


@dataclass
class _Queue:
    """A database with so many enrolled, and how much of it is due and not claimed yet."""

    app: App
    people: int
    due: int
    left: int

    async def product(self, claims: int = CLAIMS) -> list[float]:
        """The milliseconds that each of `claims` claims of the product took."""
        await self._enough(claims)
        async with transaction(self.app.engine) as conn:
            now = await database_now(conn)
        took, marks = [], Watermarks()
        for _ in range(claims):
            start = time.perf_counter()
            found = await claim(self.app, now, owner="bench", batch=BATCH, watermarks=marks)
            took.append((time.perf_counter() - start) * 1000)
            _check(len(found))
            now += timedelta(milliseconds=5)
        return took

    async def bare(self, claims: int = CLAIMS) -> list[float]:
        """The same of a bare `update ... skip locked` of as many rows."""
        await self._enough(claims)
        conn = await asyncpg.connect(require_urls(self.app.settings)[0])
        took = []
        try:
            for _ in range(claims):
                start = time.perf_counter()
                found = await conn.fetch(_BARE)
                took.append((time.perf_counter() - start) * 1000)
                _check(len(found))
        finally:
            await conn.close()
        return took

    async def under_a_snapshot(self, claims: int) -> list[float]:
        """`product` while a transaction from before the first claim reads no newer row."""
        await self._enough(claims)
        conn = await asyncpg.connect(require_urls(self.app.settings)[0])
        try:
            async with conn.transaction(isolation="repeatable_read", readonly=True):
                await conn.fetchval("select count(*) from lanes")
                took = await self.product(claims)
        finally:
            await conn.close()
        await self._put_back()
        return took

    async def _enough(self, claims: int) -> None:
        """Put back what was claimed when too little is left."""
        if self.left < claims * BATCH + 500:
            await self._put_back()
        self.left -= claims * BATCH

    async def _put_back(self) -> None:
        """Everything that was due is due, and no dead row is left."""
        await without_triggers(self.app, *_UNCLAIM)
        await vacuum(self.app, "messages", "lanes")
        self.left = self.due


def _check(found: int) -> None:
    if found < BATCH * 0.8:  # lanes share a batch evenly, and one may run dry
        raise RuntimeError(f"a claim of {BATCH} found {found}")


@asynccontextmanager
async def queue(
    people: int, due: int = DUE_LEAST, together: int = TOGETHER
) -> AsyncIterator[_Queue]:
    """A place with so many enrolled: at least `due` of them are due, and at least a hundredth."""
    every = max(2, min(100, people // due))
    async with product() as app:
        async with transaction(app.engine) as conn:
            world = await make.world(conn, program=ONE_STEP, daily_cap=0)
            seats = await add_senders(conn, SEATS, 25)
        conn = await asyncpg.connect(require_urls(app.settings)[0])
        await conn.execute("set session_replication_role = replica")
        asleep = await conn.fetch(_PLAIN_INDEXES)
        for index in asleep:
            await conn.execute(f"drop index {index['name']}")
        for first in range(1, people + 1, STEP):
            last = min(first + STEP - 1, people)
            async with transaction(app.engine) as other:
                await add_people(other, first, last, facts=False)
            pinned = (world.sequence, world.version)
            await conn.execute(_ENROLLMENTS, first, last, *pinned, together, every, seats)
            await conn.execute(_OLDER, first, last, together, every, seats)
        await conn.execute(_DUE, people, together, every, seats)
        waiting = await conn.fetchval("select count(*) from messages where due_at < now()")
        for index in asleep:
            await conn.execute(index["indexdef"])
        for table in ("companies", "prospects", "identities", "enrollments", "messages", "lanes"):
            await conn.execute(f"vacuum analyze {table}")
        await conn.execute("checkpoint")
        await conn.close()
        yield _Queue(app, people, waiting, waiting)


@path("claim", minutes=20)
@asynccontextmanager
async def claims(size: Size) -> AsyncIterator[list[Measure]]:
    """A hundred due messages of twenty senders, claimed by the product and by bare SQL."""
    sizes = [6_000, 9_000] if size == "quick" else [10_000, 100_000, 1_000_000, 5_000_000]
    held = 10 if size == "quick" else 400
    async with AsyncExitStack() as stack:
        places = {each: await stack.enter_async_context(queue(each)) for each in sizes}
        least, most = places[sizes[0]], places[sizes[-1]]
        some = await stack.enter_async_context(queue(held * BATCH * 2 + 5_000, held * BATCH + 500))

        async def p50(size: int) -> float:
            return median(await places[size].product())

        async def bare(size: int) -> float:
            return median(await places[size].bare())

        async def alone() -> float:
            return median((await some.product(held))[held // 2 :])

        async def beside() -> float:
            return median((await some.under_a_snapshot(held))[held // 2 :])

        few, many = f"{least.people:,} enrolled", f"{most.people:,} enrolled"
        yield [
            Comparison(
                f"claim of {BATCH} due messages", many, few, "ms (p50)",
                {many: lambda: p50(most.people), few: lambda: p50(least.people),
                 f"bare SQL, {many}": lambda: bare(most.people),
                 f"bare SQL, {few}": lambda: bare(least.people)},
                2, 1.3, better="less",
                notes={"people": f"those who are due were enrolled {TOGETHER} at a time"},
            ),
            Comparison(
                f"the same, the later half of {held} claims", "old snapshot", "none", "ms (p50)",
                {"old snapshot": beside, "none": alone}, 2, 1.3, better="less",
            ),
            Growth(f"claim of {BATCH} due messages", "ms (p50)", sizes, p50),
        ]  # fmt: skip
