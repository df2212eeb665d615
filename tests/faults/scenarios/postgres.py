"""PostgreSQL goes away: restarted without a goodbye, and cut off in the middle of a COMMIT."""

import random
import signal
import time
from collections import Counter
from pathlib import Path

from orchestrator.processes import end
from tests.faults import audit, torn
from tests.faults.harness import Process, Town, town
from tests.faults.numbers import percentile
from tests.faults.proxy import Cut, proxying
from tests.faults.scenario import Outcome, Size, Tally, say, scenario
from tests.faults.scenarios.sigterm import started

CONNECTIONS = 10
WORKERS = 2
PEOPLE = {"quick": 50, "full": 1500}
UP = {"quick": (2.0, 3.0), "full": (2.0, 5.0)}  # seconds between restarts
SINK = ("--fault", "body=delay:0.02@3")
# A share of the commits that is cut, by what they commit: rare ones more often.
SHARE = {"pass": 0.1, "settle": 0.1, "plan": 0.2, "claim": 0.05, "sweep": 0.3, "other": 0.005}
ALWAYS = ("pass", "settle")
_SAYS = {
    "pass": "set state = 'sending'",
    "settle": "set attempt = m.attempt - w.spared",
    "claim": "set state = 'leased'",
    "sweep": "'lease_expired'",
    "plan": "INSERT INTO messages",
}


def restart(made: Town) -> float:
    """Take PostgreSQL down as a crash does (immediate), and up again. Seconds until it answers."""
    servers = made.servers
    began = time.monotonic()
    end(servers._postgres, signal.SIGQUIT)
    servers.start_postgres()
    return time.monotonic() - began


def outcome(
    name: str, made: Town, people: int, figures: dict[str, float | int | str], faults: list[str]
) -> Outcome:
    """The tally, and what was torn."""
    found = audit.tally(made, expected=2 * people)
    missing = found.in_doubt  # nobody gets a second message whose first one is in doubt
    found = Tally(found.messages - missing, 0, found.lost - missing, *_rest(found))
    judged = audit.judge(found, in_doubt_at_most=0)
    return Outcome(name, found, figures, (*judged, *torn.faults(made), *faults))


def _rest(found: Tally) -> tuple[int, int, int]:
    return found.duplicated, found.unexpected, found.in_doubt


@scenario("postgres.restarts", quick=True, minutes=6)
def restarts(size: Size) -> Outcome:
    """PostgreSQL is restarted every few seconds in immediate mode, as a crash would, while two
    workers send a sequence of two messages. Nothing is lost, nothing leaves twice, nothing is in
    doubt, and no enrollment is half advanced.
    """
    people, rng = PEOPLE[size], random.Random(5)
    downs: list[float] = []
    with town(sink=SINK, AVTALE_DOUBT_AFTER_SECONDS="30") as made:
        made.populate(people, lanes=4, program=torn.TWO_STEPS)
        workers = [made.start("worker") for _ in range(WORKERS)]
        for worker in workers:  # one that finds no database says so and ends
            started(made, worker)
        deadline = time.monotonic() + 200
        while (made.count() < 2 * people or len(downs) < 3) and time.monotonic() < deadline:
            time.sleep(rng.uniform(*UP[size]))
            assert any(worker.poll() is None for worker in workers), made.trouble()
            downs.append(restart(made))
            if len(downs) % 10 == 0:
                say(f"{len(downs)} restarts, {made.count():,} messages taken")
        made.wait(lambda: over(made, people, workers), seconds=60, what="settling")
        died = sum(worker.poll() is not None for worker in workers)
        figures: dict[str, float | int | str] = {
            "restarts": len(downs),
            "seconds down, p50": percentile(downs, 50),
            "workers that ended": died,
        }
        return outcome(
            "postgres.restarts", made, people, figures, ["a worker ended"] if died else []
        )


def over(made: Town, people: int, workers: list[Process]) -> bool:
    """Whether everything is done, or nobody is left to do it."""
    if all(worker.poll() is not None for worker in workers):
        raise AssertionError(f"every worker ended: {made.trouble()}")
    return torn.finished(made, people)


class Surgeon:
    """Chooses which commits are cut, and keeps count."""

    def __init__(self, seed: int) -> None:
        self._rng = random.Random(seed)
        self.seen: Counter[str] = Counter()
        self.cut: Counter[str] = Counter()
        self.on = True

    def __call__(self, asked: str) -> Cut | None:
        kinds = [kind for kind, words in _SAYS.items() if words in asked] or ["other"]
        self.seen.update(kinds)
        where = self._owed(kinds)
        if where is None and self._rng.random() < max(SHARE[kind] for kind in kinds):
            where = "before" if self._rng.random() < 0.5 else "after"
        if where is None or not self.on:
            return None
        self.cut.update(f"{kind}, {where}" for kind in kinds)
        return where

    def _owed(self, kinds: list[str]) -> Cut | None:
        """What must be cut at least once each way: few commits carry many messages."""
        for kind in ALWAYS:
            if kind in kinds and self.seen[kind] > 1:
                ways: tuple[Cut, ...] = ("before", "after")
                return next((one for one in ways if not self.cut[f"{kind}, {one}"]), None)
        return None


@scenario("postgres.commit", quick=True, minutes=6)
def commit(size: Size) -> Outcome:
    """A proxy cuts connections inside COMMIT: half of them before the server saw it, half after it
    had committed and before the client heard so. Passes, settlements, plans, claims and sweeps are
    all cut. Nothing is lost, nothing leaves twice, nothing is in doubt or half advanced.
    """
    people, surgeon = PEOPLE[size], Surgeon(7)
    with town(sink=SINK, AVTALE_DOUBT_AFTER_SECONDS="30") as made:
        made.populate(people, lanes=4, program=torn.TWO_STEPS)
        home = Path(made.servers.endpoints.database_url.partition("?host=")[2])
        with proxying(home / ".s.PGSQL.5432", postgres=True) as proxy:
            proxy.commits = surgeon
            url = f"postgresql://avtale@127.0.0.1:{proxy.port}/avtale"
            workers = [made.start("worker", AVTALE_DATABASE_URL=url) for _ in range(WORKERS)]
            made.wait(lambda: over(made, people, workers), seconds=200, what="settling")
            died = sum(worker.poll() is not None for worker in workers)
            cuts = dict(proxy.cuts)
        figures: dict[str, float | int | str] = {
            "commits cut before the server saw them": cuts["before"],
            "commits cut after they were done": cuts["after"],
        }
        figures |= {f"cut: {what}": count for what, count in sorted(surgeon.cut.items())}
        wrong = ["a worker ended"] if died else []
        wrong += [f"no {kind} was cut" for kind in ALWAYS if not _cut(surgeon, kind)]
        return outcome("postgres.commit", made, people, figures, wrong)


def _cut(surgeon: Surgeon, kind: str) -> bool:
    return all(surgeon.cut[f"{kind}, {where}"] for where in ("before", "after"))
