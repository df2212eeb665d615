"""A program as a plan that a person reads: what happens, when, and where it leads. Pure."""

from dataclasses import dataclass

from orchestrator.rules.program import (
    END,
    BranchStep,
    CallStep,
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
from orchestrator.rules.sequence_file.proof import silent_edges, walk


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the plan."""

    when: str  # "at once", "after 3 business days", "after an answer"
    step: str
    what: str
    then: str  # where it leads, when that is not the next line


def timeline(program: Program) -> list[Row]:
    """Every step in the order of the file, with the earliest time that it can come to."""
    ways = walk(program, program.first, silent_edges)
    rows = []
    for index, step in enumerate(program.steps):
        way = ways.get(step.id)
        when = "after an answer" if way is None else _elapsed(program, way[:-1])
        following = program.steps[index + 1].id if index + 1 < len(program.steps) else END
        rows.append(Row(when, step.id, what_of(step), _leads(step, following)))
    return rows


def summary(program: Program) -> str:
    """Languages, channels, window and the rest of the head in one line."""
    languages = sorted({code for step in program.sends() for code in step.wordings})
    channels = list(dict.fromkeys(name for step in program.sends() for name in step.channels))
    hours = program.window.model_dump()
    who = "company" if program.stop_company else "person"
    parts = [
        ", ".join(languages or [program.language]),
        ", ".join(channels) or "no messages",
        f"{hours['days']} {hours['hours']}",
        f"an answer stops the {who}",
    ]
    tracked = [name for name in ("opens", "clicks") if getattr(program.tracking, name)]
    parts.append(f"tracks {' and '.join(tracked)}" if tracked else "no tracking")
    if program.sender:
        parts.append(f"from {program.sender}")
    return " · ".join(parts)


def describe(program: Program) -> list[str]:
    """Everything that a version says, line by line: what `diff` compares."""
    lines = [f"sequence {program.sequence}", f"about {program.about}", summary(program), ""]
    if program.tracking.except_countries:
        lines.insert(3, f"never tracked: {', '.join(program.tracking.except_countries)}")
    for row, step in zip(timeline(program), program.steps, strict=True):
        lines.append(f"{row.step} ({row.when}): {row.what}{row.then and f'  → {row.then}'}")
        if isinstance(step, TaskStep) and step.text:
            lines += [f"    {line}" for line in step.text.splitlines()]
        if isinstance(step, SendStep | CallStep):
            for code in sorted(step.wordings):
                lines += _wording(code, step.wordings[code])
        lines.append("")
    return lines


def what_of(step: Step) -> str:
    """What one step does, in words."""
    match step:
        case SendStep():
            thread = f" in the thread of {step.thread}" if step.thread else ""
            needs = f", needs {', '.join(step.needs)}" if step.needs else ""
            signed = f" ({step.new_channel})" if step.new_channel else ""
            return f"message by {' or '.join(step.channels)}{signed}{thread}{needs}"
        case WaitStep():
            return f"wait {words_of(step.duration)}"
        case UntilStep():
            return f"wait up to {words_of(step.within)} for an answer"
        case BranchStep():
            return "branch"
        case TaskStep():
            return f"task: {step.title}"
        case CallStep():
            return f"offer a call of {step.minutes} minutes with {step.host}"


def words_of(duration: Duration) -> str:
    """`3 business days`, `1 hour`."""
    unit = duration.unit.replace("_", " ")
    return f"{duration.amount} {unit if duration.amount != 1 else unit.removesuffix('s')}"


def _wording(code: str, wording: Wording) -> list[str]:
    lines = [f"  [{code}] {wording.subject or '(no subject of its own)'}"]
    lines += [f"    {line}".rstrip() for line in wording.text.splitlines()]
    if wording.note is not None:
        lines += [f"    <note> {line}".rstrip() for line in wording.note.splitlines()]
    if wording.html is not None:
        lines += [f"    <html> {line}".rstrip() for line in wording.html.splitlines()]
    return lines


def _leads(step: Step, following: str) -> str:
    match step:
        case UntilStep():
            return f"answer: {step.then}, silence: {step.otherwise}"
        case BranchStep():
            cases = [f"{case.when}: {case.go}" for case in step.cases]
            return ", ".join([*cases, f"otherwise: {step.otherwise}"])
        case CallStep():
            return ""
        case _:
            (target,) = edges(step)
            return "" if target == following else target


def _elapsed(program: Program, way: tuple[str, ...]) -> str:
    """How long the waits of `way` take together, largest unit first."""
    total: dict[str, int] = {}
    for name in way:
        step = program.step(name)
        if isinstance(step, WaitStep | UntilStep):
            duration = step.duration if isinstance(step, WaitStep) else step.within
            total[duration.unit] = total.get(duration.unit, 0) + duration.amount
    order = ("business_days", "days", "hours", "minutes")
    parts = [
        words_of(Duration.model_validate({"amount": total[unit], "unit": unit}))
        for unit in order
        if unit in total
    ]
    return f"after {' + '.join(parts)}" if parts else "at once"
