"""Workers that are stopped for longer than their lease, and wake up when others have gone on."""

import signal
import subprocess
import time
from dataclasses import dataclass, field
from pathlib import Path

from tests.faults import audit
from tests.faults.harness import Process, Town, town
from tests.faults.scenario import Figure, Outcome, Size, say, scenario

CONNECTIONS = 4
ROUNDS = {"quick": 1, "full": 8}
SUPPLY = 16  # people for each worker that is to stop
LEASE, DOUBT = 5.0, 8.0  # seconds, as `town()` sets them
# Where a worker stops, and what it finds when it wakes: its lease is gone, or it is in doubt.
POINTS = {
    "claim.after_commit": 1,
    "prepare.after_commit": 1,
    "smtp.connected": 2,
    "smtp.after_mail": 3,
    "smtp.after_rcpt": 3,
    "pass.before_commit": 2,
    "pass.after_commit": 2,
    "smtp.after_354": 3,
    "smtp.mid_body": 3,
    "smtp.after_body": 1,
    "smtp.after_250": 3,
    "settle.before_commit": 2,
    "settle.after_commit": 2,
}


def is_stopped(worker: Process) -> bool:
    """Whether the kernel says that it is stopped."""
    stat = Path(f"/proc/{worker.pid}/stat").read_text()
    return stat.rpartition(")")[2].split()[0] == "T"


def stop_at(made: Town, point: str) -> Process:
    """A worker that has stopped at `point`, with messages in its hands; or one that got nothing to
    do, since an earlier one was stopped in the middle of a claim and keeps the lanes locked."""
    made.enroll(SUPPLY)
    worker = made.start(
        "worker",
        AVTALE_FAULTS="1",
        AVTALE_CRASH_AT=f"{point}:{POINTS[point]}:stop",
        AVTALE_SEND_CONNECTIONS=str(CONNECTIONS),
    )
    deadline = time.monotonic() + 6
    while not is_stopped(worker) and time.monotonic() < deadline:
        time.sleep(0.05)
    return worker


def refused(made: Town) -> int:
    """How many late writes the workers say were refused."""
    return sum(path.read_text().count("fence.refused") for path in made.home.glob("worker-*.log"))


def settled(made: Town, people: int) -> bool:
    """Whether every message was sent; nobody was killed, so that nothing stays in doubt."""
    return made.states()["sent"] == people


@dataclass
class Seen:
    """What came of the rounds so far; whatever the `faults`, the ledger is looked at too."""

    people: int = 0
    slept: int = 0  # workers that had stopped
    doubts: int = 0  # messages in doubt before they woke
    faults: list[str] = field(default_factory=list)


def one_round(made: Town, seen: Seen) -> None:
    """Stop a worker at each point, let another one go on, wake them."""
    sleepers = [stop_at(made, point) for point in POINTS]
    seen.people += SUPPLY * len(POINTS)
    other = made.start("worker", AVTALE_SEND_CONNECTIONS=str(CONNECTIONS))
    time.sleep(max(LEASE, DOUBT) + 3.0)  # the other has swept, claimed and sent what it could
    seen.doubts += made.states()["in_doubt"]
    seen.slept += sum(is_stopped(worker) for worker in sleepers)
    for worker in sleepers:
        worker.send_signal(signal.SIGCONT)
    try:
        made.wait(lambda: settled(made, seen.people), seconds=90, what="sending everything")
    except AssertionError as error:
        say(str(error))
        seen.faults.append(str(error)[:300])
    for worker in (*sleepers, other):
        worker.terminate()
    seen.faults += [fault for worker in (*sleepers, other) if (fault := _ended(worker))]
    if seen.faults:
        say(made.trouble())


def _ended(worker: Process) -> str:
    """Empty when it ended well after SIGTERM, else what it did."""
    try:
        code = worker.wait(30)
    except subprocess.TimeoutExpired:
        return "a worker did not end after SIGTERM"
    return f"a worker ended with {code} after SIGTERM" if code else ""


@scenario("stopped", quick=True, minutes=6)
def run(size: Size) -> Outcome:
    """Up to thirteen workers are stopped with SIGSTOP, each at another point between claim and
    settlement, for longer than lease and doubt last; another worker takes over what it may; then
    they go on. Their late writes are refused, what they had passed is settled or given back,
    nothing leaves twice, and nobody stays in doubt.
    """
    seen = Seen()
    with town(AVTALE_LEASE_SECONDS=str(int(LEASE))) as made:
        made.populate(0, lanes=4)
        for _ in range(ROUNDS[size]):
            one_round(made, seen)
            say(f"{seen.people} messages, {refused(made)} late writes refused")
            if seen.faults:
                break
        found = audit.tally(made, expected=seen.people)
        late = refused(made)
        figures: dict[str, Figure] = {
            "workers stopped for longer than their lease": seen.slept,
            "late writes refused": late,
            "in doubt while they slept": seen.doubts,
            "in doubt after they woke": found.in_doubt,
        }
    faults = [*audit.judge(found, in_doubt_at_most=0), *seen.faults]
    if not late:
        faults.append("no late write was refused: nobody came too late")
    return Outcome("stopped", found, figures, tuple(faults))
