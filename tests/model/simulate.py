"""A seeded simulation of the pure rules: virtual days, thousands of people, the laws at each step.

    python -m tests.model.simulate --seed N --people N --days N

No database, no clock, no network: what the rules decide is done to plain values, the world answers
by dice that the seed fixed, and each line of what happened goes into a hash. The same seed gives
the same hash, in any process. Events come late, twice and out of order.
"""

import argparse
import heapq
import random
import sys
import time
from collections import Counter
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from hashlib import sha256
from typing import Any
from zoneinfo import ZoneInfo

from channels.base import ChannelEvent, NotSent, Refused, SendResult, Sent, Unknown
from orchestrator.rules import gate, leaving, mail_reading, pacing, progress
from orchestrator.rules.heard import Heard, heard
from orchestrator.rules.program import END, CallStep, Duration, SendStep, TaskStep
from orchestrator.rules.settlement import outcome
from orchestrator.rules.window import add_duration, next_common_opening
from tests.model.virtual import START, Human, LaneState, Post, Run, human, lanes, may_read

VACATION = (
    b"From: x@prospect.example\r\nTo: kari@sender.example\r\nSubject: Automatic reply: Hello\r\n"
    b"Auto-Submitted: auto-replied\r\n\r\nI am away until Monday. Yes, please call me then!\r\n"
)
WORDS = {"interested": "Yes, tell me more.", "no": "No thanks.", "unclear": "Hm."}
_ON_ITS_WAY = frozenset({"pending", "retry_wait", "in_doubt"})


class Broken(AssertionError):
    """A law does not hold."""


@dataclass
class World:
    """Everything there is, and the queue of what is to come."""

    dice: random.Random
    end: datetime
    people: list[Human] = field(default_factory=list)
    lanes: list[LaneState] = field(default_factory=lanes)
    queue: list[tuple[datetime, int, str, int, tuple[Any, ...]]] = field(default_factory=list)
    ledger: Counter[tuple[int, str]] = field(default_factory=Counter)
    counts: Counter[str] = field(default_factory=Counter)
    trace: Any = field(default_factory=sha256)
    number: int = 0

    def later(self, at: datetime, what: str, who: Human, *about: Any) -> None:
        """Let something happen at `at`; in the order of asking where times are even."""
        self.number += 1
        heapq.heappush(self.queue, (at, self.number, what, who.number, about))

    def tell(self, at: datetime, what: str, who: Human, *about: Any) -> None:
        """One line of what happened."""
        self.counts[what] += 1
        self.trace.update(f"{at.isoformat()} {what} {who.number} {about}\n".encode())


def simulate(*, seed: int, people: int, days: int) -> World:
    """Live through `days` with `people`. Raises Broken where a law does not hold."""
    world = World(random.Random(seed), START + timedelta(days=days))
    for number in range(people):
        # Somebody new all the time, but in the last weeks, which bring what began to its end.
        begins = START + timedelta(days=world.dice.random() * max(1, days - 60))
        who = human(number, world.dice, begins)
        world.people.append(who)
        world.later(begins, "look", who)
        if world.dice.random() < 0.1:
            pause = begins + timedelta(days=world.dice.random() * 20)
            world.later(pause, "pause", who)
            world.later(pause + timedelta(days=world.dice.randint(1, 9)), "resume", who)
    while world.queue and world.queue[0][0] <= world.end:
        at, _, what, number, about = heapq.heappop(world.queue)
        DEEDS[what](world, at, world.people[number], *about)
    _nobody_is_forgotten(world)
    return world


def _look(world: World, now: datetime, who: Human) -> None:
    """The planner comes to somebody whose time it is."""
    run = who.run
    if run.state != "active" or run.due is None or run.due > now or who.paused:
        return
    found = progress.walk(
        run.program,
        run.step,
        just_arrived=run.due <= run.entered,
        seen=progress.Seen(
            clicked=run.clicked,
            opened=run.opened,
            delivered=any(post.state == "sent" for post in run.posts.values()),
            had=frozenset(run.posts),
            facts={"pain": "x"} if who.fact else {},
        ),
        now=now,
        add=_adder(who),
    )
    match found:
        case progress.Wait(step=step_id, until=until):
            _move(world, who, "active", step_id, until, now)
        case progress.Finish(step=step_id):
            _move(world, who, "finished", step_id, None, now)
        case progress.OpenTask(step=task):
            _hold(world, who, task.id, "manual", now)
        case progress.SendMessage(step=send) if not who.fact and "fact.pain" in send.needs:
            _hold(world, who, send.id, "missing_fact", now)
        case progress.SendMessage(step=send):
            _write(world, who, send, now)
        case progress.OfferCall(step=call):
            if not run.unlocked:
                raise Broken(f"L1: person {who.number} came to the call without an unlock")
            _write(world, who, call, now)


def _adder(who: Human) -> progress.Add:
    def add(duration: Duration, start: datetime) -> datetime:
        return add_duration(duration, start, who.zones, who.country)

    return add


def _write(world: World, who: Human, step: SendStep | CallStep, now: datetime) -> None:
    run = who.run
    if step.id in run.posts:  # the offer stands already
        _move(world, who, "sending", step.id, None, now)
        return
    used = [post.channel for post in run.posts.values() if post.state == "sent"]
    wanted = step.channels if isinstance(step, SendStep) else (*used[-1:], "email")
    channel = next((one for one in wanted if who.usable[one]), None)
    if channel is None:
        _hold(world, who, step.id, "undeliverable", now)
        return
    fitting = [place for place, lane in enumerate(world.lanes) if lane.channel == channel]
    lane = fitting[who.number % len(fitting)]
    opening = _opening(world, who, lane, max(now, who.not_before or now))
    if opening is None:
        _hold(world, who, step.id, "missing_zone", now)
        return
    kind = "call_offer" if isinstance(step, CallStep) else "outreach"
    run.posts[step.id] = Post(step.id, kind, channel, lane, due=opening)
    _move(world, who, "sending", step.id, None, now)
    world.tell(now, "message.planned", who, step.id, opening.isoformat())
    world.later(opening, "try", who, step.id)


def _opening(world: World, who: Human, place: int, after: datetime) -> datetime | None:
    lane = world.lanes[place]
    return next_common_opening(
        [
            (who.run.program.window, who.zones, who.country),
            (lane.hours, frozenset({lane.zone}), None),
        ],
        after,
    )


def _move(
    world: World,
    who: Human,
    state: str,
    step: str,
    due: datetime | None,
    now: datetime,
    reason: str | None = None,
) -> None:
    run = who.run
    run.state, run.step, run.due, run.entered, run.reason = state, step, due, now, reason
    world.tell(now, f"enrollment.{state}", who, step, reason)
    if state == "active" and due is not None:
        world.later(max(due, now), "look", who)


def _hold(world: World, who: Human, step: str, task: str, now: datetime) -> None:
    _move(world, who, "held", step, None, now, task)
    world.later(now + timedelta(hours=world.dice.uniform(1, 70)), "work", who, task)


def _try(world: World, now: datetime, who: Human, step: str) -> None:
    """A worker comes to a message whose time it is: cap, gap, window and every reason to stop."""
    post, run = who.run.posts[step], who.run
    if post.state not in ("pending", "retry_wait") or post.due > now:
        return
    verdict = leaving.decide(_circumstances(world, who, post, now), now)
    if isinstance(verdict, leaving.Drop):
        _post(world, who, post, verdict.state, now, verdict.reason)
        return
    if isinstance(verdict, leaving.Hold):
        post.due = verdict.until or now + timedelta(hours=1)
        world.tell(now, "message.held", who, step, verdict.reason)
        world.later(post.due, "try", who, step)
        return
    state = world.lanes[post.lane]
    lane = pacing.Lane(state.cap, state.gap, state.gap, state.zone, state.day, state.used)
    room = pacing.room(lane, now, 1)
    if room.count == 0 or state.free > now:
        post.due = max(state.free, now if room.count else pacing.next_day(lane, now))
        world.later(post.due, "try", who, step)
        return
    state.day, state.used = room.day, room.used + 1
    state.free = pacing.free_at(lane, now, world.dice.random())
    post.attempt += 1
    _lawful(world, who, run, post, now)
    _hand_over(world, now, who, post)


def _circumstances(world: World, who: Human, post: Post, now: datetime) -> leaving.Circumstances:
    run = who.run
    return leaving.Circumstances(
        kind=post.kind,
        step=post.step,
        enrollment_state=run.state,
        enrollment_step=run.step,
        answered=run.answered,
        opted_out=who.opted_out,
        suppressed=who.opted_out,
        address_usable=who.usable[post.channel],
        prospect_paused=who.paused,
        not_before=who.not_before,
        sequence_active=True,
        opening=_opening(world, who, post.lane, now),
    )


def _lawful(world: World, who: Human, run: Run, post: Post, now: datetime) -> None:
    """The laws, at the moment of the hand-over, from what is true and not from what was decided."""
    where = f"person {who.number}, {post.step} of {run.program.sequence} at {now.isoformat()}"
    if who.said_no_more or who.paused or not who.usable[post.channel]:
        raise Broken(f"L4: after a stop: {where}")
    if who.answered_truly and post.kind != "call_offer":
        raise Broken(f"L4: after an answer: {where}")
    if post.kind == "call_offer" and not who.truly_interested:
        raise Broken(f"L1: a call that nobody asked for: {where}")
    if not may_read(who, run.program.sequence, now):
        raise Broken(f"L5: not in the hours of {who.lives}: {where}")
    step = run.program.step(post.step)
    if isinstance(step, SendStep) and "fact.pain" in step.needs and not who.fact:
        raise Broken(f"L6: without homework: {where}")
    if world.ledger[who.number, post.step]:
        raise Broken(f"L2: once more: {where}")
    lane = world.lanes[post.lane]
    today = now.astimezone(ZoneInfo(lane.zone)).date()
    lane.sent[today] = lane.sent.get(today, 0) + 1
    if lane.sent[today] > lane.cap:
        raise Broken(f"cap: {lane.sent[today]} on {today}")


def _hand_over(world: World, now: datetime, who: Human, post: Post) -> None:
    dice, ref = world.dice, f"{who.number}-{post.step}"
    result: SendResult = Sent(ref)
    luck = dice.random()
    if who.wrong_address and post.channel == "email":
        result = Refused("no_such_user", "550 5.1.1", bad_address=True)
    elif luck < 0.05:
        result = NotSent("greylisted", "450 later", retry_after=dice.choice((None, 7200.0)))
    elif luck < 0.06:
        result = Refused("content", "554 no")
    elif luck < 0.09:
        result = Unknown("cut off")
    taken = isinstance(result, Sent) or (isinstance(result, Unknown) and dice.random() < 0.5)
    if taken:
        world.ledger[who.number, post.step] += 1
        post.handed_at = now
        _react(world, now, who, post)
    found = outcome(result, attempt=post.attempt, fraction=dice.random(), now=now)
    assert found is not None
    _post(world, who, post, found.state, now, found.klass)
    if found.state == "sent":
        _advance(world, who, post, now)
    elif found.state == "retry_wait":
        post.due = found.due_at or now
        world.later(post.due, "try", who, post.step)
    elif found.state == "in_doubt":
        world.later(now + timedelta(minutes=dice.uniform(11, 300)), "ask", who, post.step)
    elif found.bad_address:
        who.usable[post.channel] = False
        _bounced(world, who, now)
    else:
        _hold(world, who, post.step, "undeliverable", now)


def _post(world: World, who: Human, post: Post, state: str, now: datetime, why: str) -> None:
    post.state = state
    world.tell(now, f"message.{state}", who, post.step, why)


def _advance(world: World, who: Human, post: Post, now: datetime) -> None:
    run = who.run
    if run.state != "sending" or run.step != post.step:
        return
    if post.kind == "call_offer":
        _move(world, who, "finished", post.step, None, now, "offered")
        return
    target, due = progress.after(run.program, post.step, now, _adder(who))
    if target == END:
        _move(world, who, "finished", post.step, None, now, "completed")
    else:
        _move(world, who, "active", target, due, now)


def _ask(world: World, now: datetime, who: Human, step: str) -> None:
    """The provider is asked about a message in doubt, and knows."""
    post = who.run.posts[step]
    if post.state != "in_doubt":
        return
    if world.ledger[who.number, step]:
        _evidence(world, who, post, now)
    else:
        _post(world, who, post, "retry_wait", now, "not there")
        post.due = now
        world.later(now, "try", who, step)


def _evidence(world: World, who: Human, post: Post, now: datetime) -> None:
    _post(world, who, post, "sent", now, "evidence")
    _advance(world, who, post, now)


def _bounced(world: World, who: Human, now: datetime) -> None:
    """An address that does not work: another one takes over after a person has said so."""
    for post in who.run.posts.values():
        if post.state in ("pending", "retry_wait") and not who.usable[post.channel]:
            _post(world, who, post, "cancelled", now, "bounced")
    if who.run.state in gate.RUNNING:
        if any(who.usable.values()):
            _hold(world, who, who.run.step, "undeliverable", now)
        else:
            _stop(world, who, now, gate.UNDELIVERABLE)


# What people do, and how it is heard


def _react(world: World, now: datetime, who: Human, post: Post) -> None:
    """What comes back of a message: late, twice, in any order."""
    dice = world.dice
    events: list[tuple[float, str, dict[str, Any]]] = [(0.01, "delivered", {})]
    if dice.random() < 0.5:
        human_like = {"user_agent": "Mozilla/5.0 (X11; Linux x86_64) Firefox/140.0"}
        events.append((dice.uniform(0.1, 40), "opened", human_like))
        if dice.random() < 0.3:
            events.append((dice.uniform(1, 50), "clicked", human_like))
    if who.away is not None and who.away[0] <= now <= who.away[1]:
        events.append((0.02, "vacation", {}))
    elif dice.random() < who.temper:
        answer = dice.choice(("interested", "no", "unclear", "more", "later", "never", "opt out",
                              "complaint"))  # fmt: skip
        at = dice.uniform(0.5, 120)
        if answer in WORDS:
            events.append((at, "message", {"text": WORDS[answer]}))
        elif answer in ("more", "later", "never"):
            events.append((at, "button", {"choice": answer}))
        else:
            events.append((at, "unsubscribed" if answer == "opt out" else "complained", {}))
    if dice.random() < 0.02:
        events.append((dice.uniform(0.2, 30), "bounced", {"bounce": "hard"}))
    for number, (hours, kind, values) in enumerate(events):
        happened = now + timedelta(hours=hours)
        name = f"{who.number}-{post.step}-{number}"
        for _ in range(dice.choice((1, 1, 2, 3))):
            late = dice.choice((0.0, 0.0, 0.1, 5.0, 48.0))
            arrives = happened + timedelta(hours=late * dice.random())
            world.later(arrives, "hear", who, post.step, kind, name, happened, values)


def _hear(
    world: World,
    now: datetime,
    who: Human,
    step: str,
    kind: Any,
    name: str,
    happened: datetime,
    values: dict[str, Any],
) -> None:
    """A provider tells of something, perhaps not for the first time."""
    if name in who.heard:
        return
    who.heard.add(name)
    post = who.run.posts[step]
    if kind == "vacation":
        reading = mail_reading.read(VACATION)
        if reading.kind == "reply":
            raise Broken("L1: an automatic answer was read as a person's")
        world.tell(now, f"engagement.{reading.kind}", who, step)
    else:
        event = ChannelEvent(kind, name, occurred_at=happened, **values)
        said = heard(event, trust="signed", handed_at=post.handed_at, now=now)
        if said is not None:
            _engage(world, now, who, said, happened)
    if post.state == "in_doubt":  # what came back shows that it has left
        _evidence(world, who, post, now)


def _engage(
    world: World,
    now: datetime,
    who: Human,
    said: Heard,
    happened: datetime,
    *,
    by_person: bool = False,
) -> None:
    run = who.run
    run.clicked |= said.kind == "click" and said.grade != "machine"
    run.opened |= said.kind == "open" and said.grade != "machine"
    if said.grade == "human" and said.meaning in ("interested", "no", "stop"):
        # The law's own memory: from here on nothing leaves but the offer, if they want it.
        who.answered_truly = True
        who.truly_interested |= said.meaning == "interested"
        who.said_no_more |= said.meaning == "stop"
    standing = gate.Standing(
        state=run.state,
        step=run.step,
        stop_reason=run.reason,
        unlocked=run.unlocked,
        opted_out=who.opted_out,
        since=frozenset(meaning for at, meaning in who.said if at > happened),
    )
    answer = gate.Answer(said.kind, said.grade, said.meaning, said.until, by_person)
    decision = gate.decide(answer, run.program, standing, now)
    world.tell(now, f"engagement.{decision.action}", who, said.kind, decision.reason)
    if said.grade == "human" and said.meaning is not None:
        who.said.append((happened, said.meaning))
    _act(world, now, who, decision, said)
    if said.then == "bounce":
        who.usable[run.posts_channel] = False
        _bounced(world, who, now)
    elif said.then in ("complaint", "unsubscribe"):
        who.said_no_more = True
        _opt_out(world, who, now)


def _act(world: World, now: datetime, who: Human, decision: gate.Decision, said: Heard) -> None:
    run = who.run
    match decision.action:
        case "stop":
            _opt_out(world, who, now)
        case "end":
            run.answered = True
            _stop(world, who, now, decision.reason)
        case "hold":
            _hold(world, who, run.step, "unclear_answer", now)
        case "ask":
            world.tell(now, "task.opened", who, decision.reason)
        case "postpone":
            assert said.until is not None
            who.not_before = gate.start_of_day(said.until, None)
            if run.state == "active" and run.due is not None:
                _move(world, who, "active", run.step, max(run.due, who.not_before), now)
        case "unlock" | "proceed":
            assert decision.go is not None
            run.unlocked |= decision.call is not None
            run.answered = True
            _cancel(world, who, now, gate.ANSWERED)
            if run.state not in gate.RUNNING and "no" in {meaning for _, meaning in who.said}:
                world.tell(now, "reopened", who)
            who.not_before = None
            _move(world, who, "active", decision.go, now, now)
        case "resume":
            _go_on(world, who, now)
        case _:
            pass


def _opt_out(world: World, who: Human, now: datetime) -> None:
    who.opted_out = True
    _cancel(world, who, now, "opt_out")
    if who.run.state in gate.RUNNING:
        _move(world, who, "stopped", who.run.step, None, now, "opt_out")


def _stop(world: World, who: Human, now: datetime, reason: str) -> None:
    _cancel(world, who, now, reason)
    _move(world, who, "stopped", who.run.step, None, now, reason)


def _cancel(world: World, who: Human, now: datetime, reason: str) -> None:
    for post in who.run.posts.values():
        if post.state in ("pending", "retry_wait"):
            _post(world, who, post, "cancelled", now, reason)


# Work for people


def _work(world: World, now: datetime, who: Human, task: str) -> None:
    """Somebody of ours closes a task, if the enrollment still waits for it."""
    run = who.run
    if run.state != "held" or run.reason != task:
        return
    world.tell(now, "task.done", who, task)
    if task == "unclear_answer":
        chosen: tuple[gate.Meaning | None, ...] = ("interested", "no", None)
        meaning = world.dice.choice(chosen)
        if meaning is not None:
            said = Heard("direct_message", "human", meaning)
            _engage(world, now, who, said, now, by_person=True)
            return
    if task == "missing_fact":
        who.fact = True
    if task in ("undeliverable", "missing_zone") and world.dice.random() < 0.5:
        _stop(world, who, now, f"task {task}")
        return
    if task == "missing_zone":
        who.zones = frozenset({who.lives})
    if task == "manual":
        _past(world, who, now)
        return
    _go_on(world, who, now)


def _go_on(world: World, who: Human, now: datetime) -> None:
    """As flows.going_on: a message on its way decides; one that lies behind is passed."""
    run = who.run
    post = run.posts.get(run.step)
    if post is None:
        _move(world, who, "active", run.step, now, now)
    elif post.state in _ON_ITS_WAY:
        _move(world, who, "sending", run.step, None, now)
        if post.state != "in_doubt":
            post.due = now
            world.later(now, "try", who, post.step)
    else:
        _past(world, who, now)


def _past(world: World, who: Human, now: datetime) -> None:
    run = who.run
    if not isinstance(run.program.step(run.step), SendStep | TaskStep):
        _move(world, who, "finished", run.step, None, now, "completed")
        return
    target, due = progress.after(run.program, run.step, now, _adder(who))
    if target == END:
        _move(world, who, "finished", run.step, None, now, "completed")
    else:
        _move(world, who, "active", target, due, now)


def _pause(world: World, now: datetime, who: Human) -> None:
    who.paused = True
    world.tell(now, "prospect.paused", who)


def _resume(world: World, now: datetime, who: Human) -> None:
    who.paused = False
    world.tell(now, "prospect.resumed", who)
    if who.run.state == "active" and who.run.due is not None:
        world.later(max(now, who.run.due), "look", who)


DEEDS: dict[str, Any] = {
    "look": _look,
    "try": _try,
    "ask": _ask,
    "hear": _hear,
    "work": _work,
    "pause": _pause,
    "resume": _resume,
}


def _nobody_is_forgotten(world: World) -> None:
    """L3: who has not come to an end waits for something that is still to come."""
    waiting = {number for _, _, what, number, _ in world.queue if what != "hear"}
    for who in world.people:
        if who.run.state in gate.RUNNING and who.number not in waiting:
            raise Broken(f"L3: person {who.number} stands at {who.run.step} for ever")


def main(arguments: list[str]) -> int:
    """Run one simulation and say what came of it."""
    parser = argparse.ArgumentParser(description="A seeded simulation of the pure rules.")
    for name, default in (("seed", None), ("people", 1000), ("days", 365)):
        parser.add_argument(f"--{name}", type=int, default=default)
    given = parser.parse_args(arguments)
    seed = given.seed if given.seed is not None else random.SystemRandom().randrange(2**32)
    print(f"--seed {seed} --people {given.people} --days {given.days}", flush=True)
    began = time.monotonic()
    world = simulate(seed=seed, people=given.people, days=given.days)
    took = time.monotonic() - began
    for what, count in sorted(world.counts.items()):
        print(f"{count:9,}  {what}")
    print(f"{sum(world.ledger.values()):9,}  taken by providers, no step twice")
    print(f"{given.days / took * 60:,.0f} days a minute; trace {world.trace.hexdigest()}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
