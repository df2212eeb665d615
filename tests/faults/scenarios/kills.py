"""Random workers die by `kill -9` while messages leave, and the rest goes on."""

import os
import random
import signal
import time
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path

from tests.faults import audit
from tests.faults.evidence import resolve
from tests.faults.harness import Process, Town, town
from tests.faults.numbers import percentile
from tests.faults.scenario import Outcome, Size, say, scenario

CONNECTIONS = 10
WORKERS = 2
PEOPLE = {"quick": 600, "full": 20_000}
KILLS = {"quick": 5, "full": 100}
# A third of the mails are acknowledged late, as real servers do: kills find more under way.
SINK = ("--fault", "body=delay:0.02@3")


@dataclass(frozen=True)
class Kill:
    """One death: when (seconds since the epoch), and what the worker held, by Message-ID."""

    at: float
    held: dict[str, str] = field(default_factory=dict)
    connections: int = 0  # open to the sink when it died

    def hand_overs(self, taken: dict[str, float]) -> list[float]:
        """Seconds from the death to the hand-over of each message that it held and had not begun
        to hand over: what a sweeper and another claim have to bring back."""
        return sorted(
            taken[one] - self.at
            for one, state in self.held.items()
            if state == "leased" and taken.get(one, 0) > self.at
        )


def kill(made: Town, worker: Process) -> Kill:
    """Kill it, and look at what it held. It is stopped an instant before, to count what it has
    open; nothing runs in between."""
    worker.send_signal(signal.SIGSTOP)
    connections = open_connections(worker.pid, made.sink_port)
    at = time.time()
    worker.kill()
    worker.wait()
    return replace(look(made, worker, at), connections=connections)


def open_connections(pid: int, port: int) -> int:
    """How many TCP connections a process has to `port` (Linux)."""
    own = set()
    for entry in Path(f"/proc/{pid}/fd").iterdir():
        with suppress(OSError):
            own.add(os.readlink(entry).removeprefix("socket:[").removesuffix("]"))
    lines = Path("/proc/net/tcp").read_text().splitlines()[1:]
    fields = (line.split() for line in lines)
    return sum(one[2].endswith(f":{port:04X}") and one[9] in own for one in fields)


def look(made: Town, worker: Process, at: float | None = None) -> Kill:
    """What a worker held that has died (just now, or at `at`)."""
    at = at or time.time()
    name = audit.name_of(made)
    held = made.query(
        rf"select {name}, state from messages where split_part(lease_owner, '\:', 2) = :pid",
        pid=str(worker.pid),
    )
    return Kill(at, dict(held))


def storm(made: Town, people: int, kills: int, rng: random.Random) -> list[Kill]:
    """Kill random workers at random moments, each followed by a new one at once."""
    workers = [made.start("worker") for _ in range(WORKERS)]
    done: list[Kill] = []
    for goal in sorted(rng.sample(range(people // 50, people * 19 // 20), kills)):
        made.wait(lambda goal=goal: made.count() >= goal, seconds=90, what=f"reaching {goal}")
        which = rng.randrange(WORKERS)
        done.append(kill(made, workers[which]))
        workers[which] = made.start("worker")
        if len(done) % 10 == 0:
            say(f"{len(done)} kills, {made.count():,} messages taken")
    return done


def doubts_of(deaths: list[Kill], states: dict[str, str]) -> list[int]:
    """How many are in doubt by each death. What was given back by one and taken by the next is the
    last one's."""
    owner = {one: number for number, death in enumerate(deaths) for one in death.held}
    found = Counter(owner.get(one) for one, state in states.items() if state == "in_doubt")
    return [found[number] for number in range(len(deaths))]


def settled(made: Town, people: int) -> bool:
    """Whether every message was brought to an end."""
    states = made.states()
    return states["sent"] + states["in_doubt"] == people


def recovery(kills: list[Kill], taken: dict[str, float]) -> dict[str, float | int | str]:
    """p50 and p99 of the seconds until somebody else hands over what a killed worker held."""
    waits = [found for one in kills if (found := one.hand_overs(taken))]
    first = [found[0] for found in waits]
    last = [found[-1] for found in waits]
    return {
        "kills that held unsent messages": len(waits),
        "recovery of the first, p50 (s)": percentile(first, 50),
        "recovery of the first, p99 (s)": percentile(first, 99),
        "of the last, behind the others that wait, p50 (s)": percentile(last, 50),
        "p99 (s)": percentile(last, 99),
    }


@scenario("kills", quick=True, minutes=25)
def run(size: Size) -> Outcome:
    """Two workers send; at random moments a random one dies by kill -9 and a new one starts. Then
    replies, failure and delay notices come back for three quarters of what is in doubt and had
    arrived, and mails that name nothing for the rest.

    Recovery counts from a kill to the hand-over, by another process, of what the killed one had
    leased and not begun to hand over; it contains the rest of the lease (5 s here).
    """
    people, kills = PEOPLE[size], KILLS[size]
    with town(sink=SINK, AVTALE_SEND_CONNECTIONS=str(CONNECTIONS)) as made:
        made.populate(people, lanes=8)
        began = time.time()
        deaths = storm(made, people, kills, random.Random(20261123))
        made.wait(lambda: settled(made, people), seconds=180, what="settling")
        rate = people / (max(one.at for one in made.taken()) - began)
        found = audit.tally(made, expected=people, kills=len(deaths))
        per_kill = doubts_of(deaths, audit.states(made))
        taken = {one.message_id: one.at for one in made.taken()}
        evidence = resolve(made)
        after = audit.tally(made, expected=people, kills=len(deaths))
    # A worker that found its hand-overs slow has more of them open than its setting says.
    most = [max(CONNECTIONS, death.connections) for death in deaths]
    faults = audit.judge(after, in_doubt_at_most=sum(most))
    for doubts, limit in zip(per_kill, most, strict=True):
        if doubts > limit:
            faults += (f"{doubts} in doubt after one kill, with {limit} connections",)
    if evidence.wrong or evidence.resolved != evidence.told:
        faults += (f"evidence: {evidence}",)
    figures = recovery(deaths, taken) | {
        "in doubt a kill, mean": sum(per_kill) / len(per_kill),
        "in doubt a kill, most": max(per_kill),
        "open connections a kill, mean": sum(death.connections for death in deaths) / len(deaths),
        "open connections a kill, most": max(death.connections for death in deaths),
        "messages a second while workers died": rate,
    }
    return Outcome("kills", found, figures | evidence.figures(), faults)
