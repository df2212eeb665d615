"""What is proved of a program before it is published: a call is earned (L1), every step can be
reached, no loop spins, no message is due twice.

Everything here is a walk over the edges of a finished program; nothing is decided by names.
"""

from collections.abc import Callable, Iterable

from orchestrator.rules.program import (
    END,
    CallStep,
    Program,
    SendStep,
    Step,
    UntilStep,
    WaitStep,
    edges,
)

Edges = Callable[[Step], Iterable[str]]


def unearned_calls(program: Program) -> dict[str, tuple[str, ...]]:
    """Call steps that can be reached without an engagement, each with a shortest way there.

    The `then` edge of `until: engaged` is the only one that an engagement opens. Take these edges
    away: a call step that still can be reached is one that nobody earned (L1).
    """
    ways = walk(program, program.first, silent_edges)
    return {
        step.id: ways[step.id]
        for step in program.steps
        if isinstance(step, CallStep) and step.id in ways
    }


def silent_edges(step: Step) -> Iterable[str]:
    """Where `step` leads when nobody answers."""
    return (step.otherwise,) if isinstance(step, UntilStep) else edges(step)


def unreachable_steps(program: Program) -> list[str]:
    """Steps that no way leads to."""
    ways = walk(program, program.first, edges)
    return [step.id for step in program.steps if step.id not in ways]


def spinning_loops(program: Program) -> list[tuple[str, ...]]:
    """Loops that no time passes in, each as the steps that it goes round.

    Time passes in a wait, and in an `until` that nobody answers. An `until` that was answered
    lets through at once, so that its `then` edge does not count as waiting.
    """
    return _loops(program, _instant_edges)


def messages_in_loops(program: Program) -> list[str]:
    """Messages that a loop comes back to: a step reaches a prospect at most once (L2)."""
    return [
        step.id
        for step in program.sends()
        if any(step.id in walk(program, target, edges) for target in edges(step))
    ]


def messages_after_answer(program: Program) -> dict[str, str]:
    """Messages behind a `then` edge, with the `until` they are behind. They would never leave:
    after an answer only the offer of the call does (L4)."""
    found: dict[str, str] = {}
    for step in program.steps:
        if isinstance(step, UntilStep):
            for behind in walk(program, step.then, edges):
                if isinstance(program.step(behind), SendStep):
                    found.setdefault(behind, step.id)
    return found


def precedes(program: Program, first: str, later: str) -> bool:
    """Whether `first` can have happened before somebody comes to `later`."""
    return any(later in walk(program, target, edges) for target in edges(program.step(first)))


def way_around(program: Program, avoided: str, target: str) -> tuple[str, ...] | None:
    """A way to `target` that leaves `avoided` out; None when there is none."""
    if program.first == avoided:
        return None

    def around(step: Step) -> Iterable[str]:
        return (edge for edge in edges(step) if edge != avoided)

    return walk(program, program.first, around).get(target)


def walk(program: Program, start: str, follow: Edges) -> dict[str, tuple[str, ...]]:
    """Every step that can be reached from `start` (itself included), with a shortest way to it."""
    if start == END:
        return {}
    ways: dict[str, tuple[str, ...]] = {start: (start,)}
    queue = [start]
    by_id = {step.id: step for step in program.steps}
    for current in queue:
        for target in follow(by_id[current]):
            if target != END and target not in ways:
                ways[target] = (*ways[current], target)
                queue.append(target)
    return ways


def _instant_edges(step: Step) -> Iterable[str]:
    if isinstance(step, WaitStep):
        return () if step.duration.amount > 0 else edges(step)
    if isinstance(step, UntilStep) and step.within.amount > 0:
        return (step.then,)
    return edges(step)


def _loops(program: Program, follow: Edges) -> list[tuple[str, ...]]:
    """One loop for each knot of the graph, as the shortest way round from its first step."""
    found: list[tuple[str, ...]] = []
    told: set[str] = set()
    for step in program.steps:
        if step.id in told:
            continue
        rounds = [
            ways[step.id]
            for target in follow(step)
            if step.id in (ways := walk(program, target, follow))
        ]
        if rounds:
            way = min(rounds, key=len)
            found.append(way)
            told.update(way)
    return found
