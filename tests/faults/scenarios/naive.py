"""The control: the naive sender under the same kills, with the same sink."""

import asyncio
import os
import random
import signal
import subprocess
import sys
from collections import Counter
from datetime import UTC, datetime

from arq.connections import RedisSettings, create_pool
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from orchestrator.db import transaction
from tests.faults.audit import compare
from tests.faults.harness import ROOT, Town, town
from tests.faults.scenario import Outcome, Size, Tally, scenario
from tests.faults.scenarios.kills import KILLS, PEOPLE, SINK, WORKERS

# As many messages a kill as ours has. It is slower, and would take an hour for as many as ours.
SHARE = {"quick": 1, "full": 4}
FLUSHED = {"quick": 200, "full": 1000}


def ids(count: int) -> list[str]:
    """Message-IDs."""
    return [f"<naive-{n}@sender.example>" for n in range(count)]


def populate(made: Town, count: int) -> None:
    """A table of messages, and a job for each, deferred until now."""

    async def fill(engine: AsyncEngine) -> None:
        async with transaction(engine) as conn:
            table = "create table naive (id text primary key, recipient text, sent_at timestamptz)"
            await conn.execute(text(table))
            rows = [{"id": one, "to": f"{n}@prospect.example"} for n, one in enumerate(ids(count))]
            await conn.execute(text("insert into naive (id, recipient) values (:id, :to)"), rows)
        pool = await create_pool(RedisSettings.from_dsn(made.env["AVTALE_REDIS_URL"]))
        now = datetime.now(UTC)
        for one in ids(count):
            await pool.enqueue_job("send", one, _job_id=one, _defer_until=now)
        await pool.aclose()

    made.with_engine(fill)


def start(made: Town) -> subprocess.Popen[bytes]:
    """One more naive worker."""
    with (made.home / f"naive-{len(made.processes)}.log").open("wb") as log:
        child = subprocess.Popen(
            [sys.executable, "-m", "arq", "tests.faults.naive_worker.WorkerSettings"],
            env=os.environ
            | {
                "PYTHONPATH": str(ROOT),
                "NAIVE_DATABASE_URL": made.env["AVTALE_DATABASE_URL"],
                "NAIVE_REDIS_URL": made.env["AVTALE_REDIS_URL"],
                "NAIVE_SMTP_PORT": str(made.sink_port),
            },
            cwd=ROOT,
            stdout=log,
            stderr=log,
        )
    made.processes.append(child)
    return child


def queue(made: Town, *command: str) -> int:
    """One command to Redis that answers with a number."""

    async def ask() -> int:
        pool = await create_pool(RedisSettings.from_dsn(made.env["AVTALE_REDIS_URL"]))
        try:
            return int(await pool.execute_command(*command))
        finally:
            await pool.aclose()

    return asyncio.run(ask())


def count(made: Town, messages: int, kills: int) -> Tally:
    """The same words for the naive sender: what is left unsent is lost, nobody will look."""
    rows = made.query("select id, sent_at is not null from naive")
    states = {name: "sent" if sent else "pending" for name, sent in rows}
    return compare(made.handed_over(), states, expected=messages, kills=kills)


@scenario("naive", quick=True, minutes=10, control=True)
def run(size: Size) -> Outcome:
    """The naive sender (one arq job a message with `_defer_until`, marked as sent afterwards) under
    kill -9 as often a message as in `kills`, with the same sink."""
    messages, kills = PEOPLE[size] // SHARE[size], KILLS[size] // SHARE[size]
    rng = random.Random(20261123)
    with town(sink=SINK, verify=False) as made:
        populate(made, messages)
        workers = [start(made) for _ in range(WORKERS)]
        for goal in sorted(rng.sample(range(messages // 50, messages * 19 // 20), kills)):
            made.wait(lambda goal=goal: made.count() >= goal, seconds=90, what=f"reaching {goal}")
            which = rng.randrange(WORKERS)
            workers[which].send_signal(signal.SIGKILL)
            workers[which].wait()
            workers[which] = start(made)
        made.wait(lambda: queue(made, "zcard", "arq:queue") == 0, seconds=120, what="the queue")
        found = count(made, messages, kills)
        twice = Counter(made.handed_over().values())
    return Outcome("naive", found, {"people who got it more than once": messages - twice[1]})


@scenario("naive.flush", quick=False, minutes=5, control=True)
def flush(size: Size) -> Outcome:
    """The naive sender when Redis loses what it holds: jobs are all that knows what is due."""
    messages = FLUSHED[size]
    with town(sink=SINK, verify=False) as made:
        populate(made, messages)
        start(made)
        made.wait(lambda: made.count() >= messages // 3, seconds=60, what="the first third")
        queue(made, "eval", "redis.call('flushall') return 0", "0")
        made.wait(lambda: queue(made, "zcard", "arq:queue") == 0, seconds=60, what="the queue")
        found = count(made, messages, 0)
    return Outcome("naive.flush", found, {"flushed after": messages // 3})
