"""Last stage: what only the whole plan can show, told at the place in the file."""

from channels.registry import CHANNELS
from orchestrator.rules.program import Program, SendStep
from orchestrator.rules.sequence_file import proof
from orchestrator.rules.sequence_file.desk import Desk, did_you_mean
from orchestrator.rules.sequence_file.schema import SendItem, SequenceFile
from orchestrator.rules.sequence_file.values import Path
from orchestrator.rules.sequence_file.words import needs_subject

ARROW = " → "


def check_graph(desk: Desk, program: Program, file: SequenceFile) -> None:
    """Every fault of the plan as a whole. `program` has valid edges and unique ids."""
    paths: dict[str, Path] = {step.id: ("steps", index) for index, step in enumerate(program.steps)}
    _calls(desk, program, paths)
    _unreachable(desk, program, paths)
    _loops(desk, program, paths)
    _moves(desk, program, paths)
    reachable = set(paths) - set(proof.unreachable_steps(program))
    for index, (step, item) in enumerate(zip(program.steps, file.steps, strict=True)):
        if isinstance(step, SendStep) and isinstance(item, SendItem):
            path: Path = ("steps", index, "send")
            threaded = step.thread is not None and _thread(desk, program, step, path, reachable)
            if any(name in CHANNELS and CHANNELS[name].subject for name in step.channels):
                _subject(desk, program, step, item, path, threaded=threaded)


def _calls(desk: Desk, program: Program, paths: dict[str, Path]) -> None:
    for call, way in proof.unearned_calls(program).items():
        desk.key(
            (*paths[call], "call"),
            f"the call `{call}` can be reached without an engagement ({ARROW.join(way)}): only "
            "the `then` of an `until: engaged` may lead to a call",
        )


def _unreachable(desk: Desk, program: Program, paths: dict[str, Path]) -> None:
    for step in proof.unreachable_steps(program):
        desk.value(
            paths[step],
            f"nothing leads to `{step}`: name it in a `next`, `then`, `otherwise` or `go`, "
            "or take it out",
        )


def _loops(desk: Desk, program: Program, paths: dict[str, Path]) -> None:
    for way in proof.spinning_loops(program):
        desk.value(
            paths[way[-1]],
            f"a loop without a wait ({ARROW.join((way[-1], *way))}): put a `wait` into it",
        )
    for message in proof.messages_in_loops(program):
        desk.value(
            paths[message],
            f"`{message}` is in a loop, but a message reaches a prospect at most once: "
            "lead the loop around it",
        )
    for message, until in proof.messages_after_answer(program).items():
        desk.value(
            paths[message],
            f"`{message}` comes after the answer that `{until}` waits for, and would never leave: "
            "after an answer only the offer of a call does; use a `task` or the `call` itself",
        )


def _moves(desk: Desk, program: Program, paths: dict[str, Path]) -> None:
    """No channel takes over because another was met with silence, unless ops sign it off."""
    for message, move in proof.moves_by_silence(program).items():
        path = (*paths[message], "send")
        place = (*path, "channels") if (*path, "channels") in desk.tree.keys else path
        way = ARROW.join(move.way)
        if move.fresh:
            what = f"goes by {', '.join(move.fresh)} where nothing before it could"
        else:
            what = f"does not go by {', '.join(move.left)}, where `{move.way[0]}` may have gone"
        desk.key(
            place,
            f"`{message}` {what} ({way}): silence is no reason for another channel. Name the same "
            "channels, or write `new_channel: signed off by NAME` in this `send`",
        )


def _thread(desk: Desk, program: Program, step: SendStep, path: Path, reachable: set[str]) -> bool:
    """Whether `step` can answer in the thread that it names; otherwise the fault is told."""
    here = (*path, "thread")
    sends = {one.id: one for one in program.sends()}
    target = sends.get(step.thread or "")
    if target is None:
        known = [name for name in sends if name != step.id]
        known_step = any(one.id == step.thread for one in program.steps)
        what = f"`{step.thread}` is no message" if known_step else f"no step `{step.thread}`"
        desk.value(here, f"{what} to answer{did_you_mean(step.thread or '', known)}")
        return False
    if target.id == step.id:
        desk.value(here, "a message cannot answer itself: name an earlier one")
        return False
    if {target.id, step.id} <= reachable and not proof.precedes(program, target.id, step.id):
        desk.value(here, f"`{target.id}` cannot have come before `{step.id}`: name an earlier one")
        return False
    other = [name for name in step.channels if name not in target.channels]
    if other:
        desk.value(
            here,
            f"`{target.id}` goes by {', '.join(target.channels)} and not by {', '.join(other)}: "
            "a thread stays on its channel",
        )
        return False
    return True


def _subject(
    desk: Desk, program: Program, step: SendStep, item: SendItem, path: Path, *, threaded: bool
) -> None:
    if step.thread is None:
        titled = [name for name in step.channels if name in CHANNELS and CHANNELS[name].subject]
        why = f"a first message on {' or '.join(titled)} needs a `subject`"
    elif threaded and (way := proof.way_around(program, step.thread, step.id)):
        why = (
            f"`{step.thread}` may not have been sent ({ARROW.join(way)}): give this message a "
            "`subject` of its own"
        )
    else:
        return
    for place in needs_subject(desk, item.send, path, step.wordings):
        desk.key(place, why)
