"""Where an enrollment goes next: the planner's decision, as values.

An enrollment stands at a step and is looked at when `due_at` has come. `walk` goes from there to
the next place where something has to happen or to be waited for.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime

from orchestrator.rules.program import (
    END,
    BranchStep,
    CallStep,
    Duration,
    Program,
    SendStep,
    TaskStep,
    UntilStep,
    WaitStep,
)

# End of a wait that starts at the given instant, in the prospect's days (rules.window).
Add = Callable[[Duration, datetime], datetime]


@dataclass(frozen=True, slots=True)
class Seen:
    """What the prospect did in this enrollment so far, and the facts known of them."""

    opened: bool = False
    clicked: bool = False
    delivered: bool = False
    had: frozenset[str] = frozenset()  # steps whose message was written: never a second time (L2)
    facts: Mapping[str, str] = field(default_factory=dict)

    def holds(self, condition: str) -> bool:
        """Whether a branch condition is true: opened, clicked, delivered or `fact.<name>`."""
        if condition.startswith("fact."):
            return bool(self.facts.get(condition.removeprefix("fact."), "").strip())
        return {"opened": self.opened, "clicked": self.clicked, "delivered": self.delivered}[
            condition
        ]


@dataclass(frozen=True, slots=True)
class Wait:
    """Stand at `step` until `until`."""

    step: str
    until: datetime


@dataclass(frozen=True, slots=True)
class SendMessage:
    """The message of `step` is to be written."""

    step: SendStep


@dataclass(frozen=True, slots=True)
class OfferCall:
    """The call of `step` is to be offered, if an unlock allows it."""

    step: CallStep


@dataclass(frozen=True, slots=True)
class OpenTask:
    """A person has work to do before the sequence goes on."""

    step: TaskStep


@dataclass(frozen=True, slots=True)
class Finish:
    """The sequence is over; `step` is where it ended."""

    step: str


Move = Wait | SendMessage | OfferCall | OpenTask | Finish


def arrive(program: Program, step_id: str, now: datetime, add: Add) -> datetime:
    """When somebody who comes to `step_id` at `now` is to be looked at there."""
    if step_id == END:
        return now
    match program.step(step_id):
        case WaitStep(duration=duration) | UntilStep(within=duration):
            return add(duration, now)
        case _:
            return now


def walk(
    program: Program, step_id: str, *, just_arrived: bool, seen: Seen, now: datetime, add: Add
) -> Move:
    """What happens to an enrollment that stands at `step_id` and is due.

    `just_arrived` tells a wait that begins from one that is over. Raises RuntimeError on a loop
    without a wait, which the publisher refuses.
    """
    current = step_id
    last = step_id
    for _ in range(2 * len(program.steps) + 2):
        if current == END:
            return Finish(last)
        step, last = program.step(current), current
        match step:
            case SendStep():
                if step.id not in seen.had:
                    return SendMessage(step)
                current = step.next
            case CallStep():
                return OfferCall(step)
            case TaskStep():
                return OpenTask(step)
            case BranchStep():
                current = next((c.go for c in step.cases if seen.holds(c.when)), step.otherwise)
            case WaitStep() | UntilStep():
                if just_arrived and (until := arrive(program, current, now, add)) > now:
                    return Wait(current, until)
                current = step.next if isinstance(step, WaitStep) else step.otherwise
        just_arrived = True
    raise RuntimeError(f"the sequence {program.sequence} loops without a wait at {current}")


def after(program: Program, step_id: str, now: datetime, add: Add) -> tuple[str, datetime]:
    """Where an enrollment stands once the message or task of `step_id` is done, and until when."""
    step = program.step(step_id)
    assert isinstance(step, SendStep | TaskStep)
    return step.next, arrive(program, step.next, now, add)
