"""A deploy under load: workers are asked to stop again and again, and leave nothing behind."""

import random
import time

from tests.faults import audit
from tests.faults.harness import Process, Town, town
from tests.faults.numbers import percentile
from tests.faults.scenario import Figure, Outcome, Size, say, scenario

CONNECTIONS = 10
WORKERS = 2
PEOPLE = {"quick": 600, "full": 6000}
TIMES = {"quick": 5, "full": 20}
PATIENCE = 12.0  # seconds: `avtale up` kills a worker that takes longer
# Every second body is answered late: there is always a hand-over under way.
SINK = ("--fault", "body=delay:0.05@2")


def left_behind(made: Town, pid: int) -> int:
    """What a worker that has ended still holds."""
    ((count,),) = made.query(
        r"select count(*) from messages where state in ('leased', 'sending')"
        r" and split_part(lease_owner, '\:', 2) = :pid",
        pid=str(pid),
    )
    return int(count)


def started(made: Town, worker: Process) -> None:
    """Wait until it has begun to work: before that it holds nothing, and ends like any process."""
    log = made.home / f"worker-{made.processes.index(worker)}.log"
    made.wait(lambda: "worker.started" in log.read_text(), seconds=30, what="starting")


@scenario("sigterm", quick=True, minutes=6)
def run(size: Size) -> Outcome:
    """Two workers send; one after the other gets SIGTERM in the middle of it and is replaced. Each
    ends by itself within the patience of `avtale up`, gives back what it has not begun, and leaves
    nothing in doubt.
    """
    people, times, rng = PEOPLE[size], TIMES[size], random.Random(11)
    took: list[float] = []
    held = 0
    faults: list[str] = []
    with town(sink=SINK, AVTALE_SEND_CONNECTIONS=str(CONNECTIONS)) as made:
        made.populate(people, lanes=4)
        workers = [made.start("worker") for _ in range(WORKERS)]
        for goal in sorted(rng.sample(range(people // 50, people * 9 // 10), times)):
            made.wait(lambda goal=goal: made.count() >= goal, seconds=90, what=f"reaching {goal}")
            which = rng.randrange(WORKERS)
            started(made, workers[which])
            began = time.monotonic()
            workers[which].terminate()
            code = workers[which].wait(60)
            took.append(time.monotonic() - began)
            if code != 0:
                faults.append(f"a worker that was asked to stop ended with {code}")
            held += left_behind(made, workers[which].pid)
            workers[which] = made.start("worker")
        say(f"{len(took)} times SIGTERM, {made.count():,} messages taken")
        made.wait(lambda: made.states()["sent"] == people, seconds=90, what="sending the rest")
        found = audit.tally(made, expected=people)
    if max(took) > PATIENCE:
        faults.append(f"a worker took {max(took):.1f} s to stop, and is killed after {PATIENCE} s")
    if held:
        faults.append(f"{held} messages were still held by workers that had ended")
    figures: dict[str, Figure] = {
        "SIGTERM": len(took),
        "seconds to stop, p50": percentile(took, 50),
        "seconds to stop, most": max(took),
        "messages still held by a worker that had stopped": held,
    }
    return Outcome("sigterm", found, figures, (*audit.judge(found, in_doubt_at_most=0), *faults))
