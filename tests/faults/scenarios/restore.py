"""An old backup is restored after the original has gone on sending."""

import asyncio
import time
from collections import Counter
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import asyncpg
from sqlalchemy import text

from orchestrator.clock import database_now
from orchestrator.db import make_engine, transaction
from orchestrator.flows.close_task import close_task
from orchestrator.keys import Keys
from tests.faults import audit
from tests.faults.harness import SECRET, Town, town
from tests.faults.scenario import Outcome, Size, Tally, say, scenario

PEOPLE = {"quick": 160, "full": 1_500}
# Slow enough that most leave after the snapshot, however long the machine takes to write it.
DELAY = {"quick": 0.4, "full": 0.1}
SOON = 20.0  # seconds from now at which some are due: not planned yet in the snapshot

_OPEN = """
select t.id, t.kind, i.address from tasks t join identities i on i.prospect_id = t.prospect_id
where t.state = 'open' and t.kind in ('in_doubt', 'late')
"""


def elsewhere(made: Town, name: str) -> str:
    """The URL of a new, empty database beside the town's own."""
    own = made.servers.endpoints.database_url

    async def create() -> None:
        conn = await asyncpg.connect(own.replace("@/avtale?", "@/postgres?"))
        try:
            await conn.execute(f"create database {name}")
        finally:
            await conn.close()

    asyncio.run(create())
    return own.replace("@/avtale?", f"@/{name}?")


def ask(url: str, statement: str) -> list[Any]:
    """Rows of one query on another database."""

    async def run() -> list[Any]:
        engine = make_engine(url, pool_size=1)
        try:
            async with transaction(engine) as conn:
                return [tuple(row) for row in (await conn.execute(text(statement))).all()]
        finally:
            await engine.dispose()

    return asyncio.run(run())


def decide(url: str, taken: set[str]) -> Counter[str]:
    """A person compares each task with the sent folder: what is there is skipped, the rest goes."""
    words = {("in_doubt", True): "sent", ("in_doubt", False): "retry",
             ("late", True): "skip", ("late", False): "send"}  # fmt: skip
    done: Counter[str] = Counter()

    async def run() -> None:
        engine = make_engine(url, pool_size=1)
        try:
            async with transaction(engine) as conn:
                found = (await conn.execute(text(_OPEN))).all()
            for task, kind, address in found:
                outcome = words[kind, address in taken]
                async with transaction(engine) as conn:
                    now = await database_now(conn)
                    await close_task(
                        conn, Keys(SECRET.encode()), task_id=task, outcome=outcome, now=now
                    )
                done[outcome] += 1
        finally:
            await engine.dispose()

    asyncio.run(run())
    return done


def must(made: Town, *command: str, **env: str) -> float:
    """Run a command that has to succeed; the seconds that it took."""
    began = time.monotonic()
    done = made.run(*command, **env)
    assert done.returncode == 0, done.stderr
    return round(time.monotonic() - began, 1)


def stop(made: Town) -> None:
    """Every process of the original ends."""
    for child in made.processes:
        if child.poll() is None:
            child.terminate()
            child.wait()


@scenario("restore", quick=False, minutes=10)
def run(size: Size) -> Outcome:
    """A backup is taken while messages leave; the original goes on sending, and stops. The backup
    is restored into a new database and workers start on it: nothing is sent by itself. Then a
    person compares with the sent folder, and what had not left leaves, once.
    """
    people = PEOPLE[size]
    sink = ("--fault", f"body=delay:{DELAY[size]}")
    with town(sink=sink, AVTALE_SEND_CONNECTIONS="2") as made:
        # The cap ends the original: a part of them has never left.
        made.populate(people, lanes=4, daily_cap=people * 3 // 16)
        for _ in range(2):
            made.start("worker")
        made.wait(lambda: made.count() >= people // 5, seconds=240, what="a fifth")
        soon = datetime.now(UTC) + timedelta(seconds=SOON)
        made.enroll(people // 10, due=soon)
        file = made.home / "avtale.dump"
        at_backup = made.count()
        seconds = must(made, "backup", str(file))
        busy = made.run("verify", "--json", "--settle", "3")  # beside what is under way
        made.enroll(people // 10)  # unknown to the backup
        made.wait(lambda: made.count() >= people * 3 // 5, seconds=360, what="three fifths")
        made.wait(lambda: datetime.now(UTC) > soon, seconds=60, what="what is due soon")
        stop(made)
        before = Counter(one.recipient for one in made.taken())
        say(f"{at_backup} taken at the backup, {sum(before.values())} at the end of the original")
        figures = {
            "taken at the backup": at_backup,
            "backup (s)": seconds,
            "verify while sending": "clean" if not busy.returncode else "not clean",
        }
        faults = [] if not busy.returncode else [f"verify while sending: {busy.stdout[:2000]}"]
        return _restored(made, file, before, figures, faults)


def _restored(
    made: Town, file: Path, before: Counter[str], figures: dict[str, Any], faults: list[str]
) -> Outcome:
    url = elsewhere(made, "restored")
    env = {"AVTALE_DATABASE_URL": url}
    figures["restore (s)"] = must(made, "restore", str(file), **env)
    ask(url, "update senders set daily_cap = 100000 returning 1")
    ask(url, "update lanes set free_at = now() returning 1")
    known = {address for (address,) in ask(url, "select address from identities")}
    ((unsent,),) = ask(
        url,
        "select count(*) from prospects p where not exists"
        " (select 1 from messages m where m.prospect_id = p.id and m.state = 'sent')",
    )
    for _ in range(2):
        made.start("worker", **env)
    beat = "select 1 from heartbeats h, clock c where h.beat_at > c.restored_at"
    made.wait(lambda: ask(url, beat) != [], seconds=120, what="a worker")
    time.sleep(12)  # a dozen sweeps, plans and claims
    again = made.count() - sum(before.values())
    waiting = dict(ask(url, "select kind, count(*) from tasks where state = 'open' group by 1"))
    decided = decide(url, set(before))
    say(f"{again} sent by itself; {waiting} asked; decided {dict(decided)}")
    left = known - set(before)
    made.wait(
        lambda: left <= {one.recipient for one in made.taken()}, seconds=300, what="what was let go"
    )
    time.sleep(3)
    checked = made.run("verify", "--json", "--settle", "2", **env)
    stop(made)
    after = Counter(one.recipient for one in made.taken())
    states = Counter(dict(ask(url, "select state, count(*) from messages group by 1")))
    tally = Tally(
        messages=len(known),
        lost=len(known - set(after)),
        duplicated=sum(count - 1 for count in after.values()),
        unexpected=again,
        in_doubt=states["in_doubt"],
    )
    faults.extend(audit.judge(tally, in_doubt_at_most=0))
    if checked.returncode:
        faults.append(f"verify: {checked.stdout[:2000]}{checked.stderr[:500]}")
    since = len(set(before) & known) - (len(known) - unsent)
    if not since or not left:
        faults.append(f"{since} had left since and {len(left)} had not: one of the two was missing")
    if sum(waiting.values()) != unsent:
        faults.append(f"{waiting} were asked about, and {unsent} had no sent message")
    return Outcome(
        "restore",
        tally,
        figures
        | {
            "unsent in the backup": unsent,
            "of these taken since": since,
            "sent again by itself": again,
            "asked about, in doubt": waiting.get("in_doubt", 0),
            "asked about, held": waiting.get("late", 0),
            "let go by a person": decided["retry"] + decided["send"],
            "verify": "clean" if not checked.returncode else "not clean",
        },
        tuple(faults),
    )
