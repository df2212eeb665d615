"""What is proved of a program before it is published: a call is earned (L1), every step can be
reached, no loop spins, no message is due twice, silence moves nobody to another channel.

Everything here is a walk over the edges of a finished program; nothing is decided by names.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from orchestrator.rules.program import (
    END,
    CallStep,
    Program,
    SendStep,
    Step,
    TaskStep,
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


@dataclass(frozen=True, slots=True)
class Move:
    """A message that silence could move to another channel: `way` leads from an earlier message of
    the same way to it. `fresh`: channels on which nothing before it could go. `left`: channels that
    the message right before it may have gone by, and that this one does not go by."""

    way: tuple[str, ...]
    fresh: tuple[str, ...] = ()
    left: tuple[str, ...] = ()


def moves_by_silence(program: Program) -> dict[str, Move]:
    """Messages that may reach somebody on another channel since they did not answer on theirs.

    Only ways without an answer count, each by itself: what another way would have said is no
    permission here. A message that the file signs off is left out.
    """
    found: dict[str, Move] = {}
    for step in program.sends():
        if step.new_channel is None:
            move = _onto_fresh(program, step) or _off_the_last(program, step)
            if move is not None:
                found[step.id] = move
    return found


def _onto_fresh(program: Program, step: SendStep) -> Move | None:
    """Take away every message that can go by a channel: where a way still comes to another message
    and from there to `step`, that channel is fresh to it."""
    found: dict[str, tuple[str, ...]] = {}
    for channel in step.channels:
        quiet = _without(
            one.id for one in program.sends() if channel in one.channels and one != step
        )
        for way in _from_earlier(program, step, quiet, quiet):
            found.setdefault(channel, way)
    return Move(next(iter(found.values())), fresh=tuple(found)) if found else None


def _off_the_last(program: Program, step: SendStep) -> Move | None:
    """The message right before may have gone by a channel that `step` does not go by."""
    between = _without(one.id for one in program.sends() if one != step)
    for way in _from_earlier(program, step, silent_edges, between):
        last = next(one for one in program.sends() if one.id == way[0])
        left = tuple(name for name in last.channels if name not in step.channels)
        if left:
            return Move(way, left=left)
    return None


def _without(avoided: Iterable[str]) -> Edges:
    """The silent edges that lead to none of `avoided`."""
    gone = {END, *avoided}
    return lambda step: (target for target in silent_edges(step) if target not in gone)


def _from_earlier(
    program: Program, step: SendStep, before: Edges, after: Edges
) -> Iterator[tuple[str, ...]]:
    """For each message that `before` comes to, the way from there to `step` by `after`."""
    entry = TaskStep(id="", next=program.first, title="")  # so that `before` judges the first one
    starts = {one for target in before(entry) for one in walk(program, target, before)}
    for earlier in program.sends():
        if earlier != step and earlier.id in starts:
            way = walk(program, earlier.id, after).get(step.id)
            if way is not None:
                yield way


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
