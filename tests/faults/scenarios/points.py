"""Workers die at every named crash point, and what they left behind comes to its end."""

import random
import signal
import time

from channels.crash_points import POINTS
from tests.faults import audit
from tests.faults.harness import Process, Town, town
from tests.faults.scenario import Outcome, Size, Tally, say, scenario
from tests.faults.scenarios.kills import Kill, doubts_of, look

TIMES = {"quick": 6, "full": 50}
# Which hit of the point kills, at most. Rounds that many processes would share are rare: the first.
# Whoever is to die after a body waits until it has left, and misses the answer until then.
_HITS = {
    **{"plan": 1, "sweep": 1, "reconcile": 1, "claim": 3, "prepare": 3},
    **{"smtp.connected": 2, "smtp.after_body": 1},
}
_SUPPLY = 12  # people for each death: what it holds, it holds until the lease ends
_SLACK = ("http", "reconcile")
# Up to here nothing was handed over of a worker's first message, and nothing can be in doubt. (Of a
# later one: the message before it may have left on the same connection, and not be settled yet.)
UNSENT = ("smtp.connected", "smtp.after_mail", "smtp.after_rcpt", "pass.before_commit")


def family(point: str) -> str:
    """The part before the dot."""
    return point.partition(".")[0]


def channel_of(point: str) -> str:
    """The channel on which a point is passed."""
    return "slack" if family(point) in _SLACK else "email"


def hits(point: str, connections: int) -> int:
    """The latest hit that may kill."""
    if connections == 1 and point in UNSENT:
        return 1
    return _HITS.get(point, _HITS.get(family(point), 8))


def hurry(made: Town) -> None:
    """Let the next look at messages in doubt be now: the reconciler rests five minutes between."""
    if made.channel == "slack":
        made.query(
            "update messages set due_at = clock_timestamp() where state = 'in_doubt' returning 1"
        )


def armed(made: Town, point: str, rng: random.Random, connections: int) -> Process:
    """A worker that will die at `point`, with people enough to get there."""
    made.enroll(_SUPPLY)
    hurry(made)
    return made.start(
        "worker",
        AVTALE_FAULTS="1",
        AVTALE_CRASH_AT=f"{point}:{rng.randint(1, hits(point, connections))}",
        AVTALE_SEND_CONNECTIONS=str(connections),
    )


def deaths(
    made: Town, point: str, times: int, rng: random.Random, *, connections: int, beside: int = 2
) -> list[Kill]:
    """`times` workers, `beside` of them at a time, each until it dies at `point`."""
    living: list[Process] = []
    done: list[Kill] = []
    started, deadline, more = 0, time.monotonic() + 60, time.monotonic() + 2
    while len(done) < times:
        while len(living) < beside and started < times:
            living.append(armed(made, point, rng, connections))
            started += 1
        for worker in [one for one in living if one.poll() is not None]:
            assert worker.returncode == -signal.SIGKILL, f"{point}: ended by {worker.returncode}"
            done.append(look(made, worker))
            living.remove(worker)
            deadline = time.monotonic() + 60
        if living and time.monotonic() > more:  # another one took the work of this one
            made.enroll(_SUPPLY)
            more = time.monotonic() + 2
        if time.monotonic() > deadline:
            raise AssertionError(f"nobody died at {point} for a minute: {made.trouble()}")
        time.sleep(0.01)
    return done


def prepare(made: Town, point: str, rng: random.Random) -> list[Kill]:
    """What a point needs before it: leases that ran out, or messages in doubt."""
    if family(point) == "sweep":
        # Right after a claim: a worker that dies sooner or later may hold nothing by then.
        return deaths(made, "claim.after_commit", 1, rng, connections=4)
    if family(point) == "reconcile":
        found = deaths(made, "http.after_answer", 4, rng, connections=4)
        time.sleep(float(made.env["AVTALE_DOUBT_AFTER_SECONDS"]))
        return found
    return []


def settled(made: Town) -> bool:
    """Whether all that was enrolled has come to its end."""
    [(people,)] = made.query("select count(*) from enrollments")
    states = made.states()
    doubts = 0 if made.channel == "slack" else states["in_doubt"]  # Slack can be asked
    return bool(states["sent"] + doubts == people)


def finish(made: Town, found: list[Kill]) -> tuple[Tally, dict[str, str]]:
    """Let one worker bring the rest to its end, and count."""
    hurry(made)
    made.start("worker")

    def done() -> bool:
        hurry(made)
        return settled(made)

    made.wait(done, seconds=90, what="settling")
    [(people,)] = made.query("select count(*) from enrollments")
    return audit.tally(made, expected=people, kills=len(found)), audit.states(made)


def at_point(point: str, size: Size) -> Outcome:
    """Deaths at one point, half with one connection and half with four."""
    times = TIMES[size]
    rng = random.Random(point)
    with town(channel=channel_of(point)) as made:
        made.populate(0, lanes=1 if channel_of(point) == "slack" else 4)
        before = prepare(made, point, rng)
        alone = deaths(made, point, times // 2, rng, connections=1)
        beside = deaths(made, point, times - times // 2, rng, connections=4)
        found, states = finish(made, [*before, *alone, *beside])
    counts = doubts_of([*before, *alone, *beside], states)[len(before) :]
    doubts, more = counts[: len(alone)], counts[len(alone) :]
    faults = audit.judge(found, in_doubt_at_most=len(alone) + 4 * len(beside) + 10 * len(before))
    if point in UNSENT and sum(doubts):
        faults += (f"{sum(doubts)} in doubt, and nothing had been handed over",)
    for most, counts in ((1, doubts), (4, more)):
        if max(counts) > most:
            faults += (f"{max(counts)} in doubt after one death, with {most} connections",)
    say(f"{point}: {len(alone) + len(beside)} deaths, {found.messages} messages")
    figures = {
        "in doubt a death with 1 connection": sum(doubts) / len(doubts),
        "with 4": sum(more) / len(more),
    }
    return Outcome(f"points.{point}", found, figures, faults)


def _register(point: str, shows: str) -> None:
    def run(size: Size) -> Outcome:
        return at_point(point, size)

    run.__doc__ = f"{TIMES['full']} workers die at `{point}`: {shows}."
    scenario(f"points.{point}", quick=False, minutes=8)(run)


for _name, _shows in POINTS.items():
    _register(_name, _shows)


@scenario("points", quick=True)
def run(size: Size) -> Outcome:
    """At each crash point a worker dies, one after the other, all in one town a channel."""
    rng = random.Random(1)
    total, faults = Tally(), tuple[str, ...]()
    for channel in ("email", "slack"):
        with town(channel=channel) as made:
            made.populate(0, lanes=4 if channel == "email" else 1)
            found: list[Kill] = []
            for point in (one for one in POINTS if channel_of(one) == channel):
                found += prepare(made, point, rng)
                found += deaths(made, point, 1, rng, connections=4)
            ended, states = finish(made, found)
            counts = doubts_of(found, states)
            faults += audit.judge(ended, in_doubt_at_most=10 * len(found))
            total += ended
            if max(counts) > 10:
                faults += (f"{max(counts)} in doubt after one death",)
    return Outcome("points", total, {"points": len(POINTS)}, faults)
