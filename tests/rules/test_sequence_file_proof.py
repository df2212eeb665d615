"""L1 at the publisher: no call without engagement, on every graph; and no loop that spins."""

from collections.abc import Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orchestrator.rules.program import (
    END,
    BranchStep,
    CallStep,
    Case,
    Duration,
    Program,
    SendStep,
    Step,
    TaskStep,
    UntilStep,
    WaitStep,
    Wording,
    edges,
)
from orchestrator.rules.sequence_file import TemplateLibrary, parse, proof
from orchestrator.rules.window import OFFICE

WORDS = {"en": Wording(subject="a", text="b")}


def program(*steps: Step) -> Program:
    return Program(sequence="try", language="en", window=OFFICE, first=steps[0].id, steps=steps)


@st.composite
def programs(draw: st.DrawFn) -> Program:
    names = [f"s{number}" for number in range(draw(st.integers(1, 7)))]
    target = st.sampled_from([*names, END])
    length = st.builds(Duration, amount=st.integers(0, 2), unit=st.just("days"))
    return program(*(draw(_step(name, target, length)) for name in names))


def _step(
    name: str, target: st.SearchStrategy[str], length: st.SearchStrategy[Duration]
) -> st.SearchStrategy[Step]:
    one = st.just(name)
    case = st.builds(Case, when=st.just("fact.a"), go=target)
    return st.one_of(
        st.builds(UntilStep, id=one, within=length, then=target, otherwise=target),
        st.builds(
            CallStep, id=one, host=st.just("h"), minutes=st.just(20), wordings=st.just(WORDS)
        ),
        st.builds(WaitStep, id=one, next=target, duration=length),
        st.builds(TaskStep, id=one, next=target, title=st.just("t")),
        st.builds(
            SendStep,
            id=one,
            next=target,
            channels=st.lists(
                st.sampled_from(["email", "slack", "sms"]), min_size=1, unique=True
            ).map(tuple),
            new_channel=st.sampled_from([None, None, None, "signed off by Kari"]),
            wordings=st.just(WORDS),
        ),
        st.builds(
            BranchStep, id=one, cases=st.lists(case, max_size=2).map(tuple), otherwise=target
        ),
    )


def every_path(of: Program) -> Iterator[list[tuple[str, str]]]:
    """Every path from the first step that passes no edge twice, as (edge kind, step)."""

    def onward(
        step_id: str, path: list[tuple[str, str]], used: frozenset[tuple[str, int]]
    ) -> Iterator[list[tuple[str, str]]]:
        yield path
        step = of.step(step_id)
        for number, target in enumerate(edges(step)):
            if target != END and (step_id, number) not in used:
                kind = "then" if isinstance(step, UntilStep) and number == 0 else "silent"
                yield from onward(target, [*path, (kind, target)], used | {(step_id, number)})

    yield from onward(of.first, [("start", of.first)], frozenset())


@settings(max_examples=150, deadline=None)
@given(programs())
def test_the_proof_agrees_with_walking_every_path(of: Program) -> None:
    unearned = set()
    for count, path in enumerate(every_path(of)):
        if count > 4000:
            return  # too many paths to walk them all
        last = of.step(path[-1][1])
        if isinstance(last, CallStep) and all(kind != "then" for kind, _ in path):
            unearned.add(last.id)
    assert set(proof.unearned_calls(of)) == unearned


@settings(max_examples=150, deadline=None)
@given(programs())
def test_a_loop_is_told_when_and_only_when_no_time_passes_in_it(of: Program) -> None:
    told = {frozenset(way) for way in proof.spinning_loops(of)}
    assert bool(told) == bool(_spinning(of))
    for way in told:
        assert way <= _spinning(of)


def _spinning(of: Program) -> set[str]:
    """Steps that can be come back to at once: transitive closure of the edges that take no time."""
    instant = {
        (step.id, target)
        for step in of.steps
        for number, target in enumerate(edges(step))
        if target != END and not _takes_time(step, number)
    }
    for middle in [step.id for step in of.steps]:
        instant |= {(a, d) for a, b in instant for c, d in instant if b == middle == c}
    return {a for a, b in instant if a == b}


def _takes_time(step: Step, number: int) -> bool:
    if isinstance(step, WaitStep):
        return step.duration.amount > 0
    return isinstance(step, UntilStep) and step.within.amount > 0 and number == 1


@settings(max_examples=100, deadline=None)
@given(programs())
def test_reachable_is_what_some_path_comes_to(of: Program) -> None:
    seen = {path[-1][1] for path, _ in zip(every_path(of), range(4000), strict=False)}
    assert not seen & set(proof.unreachable_steps(of))


@settings(max_examples=300, deadline=None)
@given(programs())
def test_a_move_by_silence_is_told_when_and_only_when_some_way_makes_it(of: Program) -> None:
    unsigned = {step.id for step in of.sends() if step.new_channel is None}
    told = proof.moves_by_silence(of)
    assert set(told) == {name for name in unsigned if _moved(of, name)}
    for name, move in told.items():
        assert (bool(move.fresh), bool(move.left)) in ((True, False), (False, True))
        assert (move.way[-1], set(move.fresh) <= set(of.step(name).channels)) == (name, True)  # type: ignore[union-attr]


def _moved(of: Program, name: str) -> bool:
    """Every state that silence can bring somebody to: where they are, by which channels they may
    have been written to, and by which the last time."""
    states: set[tuple[str, frozenset[str], frozenset[str]]] = set()
    queue = [(of.first, frozenset[str](), frozenset[str]())]
    for state in queue:
        at, seen, last = state
        if at == END or state in states:
            continue
        states.add(state)
        step = of.step(at)
        if isinstance(step, SendStep) and at == name:
            if seen and (set(step.channels) - seen or last - set(step.channels)):
                return True
        elif isinstance(step, SendStep):
            seen, last = seen | set(step.channels), frozenset(step.channels)
        silent = (step.otherwise,) if isinstance(step, UntilStep) else edges(step)
        queue += [(target, seen, last) for target in silent]
    return False


def test_the_way_to_an_unearned_call_is_told() -> None:
    of = program(
        UntilStep(id="a", within=Duration(amount=1, unit="days"), then="c", otherwise="b"),
        TaskStep(id="b", next="c", title="t"),
        CallStep(id="c", host="h", minutes=20, wordings=WORDS),
    )
    assert proof.unearned_calls(of) == {"c": ("a", "b", "c")}


CALL_FOR_NOTHING = """sequence: try
language: en
steps:
  - send: {subject: Hi, text: Hi}
  - call: {host: h, length: 20 minutes, text: "{{ page_url }}"}
"""


def test_a_file_whose_call_is_not_earned_makes_no_program() -> None:
    assert parse(CALL_FOR_NOTHING, "x.yaml", TemplateLibrary()).program is None


def test_the_guard_is_the_proof_and_nothing_else(monkeypatch: pytest.MonkeyPatch) -> None:
    """Take the proof out, and the very file that it refuses goes through: the test above is red."""
    monkeypatch.setattr(proof, "unearned_calls", lambda of: {})
    assert parse(CALL_FOR_NOTHING, "x.yaml", TemplateLibrary()).program is not None


BY_SLACK = """sequence: try
language: en
steps:
  - send: {subject: Hi, text: Hi}
  - wait: 3 days
  - id: louder
    send: {text: Hi again, channels: [slack]}
"""


def test_silence_moves_nobody_to_another_channel_unless_somebody_signs_for_it() -> None:
    parsed = parse(BY_SLACK, "x.yaml", TemplateLibrary())
    assert parsed.program is None
    assert [(one.line, one.column) for one in parsed.faults] == [(7, 28)]
    signed = BY_SLACK.replace("[slack]", "[slack], new_channel: signed off by Kari")
    program = parse(signed, "x.yaml", TemplateLibrary()).program
    assert program is not None
    assert program.step("louder").new_channel == "signed off by Kari"  # type: ignore[union-attr]


def test_silence_is_held_by_the_proof_and_nothing_else(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(proof, "moves_by_silence", lambda of: {})
    assert parse(BY_SLACK, "x.yaml", TemplateLibrary()).program is not None


def test_what_another_way_says_is_no_permission_here() -> None:
    """Slack on one arm and email on the other: behind both, either could be the new one."""

    def send(name: str, onward: str, *channels: str) -> SendStep:
        return SendStep(id=name, next=onward, channels=channels, wordings=WORDS)

    case = Case(when="fact.a", go="b")
    of = program(
        BranchStep(id="which", cases=(case,), otherwise="a"),
        send("a", "c", "email"),
        send("b", "c", "slack"),
        send("c", END, "email", "slack"),
    )
    assert proof.moves_by_silence(of) == {"c": proof.Move(("b", "c"), fresh=("email", "slack"))}
