"""The state machine: what may happen to the house, in any order, and the laws after each step."""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from datetime import timedelta
from functools import partial
from typing import Any
from uuid import UUID

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule
from hypothesis.strategies._internal.featureflags import FeatureFlags

from channels.base import ChannelEvent
from orchestrator.db import transaction
from orchestrator.errors import AvtaleError
from orchestrator.flows.close_task import close_task, outcomes
from orchestrator.flows.enroll import enroll
from orchestrator.flows.enrolling import Selection
from orchestrator.flows.pause_person import pause_person
from orchestrator.flows.pause_sender import pause_sender
from orchestrator.flows.plan import plan
from orchestrator.flows.read_events import read_events
from orchestrator.flows.reconcile import reconcile
from orchestrator.flows.resume_person import resume_person
from orchestrator.flows.resume_sender import resume_sender
from orchestrator.flows.set_sequence_state import set_sequence_state
from orchestrator.flows.stop_person import stop_person
from orchestrator.flows.sweep import sweep
from orchestrator.flows.take_event import take_event
from orchestrator.flows.take_events import take_events
from orchestrator.rules import event_json
from orchestrator.store.arrivals import Arrival
from tests.model import laws, town
from tests.model.house import House, Key, Worker
from tests.model.provider import EARLY, LATE, Entry
from tests.model.stops import Beliefs, Said

WORKERS = 2
# Sums of these stay clear of the lease (60 s less 2), of what a provider waits (300 s) and of the
# doubt (660 s), so that no second of the real clock decides anything.
TIMES = {
    "seconds": timedelta(seconds=9),
    "past a lease": timedelta(seconds=75),
    "past a doubt": timedelta(minutes=12),
    "hours": timedelta(hours=5),
    "a day": timedelta(days=1),
    "days": timedelta(days=3),
    "back": timedelta(minutes=-3),
}
# What the provider may say of a message that it took: event, and what it means.
EVENTS: dict[str, tuple[str, dict[str, Any], str]] = {
    "delivered": ("delivered", {}, "machine"),
    "opened": ("opened", {"user_agent": "Mozilla/5.0 Firefox/140.0"}, "machine"),
    "bounced": ("bounced", {"bounce": "hard"}, "bounce"),
    "complained": ("complained", {}, "stop"),
    "unsubscribed": ("unsubscribed", {}, "stop"),
    "more": ("button", {"choice": "more"}, "interested"),
    "never": ("button", {"choice": "never"}, "stop"),
    "sorry": ("reaction", {"detail": {"reaction": "-1"}}, "no"),
    "hm": ("message", {"text": "Hm."}, "unclear"),
}
MAILS = {"Yes, tell me more.": "interested", "No thanks.": "no", "Hm.": "unclear"}

workers = st.integers(0, WORKERS - 1)
whom = st.integers(0, 5)
few = st.integers(0, 7)


class Machine(RuleBasedStateMachine):
    """Runs on `loop` and `house`, which whoever makes the class puts there."""

    loop: asyncio.AbstractEventLoop
    house: House

    def __init__(self) -> None:
        super().__init__()
        # Hypothesis turns half of the rules off in each run: without hand-overs it shows nothing.
        self._rules_strategy.enabled_rules_strategy = st.just(FeatureFlags())
        self.beliefs = Beliefs()
        self.queue: list[tuple[Said, Any]] = []  # happened, and not yet told
        self.told: list[tuple[Said, Any]] = []
        self.people: list[town.Person] = []
        self.count = 0
        self.about = 0
        self.rests = False  # whether it is followed to the end of everything: that takes long
        self.broken = False  # a step did not come to its end: what is left says nothing

    def do(self, work: Any, note: Callable[[], Any] | None = None) -> Any:
        """Run one step to its end, note what was accepted by it, then ask the laws."""
        self.broken = True
        found = self.loop.run_until_complete(work)
        if note is not None:
            note()
        self.loop.run_until_complete(self._check())
        self.broken = False
        return found

    async def _check(self) -> None:
        by_id = {one.id: one for one in self.people}
        while self.house.provider.passed:
            laws.passed(self.house, self.beliefs, by_id, self.house.provider.passed.pop())
        laws.ledger(self.house, by_id)
        await self._notice_what_was_read()
        await laws.database(self.house, self.beliefs)

    async def _notice_what_was_read(self) -> None:
        if not self.beliefs.unread:
            return
        rows = await self.house.rows(
            "select external_id from provider_events where state = 'handled' order by handled_at,"
            " received_at, id"
        )
        for (external,) in rows:
            if (said := self.beliefs.unread.pop(external, None)) is not None:
                person = next(one for one in self.people if one.id == said.prospect)
                self.beliefs.read(said, person.identity)

    @initialize(alpha=st.tuples(*[st.booleans()] * 6), rests=st.booleans())
    def begin(self, alpha: tuple[bool, ...], rests: bool) -> None:
        """An empty house, people who are enrolled, and a worker who has begun."""

        async def work() -> None:
            await self.house.clean()
            self.house.provider.ledger.clear()
            self.house.provider.passed.clear()
            self.house.provider.answers = True
            self.house.bells.clear()
            self.house.cuts.clear()
            self.house.seen = 0
            self.people = await town.settle_in(self.house)
            rows = await self.house.rows("select name, id from senders")
            self.house.senders = dict(tuple(row) for row in rows)
            self.house.open_up(WORKERS)

        self.do(work())
        self.rests = rests
        for first in (True, False):
            self._enroll([who for who in range(len(alpha)) if alpha[who] is first], first)
        self.work(0, wait=False)

    def teardown(self) -> None:
        """Everybody dies."""
        if not self.people:
            return
        try:
            if not self.broken:
                if self.rests:
                    self.do(self._come_to_rest())
                self.loop.run_until_complete(self._count())
        finally:
            self.loop.run_until_complete(self.house.close_down())

    async def _come_to_rest(self) -> None:
        """Trouble ends, everything is resumed and told, time goes on: nobody is forgotten (L3)."""
        house = self.house
        house.cuts.clear()
        house.provider.answers = True
        for worker in house.workers:
            await worker.die()
            worker.start()
        for what in ("person", "sequence", "sender"):
            for name in sorted(self._paused(what)):
                await self._switched(what, name)
            self._paused(what).clear()
        for said, arrival in self.queue:
            async with transaction(house.engine) as conn:
                await take_events(conn, [arrival], now=house.clock.now)
            self._accept(said)
        self.queue.clear()
        await house.pass_by(TIMES["past a doubt"])
        for _ in range(150):
            await self._round_of_everything()
            if not await laws.unfinished(house):
                break
            await self._until_due()
        await laws.nothing_forgotten(house)

    async def _round_of_everything(self) -> None:
        house, worker = self.house, self.house.workers[0]
        now = house.clock.now
        await sweep(house.app, now)
        await read_events(house.app, now)
        await self._notice_what_was_read()
        await reconcile(worker.app, now)
        await plan(house.app, now)
        await worker.claim(house.clock, 10)
        while worker.hands:
            await worker.tell(next(iter(worker.hands)), "go")
            await self._check()

    async def _count(self) -> None:
        """What this run has come to, so that nobody takes an idle model for a proof."""
        counts = self.house.counts
        counts["runs"] += 1
        counts["taken"] += len(self.house.provider.ledger)
        counts["offers"] += sum(one.kind == "call_offer" for one in self.house.provider.ledger)
        counts["answers"] += len(self.beliefs.accepted)
        for query in (
            "select 'message ' || becomes, count(*) from model_changes where of = 'message'"
            " and was is distinct from becomes group by 1",
            "select 'enrollment ' || becomes, count(*) from model_changes where of = 'enrollment'"
            " and was is distinct from becomes group by 1",
            "select 'again ' || was, count(*) from model_changes where of = 'message'"
            " and becomes = 'leased' and fence > 1 group by 1",
            "select 'task ' || kind, count(*) from tasks group by 1",
            "select 'unlocks', count(*) from unlocks",
        ):
            counts.update(dict(tuple(row) for row in await self.house.rows(query)))

    # People and sequences

    @rule(who=whom, alpha=st.booleans())
    def enroll(self, who: int, alpha: bool) -> None:
        """Somebody is enrolled, if they may be."""
        self._enroll([who], alpha)

    def _enroll(self, whom: list[int], alpha: bool) -> None:
        name = "alpha" if alpha else "beta"

        async def work() -> None:
            now, only = (
                self.house.clock.now,
                Selection(ids=tuple(self.people[who].id for who in whom)),
            )
            with suppress(AvtaleError):  # no sender, or the sequence is paused: it says so
                await enroll(self.house.app, sequence=name, selection=only, now=now)
            rows = await self.house.rows(
                "select e.id, e.prospect_id, s.name from enrollments e"
                " join sequences s on s.id = e.sequence_id"
            )
            for made, prospect, sequence in rows:
                self.beliefs.enrolled.setdefault(made, (prospect, sequence))

        self.do(work())

    @rule(who=whom, deploy=st.booleans())
    def learn_or_deploy(self, who: int, deploy: bool) -> None:
        """The homework about somebody is done; or both sequences get a new version, and who is
        enrolled stays on theirs."""
        self.about += 1

        async def work() -> None:
            async with transaction(self.house.engine) as conn:
                if not deploy:
                    await town.learn(self.house, conn, self.people[who])
                for name in town.FILES if deploy else ():
                    await town.publish(self.house, conn, name, f"version {self.about}")

        self.do(work())

    # The machinery

    @rule(who=workers, batch=st.sampled_from([0, 1, 2]))
    def plan_or_claim(self, who: int, batch: int) -> None:
        """A planner looks (0), or a worker leases a message or two and freezes them."""
        if batch:
            self.do(self.house.workers[who].claim(self.house.clock, batch))
        else:
            self.do(plan(self.house.app, self.house.clock.now, batch=1))

    @rule(who=workers, wait=st.booleans(), through=st.booleans())
    def work(self, who: int, wait: bool, through: bool = False) -> None:
        """A round of a worker, now or when the next thing is due; perhaps without any trouble."""

        async def work() -> None:
            if wait:
                await self._until_due()
            await plan(self.house.app, self.house.clock.now)
            if wait:
                await self._until_due()
            await self.house.workers[who].claim(self.house.clock, 10)

        self.do(work())
        if through:
            self._carry(self._hands("connected"))

    async def _until_due(self) -> None:
        """Until the next thing is due, or a sender may write again who has something to write. What
        waits for one of us is looked at every hour, and says nothing new."""
        [(due,)] = await self.house.rows(
            "with free as (select * from prospects p where not exists"
            " (select 1 from tasks t where t.prospect_id = p.id and t.state = 'open'))"
            " select min(at) from (select due_at as at from enrollments e"
            " join free on free.id = e.prospect_id where e.state = 'active'"
            " union all select due_at from messages m join free on free.id = m.prospect_id"
            " where m.state in ('pending', 'retry_wait')"
            " union all select greatest(free_at, parked_until) from lanes l where exists"
            " (select 1 from messages m join free on free.id = m.prospect_id"
            " where m.sender_id = l.sender_id and m.state in ('pending', 'retry_wait')"
            " and m.due_at <= :now)) x where at > :now",
            now=self.house.clock.now,
        )
        if due is not None:
            await self.house.pass_by(due - self.house.clock.now)

    @precondition(lambda self: self.house.bells)
    @rule(times=st.integers(0, 2))
    def ring(self, times: int) -> None:
        """A doorbell is lost, heard, or heard twice."""
        what = self.house.bells.pop(0)

        async def work() -> None:
            for _ in range(times):
                if what == "plan":
                    await plan(self.house.app, self.house.clock.now)
                elif what == "send":
                    await self.house.workers[0].claim(self.house.clock, 5)
                elif what == "read":
                    await read_events(self.house.app, self.house.clock.now)

        self.do(work())

    def _hands(self, *stands: str) -> list[tuple[Worker, Key]]:
        return [
            (worker, key)
            for worker in self.house.workers
            for key, hand in worker.hands.items()
            if hand.waits and hand.stands in stands
        ]

    def _tell(self, pick: int, order: str, *stands: str) -> None:
        """One of them, or (7) all but the first."""
        found = self._hands(*stands)
        for worker, key in (
            found[1:] if pick == 7 and len(found) > 1 else [found[pick % len(found)]]
        ):
            if key in worker.hands:
                self.do(worker.tell(key, order))

    @precondition(lambda self: self._hands("connected"))
    @rule(pick=few, how=st.sampled_from(["go"] * 6 + sorted(EARLY)))
    def pass_the_point(self, pick: int, how: str) -> None:
        """A worker asks whether it may, and may or may not; or the provider refuses before that."""
        self._tell(pick, how, "connected")

    @precondition(lambda self: self._hands("passed"))
    @rule(pick=few, how=st.sampled_from(["go"] * 5 + sorted(LATE)))
    def take(self, pick: int, how: str) -> None:
        """The provider has it; or refuses it after all; or nobody knows."""
        self._tell(pick, how, "passed")

    @precondition(lambda self: self._hands("taken"))
    @rule(pick=few, heard=st.sampled_from(["yes", "yes", "no answer"]))
    def answer(self, pick: int, heard: str) -> None:
        """The provider's yes arrives, or is lost."""
        self._tell(pick, heard, "taken")

    @precondition(lambda self: self._hands("connected", "passed", "taken"))
    @rule(pick=few, everybody=st.booleans())
    def carry_through(self, pick: int, everybody: bool) -> None:
        """One hand-over to its end, or all of them, without trouble."""
        found = self._hands("connected", "passed", "taken")
        self._carry(found if everybody else [found[pick % len(found)]])

    def _carry(self, found: list[tuple[Worker, Key]]) -> None:
        for worker, key in found:
            while key in worker.hands:
                self.do(worker.tell(key, "go"))

    @rule(who=workers, how=st.sampled_from(["kill -9", "cut before", "cut after"]))
    def trouble(self, who: int, how: str) -> None:
        """kill -9, and a new process. Or the connection breaks at the next commit of a sender, and
        it has landed or it has not."""

        async def work() -> None:
            await self.house.workers[who].die()
            self.house.workers[who].start()

        if how == "kill -9":
            self.do(work())
        else:
            self.house.cuts.append(how)

    @rule(name=st.sampled_from(sorted(TIMES)), swept=st.sampled_from([True, True, False]))
    def time_passes(self, name: str, swept: bool) -> None:
        """Workers that stand somewhere have slept meanwhile; sweepers have not, as a rule."""
        self.do(self.house.pass_by(TIMES[name]))
        if swept:
            self.do(sweep(self.house.app, self.house.clock.now))

    @precondition(lambda self: self._hands("connected"))
    @rule(order=st.sampled_from(["go", "go", "greylisted", "ill lane"]))
    def overtake(self, order: str) -> None:
        """A worker sleeps past its leases, another one hands its messages over; then it wakes."""
        worker, key = self._hands("connected")[0]
        other = next(one for one in self.house.workers if one is not worker)
        self.time_passes("past a lease", True)
        self.do(other.claim(self.house.clock, 10))
        again = next((one for one in other.hands if one[0] == key[0]), None)
        for _ in range(2):
            if again in other.hands:
                self.do(other.tell(again, "go"))
        if key in worker.hands:
            self.do(worker.tell(key, order))

    @rule(what=st.sampled_from(["sweep", "sweep", "ask", "ask in vain"]))
    def tidy(self, what: str) -> None:
        """A sweeper looks, or the provider is asked about what is in doubt."""
        if what == "sweep":
            self.do(sweep(self.house.app, self.house.clock.now))
        else:
            self.house.provider.answers = what == "ask"
            self.do(reconcile(self.house.workers[0].app, self.house.clock.now))

    # What comes back

    def _ledger(self, pick: int) -> Entry:
        return self.house.provider.ledger[pick % len(self.house.provider.ledger)]

    def _said(self, entry: Entry, meaning: str) -> Said:
        self.count += 1
        now = self.house.clock.now
        return Said(f"event-{self.count}", entry.prospect, entry.message, meaning, now)

    @precondition(lambda self: self.house.provider.ledger)
    @rule(pick=few, name=st.sampled_from(["more", "more", *sorted(EVENTS)]), at_once=st.booleans())
    def happen(self, pick: int, name: str, at_once: bool) -> None:
        """Something happens at the provider; it tells of it at once, or when it pleases."""
        kind, values, meaning = EVENTS[name]
        entry = self._ledger(pick)
        said = self._said(entry, meaning)
        event = ChannelEvent(
            kind,  # type: ignore[arg-type]  # of the table above
            said.external_id,
            occurred_at=said.at,
            message_id=entry.message,
            **values,
        )
        detail = {"event": event_json.encode(event)}
        arrival = Arrival("model", event.external_id, kind, "signed", entry.sender, b"", detail)
        self.queue.append((said, arrival))
        if at_once:
            self.tell(-1, 0)

    @precondition(lambda self: self.queue)
    @rule(pick=few, again=few)
    def tell(self, pick: int, again: int) -> None:
        """The provider tells of one thing, in any order, and once more of an older one."""
        said, arrival = self.queue.pop(pick % len(self.queue))
        self.told.append((said, arrival))
        old = self.told[again % len(self.told)][1]

        async def work() -> None:
            async with transaction(self.house.engine) as conn:
                await take_events(conn, [arrival], now=self.house.clock.now)
                assert await take_events(conn, [old], now=self.house.clock.now) == 0
            self._accept(said)

        self.do(work())

    def _accept(self, said: Said) -> None:
        self.beliefs.unread[said.external_id] = said
        self.beliefs.accepted.add(said.external_id)

    @precondition(lambda self: self.house.provider.ledger)
    @rule(pick=few, words=st.sampled_from(sorted(MAILS)))
    def mail(self, pick: int, words: str) -> None:
        """They answer by mail."""
        entry = self._ledger(pick)
        said = self._said(entry, MAILS[words])
        raw = (
            f"From: {entry.recipient}\r\nTo: kari@sender.example\r\nSubject: Re: Hello\r\n"
            f"Message-ID: <{said.external_id}@prospect.example>\r\nIn-Reply-To: {entry.rfc}\r\n"
            f"\r\n{words}\r\n"
        ).encode()

        async def work() -> None:
            async with transaction(self.house.engine) as conn:
                await take_event(
                    *(conn,),
                    source="mail",
                    external_id=said.external_id,
                    kind="mail",
                    raw=raw,
                    detail={},
                    now=self.house.clock.now,
                )
            self._accept(said)

        self.do(work())

    @precondition(lambda self: self.beliefs.unread)
    @rule()
    def read(self) -> None:
        """Somebody reads what came back."""
        self.do(read_events(self.house.app, self.house.clock.now))

    # Stops, and their end

    async def _in(self, flow: Any, **values: Any) -> Any:
        async with transaction(self.house.engine) as conn:
            return await flow(conn, now=self.house.clock.now, **values)

    @rule(what=st.sampled_from(["person", "sequence", "sender", "for good"]), who=whom)
    def stop(self, what: str, who: int) -> None:
        """Sales ops pause a person, a sequence or a sender. Or somebody wants no more."""
        if what == "for good" and who:  # not all of them, or nothing is left to happen
            what = "person"
        if what == "for good":
            self._opt_out(self.people[-1].id)
        else:
            self._switch(what, self._names(what)[who % 2 if what != "person" else who])

    def _opt_out(self, prospect: UUID) -> None:
        note = partial(self.beliefs.opted_out.add, prospect)
        self.do(self._in(stop_person, prospect_id=prospect, reason="opt_out"), note)

    def _names(self, what: str) -> list[Any]:
        people: list[Any] = [one.id for one in self.people]
        named: dict[str, list[Any]] = {"sequence": ["alpha", "beta"], "sender": ["kari", "per"]}
        return named.get(what, people)

    def _paused(self, what: str) -> set[Any]:
        stops = self.beliefs
        named: dict[str, set[Any]] = {
            "person": stops.paused,
            "sequence": stops.sequences_paused,
            "sender": stops.senders_paused,
        }
        return named[what]

    @precondition(lambda self: any(self._paused(what) for what in ("person", "sequence", "sender")))
    @rule()
    def resume(self) -> None:
        """Whatever was paused may go on."""
        for what in ("person", "sequence", "sender"):
            for name in sorted(self._paused(what)):
                self._switch(what, name)

    def _switch(self, what: str, name: Any) -> None:
        note = partial(self._paused(what).symmetric_difference_update, {name})
        self.do(self._switched(what, name), note)

    def _switched(self, what: str, name: Any) -> Any:
        resume = name in self._paused(what)
        match what:
            case "person":
                work = self._in(resume_person if resume else pause_person, prospect_id=name)
            case "sequence":
                state = "active" if resume else "paused"
                work = self._in(set_sequence_state, name=name, state=state)
            case _ if resume:
                work = self._in(resume_sender, name=name)
            case _:
                work = self._in(pause_sender, name=name, reason="by the model")
        return work

    @precondition(lambda self: self._hands("connected"))
    @rule(what=st.sampled_from(["person", "sequence", "sender", "for good", "answer", "bounce"]))
    def stop_in_time(self, what: str) -> None:
        """A stop of each kind, one step before the point of no return of what it is about."""
        worker, key = self._hands("connected")[0]
        row = worker.hands[key].claimed.row
        if what == "for good":
            self._opt_out(row.prospect_id)
        elif what in ("answer", "bounce"):
            entries = [e for e in self.house.provider.ledger if e.prospect == row.prospect_id]
            for entry in entries[-1:]:
                pick = self.house.provider.ledger.index(entry)
                self.happen(pick, "bounced" if what == "bounce" else "more", at_once=True)
        else:
            _, sequence = self.beliefs.enrolled[row.enrollment_id]
            sender = next(one for one, made in self.house.senders.items() if made == row.sender_id)
            named = {"person": row.prospect_id, "sequence": sequence, "sender": sender}[what]
            if named not in self._paused(what):
                self._switch(what, named)
        if key in worker.hands:
            self.do(worker.tell(key, "go"))

    # Work for people

    @precondition(lambda self: self.house.tasks)
    @rule(pick=few, choice=few)
    def close_task(self, pick: int, choice: int) -> None:
        """One of us closes a task, and tells the truth where they can know it."""

        async def work() -> None:
            rows = await self.house.rows(
                "select id, kind, prospect_id, message_id from tasks where state = 'open'"
                " order by id"
            )
            if not rows:
                return
            row = rows[pick % len(rows)]
            words = sorted(outcomes(row.kind) - {"not_now"})
            outcome = words[choice % len(words)]
            if row.kind == "in_doubt":
                taken = self.house.provider.has(row.message_id)
                open_yet = any(
                    row.message_id == key[0] for one in self.house.workers for key in one.hands
                )
                outcome = "sent" if taken else "abandoned" if open_yet else "retry"
            try:
                await self._in(_closing, keys=self.house.app.keys, task_id=row.id, outcome=outcome)
            except AvtaleError:
                return  # it does not fit any more, and says so
            if row.kind == "unclear_answer":
                self.beliefs.was_read_by_us(row.prospect_id, outcome, self.house.clock.now)

        self.do(work())


async def _closing(conn: Any, *, keys: Any, now: Any, **values: Any) -> None:
    await close_task(conn, keys, now=now, **values)
