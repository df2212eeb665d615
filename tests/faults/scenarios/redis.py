"""Redis ill in every way: messages leave, webhooks are taken, workers come back by themselves."""

import asyncio
import json
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from redis import Redis
from sqlalchemy.ext.asyncio import AsyncEngine

from orchestrator.db import transaction
from orchestrator.doorbells import Doorbells
from orchestrator.embedded import Embedded
from orchestrator.wiring import make_redis
from tests import make
from tests.faults import audit
from tests.faults.evidence import MailDoor
from tests.faults.harness import ONE_STEP, ROOT, Town, add_sender, enroll_people, town
from tests.faults.scenario import Figure, Outcome, Size, Tally, say, scenario

WORKERS, LANES = 2, 4
BEFORE = {"quick": 20, "full": 100}  # messages that leave while Redis is well
DURING = {"quick": 100, "full": 600}  # and while it is ill
POSTS = {"quick": 10, "full": 60}
WELL, HALF = "well", "half of the doorbells dropped, half doubled"
CASES = ("killed", "frozen", "read-only", "out of memory", "flushed", HALF)
QUICK = ("read-only",)
HANGS = 4.0  # seconds: a call to the API that takes longer has waited for Redis
BACK = 100.0  # seconds in which every worker must hear doorbells again


@contextmanager
def ill(servers: Embedded, case: str) -> Iterator[None]:
    """Redis, ill in one way while this lasts, and well again afterwards."""
    assert servers._redis is not None
    changes = {
        "read-only": ("replicaof 127.0.0.1 1", "replicaof no one"),
        "out of memory": ("config set maxmemory 1", "config set maxmemory 0"),
        "flushed": ("flushall", "flushall"),
    }
    if case == "killed":
        servers.stop_redis(kill=True)
        yield
        servers.start_redis()
    elif case == "frozen":
        servers._redis.send_signal(signal.SIGSTOP)
        yield
        servers._redis.send_signal(signal.SIGCONT)
    elif case in changes:
        tell(servers, changes[case][0])
        yield
        tell(servers, changes[case][1])
    else:
        yield


def tell(servers: Embedded, words: str) -> None:
    """One command to Redis."""
    with Redis.from_url(servers.endpoints.redis_url) as client:
        client.execute_command(*words.split())


class Sequence:
    """A sequence with its lanes, in which people fall due when somebody says so."""

    def __init__(self, made: Town) -> None:
        self._made = made
        self._at = {
            "host": "127.0.0.1",
            "port": made.sink_port,
            "security": "plain_without_encryption",
        }
        made.with_engine(self._begin)

    async def _begin(self, engine: AsyncEngine) -> None:
        async with transaction(engine) as conn:
            self._world = await make.world(conn, program=ONE_STEP, settings=self._at)
            more = [await add_sender(conn, self._world, self._at, n) for n in range(1, LANES)]
            self._senders = (self._world.sender, *more)

    def fall_due(self, people: int) -> float:
        """`people` are due now, and the bell is rung as every door does. Returns when."""

        async def work(engine: AsyncEngine) -> float:
            async with transaction(engine) as conn:
                await enroll_people(conn, self._world, people, senders=self._senders)
            at = time.time()
            redis, bells = make_redis(self._made.servers.endpoints.redis_url), Doorbells()
            bells.ring(redis, "plan")
            await asyncio.sleep(0.05)
            await bells.close()
            await redis.aclose()
            return at

        return float(self._made.with_engine(work))


@dataclass
class Seen:
    """What was seen of one case."""

    tally: Tally
    first: float  # seconds until the first message left that fell due during the outage
    rate: float  # messages a second
    sent: int
    posted: int
    slowest: float  # seconds of a call to the API
    back: float  # seconds until every worker heard doorbells again
    faults: list[str] = field(default_factory=list)


def start_worker(made: Town, case: str) -> None:
    """A worker; in one case with bells that are not to be relied on."""
    if case != HALF:
        made.start("worker")
        return
    with (made.home / f"worker-{len(made.processes)}.log").open("wb") as log:
        words = [sys.executable, "-m", "tests.faults.half_bells", "worker"]
        child = subprocess.Popen(words, env=made.env, cwd=ROOT, stdout=log, stderr=log)
    made.processes.append(child)


def hearing(made: Town, within: float) -> bool:
    """Whether a doorbell has reached every worker in the last `within` seconds."""
    rows = made.query(
        "select count(*) filter (where canary_at > clock_timestamp() - make_interval(secs => :s))"
        " from heartbeats",
        s=within,
    )
    return bool(rows == [(WORKERS,)])


def one_case(case: str, size: Size) -> Seen:
    """Messages leave; Redis falls ill and more fall due; it is well again."""
    before, during = BEFORE[size], DURING[size]
    with town() as made:
        door = MailDoor(made)
        for _ in range(WORKERS):
            start_worker(made, case)
        sequence = Sequence(made)
        sequence.fall_due(before)
        made.wait(lambda: made.count() >= before, seconds=60, what="sending before")
        if case != HALF:
            made.wait(lambda: hearing(made, 30), seconds=60, what="the first canaries")
        with ill(made.servers, case):
            due = sequence.fall_due(during)
            calls = post_all(door, POSTS[size])
            goal = before + during
            made.wait(lambda: made.states()["sent"] == goal, seconds=120, what=f"sending, {case}")
            faults = look_at_health(door)
        well = time.monotonic()
        if case != HALF:  # of those a canary may come through late: nothing is ill that could mend
            made.wait(
                lambda: hearing(made, time.monotonic() - well), seconds=BACK, what="hearing again"
            )
        back = time.monotonic() - well
        times = sorted(one.at for one in made.taken())[before:]
        ((posted,),) = made.query("select count(*) from provider_events")
        return Seen(
            audit.tally(made, expected=goal),
            times[0] - due,
            during / (times[-1] - times[0]),
            len(times),
            posted,
            max(calls),
            back,
            faults,
        )


def post_all(door: MailDoor, count: int) -> list[float]:
    """Post mails of strangers; how long each call took, in seconds. Raises when one is refused."""
    calls = []
    for number in range(count):
        name = f"{number}.{time.time_ns()}@stranger.example"
        body = (
            f"From: {name}\r\nTo: kari@sender.example\r\nSubject: Hi\r\n"
            f"Message-ID: <{name}>\r\n\r\nHello\r\n"
        )
        began = time.perf_counter()
        door.post(body.encode())
        calls.append(time.perf_counter() - began)
    return calls


def look_at_health(door: MailDoor) -> list[str]:
    """What is wrong with /readyz while Redis is ill: it must say that messages can leave."""
    began = time.perf_counter()
    with urllib.request.urlopen(f"http://127.0.0.1:{door.port}/readyz", timeout=20) as answer:
        status = json.loads(answer.read())["status"]  # 503 raises
    took = time.perf_counter() - began
    faults = [] if took < HANGS else [f"/readyz took {took:.1f} s"]
    return faults if status in ("ready", "degraded") else [*faults, f"/readyz says {status}"]


@scenario("redis", quick=True, minutes=12)
def run(size: Size) -> Outcome:
    """Redis is ill while messages fall due and webhooks come in: killed, frozen, read-only, out of
    memory, flushed, half of the doorbells lost and half doubled. No process is restarted by hand.

    Times until the first message are from the moment in which people fall due; `well` is the same
    run with a Redis that works.
    """
    found = Tally()
    figures: dict[str, Figure] = {}
    faults: list[str] = []
    for case in (WELL, *(CASES if size == "full" else QUICK)):
        say(f"redis: {case}")
        seen = one_case(case, size)
        found += seen.tally
        figures[f"{case}: sent meanwhile"] = seen.sent
        figures[f"{case}: until the first message (s)"] = seen.first
        figures[f"{case}: messages a second"] = seen.rate
        figures[f"{case}: webhooks taken"] = f"{seen.posted} of {POSTS[size]}"
        figures[f"{case}: slowest webhook (s)"] = seen.slowest
        if case not in (WELL, HALF):
            figures[f"{case}: doorbells work again after (s)"] = seen.back
        faults += [f"{case}: {one}" for one in audit.judge(seen.tally, in_doubt_at_most=0)]
        faults += [f"{case}: {one}" for one in seen.faults]
        if seen.posted != POSTS[size]:
            faults.append(f"{case}: {seen.posted} of {POSTS[size]} webhooks were kept")
        if seen.slowest > HANGS:
            faults.append(f"{case}: a webhook took {seen.slowest:.1f} s")
    return Outcome("redis", found, figures, tuple(faults))
