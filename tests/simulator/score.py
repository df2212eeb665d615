"""The messages of the simulation through the rules: who is told apart, by source."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import timedelta
from typing import cast

from orchestrator.rules import gate, opens
from orchestrator.rules.networks import Lists
from orchestrator.rules.opens import Trace, Verdict
from orchestrator.rules.page_state import Choice, PageFacts, page_state
from orchestrator.rules.program import Program
from tests import make
from tests.simulator.acts import Act
from tests.simulator.world import Message

PROGRAM = Program.model_validate(make.PROGRAM)
WAITING = gate.Standing(state="active", step="wait-1")
_TRACED = ("open", "click", "trap")
_EARNS = ("unlock", "proceed", "resume", "end")


@dataclass
class Tally:
    """Of one source and kind: hits, and how many were graded machine at once and in the end."""

    truth: str
    hits: int = 0
    at_once: int = 0
    machine: int = 0


@dataclass
class Score:
    """What came out of a run."""

    messages: int = 0
    hits: int = 0
    by_source: dict[tuple[str, str], Tally] = field(default_factory=dict)
    false_unlocks: int = 0
    unlocks: int = 0  # by a tap
    honest: int = 0  # messages whose one click was a person's
    asked: int = 0  # of those, how many were asked for the tap
    moved_by_get: Counter[str] = field(default_factory=Counter)

    def precision(self, kind: str, grade: str) -> float:
        """How many of the verdicts `grade` on hits of this kind are right."""
        right = wrong = 0
        for (_, one), tally in self.by_source.items():
            if one == kind:
                graded = tally.machine if grade == "machine" else tally.hits - tally.machine
                is_right = (tally.truth == "machine") == (grade == "machine")
                right, wrong = right + graded * is_right, wrong + graded * (not is_right)
        return right / (right + wrong) if right + wrong else 1.0

    def recall(self, kind: str, machine: bool) -> float:
        """How many of a kind's hits by machines (by people and their proxies) are graded so."""
        rows = [
            tally
            for (_, one), tally in self.by_source.items()
            if one == kind and (tally.truth == "machine") == machine
        ]
        hits, found = sum(row.hits for row in rows), sum(row.machine for row in rows)
        return (found if machine else hits - found) / hits if hits else 1.0


def judge(message: Message, lists: Lists) -> list[tuple[Act, Verdict, Verdict]]:
    """Each traced act with its verdict as it came in, and with the one in the end."""
    traced = [act for act in message.acts if act.kind in _TRACED]
    traces = [trace(act, lists) for act in traced]
    handed = make.NOW
    final = opens.judge_message(traces, handed_at=handed)
    first = [
        opens.judge_message(traces[: number + 1], handed_at=handed)[-1]
        for number in range(len(traces))
    ]
    return list(zip(traced, first, final, strict=True))


def trace(act: Act, lists: Lists) -> Trace:
    """An act as the rules take it."""
    link = str(act.link) if act.kind == "click" else ""
    at = make.NOW + timedelta(seconds=act.at)
    return Trace(cast(opens.Kind, act.kind), link, at, act.hit(lists))


def run(messages: Iterable[Message], lists: Lists) -> Score:
    """Judge every message, and let the gate decide about everything that was not a tap."""
    score = Score()
    for message in messages:
        score.messages += 1
        score.hits += len(message.acts)
        for act, first, final in judge(message, lists):
            key = (act.source, act.kind)
            tally = score.by_source.setdefault(key, Tally(act.truth))
            tally.hits += 1
            tally.at_once += first.grade == "machine"
            tally.machine += final.grade == "machine"
            for verdict in (first, final):
                _decide(score, act, verdict)
        for act in message.acts:
            if act.kind == "page":
                _decide(score, act, opens.judge_view(act.hit(lists)))
        _taps(score, message)
    return score


def _decide(score: Score, act: Act, verdict: Verdict) -> None:
    kind = "page_view" if act.kind == "page" else act.kind
    decision = gate.decide(gate.Answer(kind, verdict.grade), PROGRAM, WAITING, make.NOW)
    score.moved_by_get[decision.action] += 1
    score.false_unlocks += decision.action in _EARNS


def _taps(score: Score, message: Message) -> None:
    """Whoever clicked stands before a page that asks for the tap, until they have pressed it."""
    clicks = {act.link for act in message.acts if act.kind == "click" and act.truth == "person"}
    offers = page_state(PageFacts(state=WAITING.state or ""), make.NOW).offers(Choice.MORE)
    if len(clicks) == 1:
        score.honest += 1
        score.asked += offers
    tapped = any(act.kind == "tap" for act in message.acts)
    if tapped and offers:
        answer = gate.Answer("tap", "human", "interested")
        decision = gate.decide(answer, PROGRAM, WAITING, make.NOW)
        score.unlocks += decision.action == "unlock"
