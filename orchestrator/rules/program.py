"""The program of a sequence version: what a file becomes when it is published.

Files are for people (`rules/sequence_file.py` reads them); this is the same thing with every
default made explicit, every template inlined and every edge named. It is what is stored, walked by
the planner, drawn and simulated.
"""

from collections.abc import Iterator
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from orchestrator.rules.window import Window

END = "end"  # the edge that finishes the enrollment


class _Value(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Wording(_Value):
    """One language's template of a message. `html` None: made from the text."""

    subject: str | None = None
    text: str
    html: str | None = None
    note: str | None = None  # what an invitation says, on channels where one comes first


class Duration(_Value):
    """How long a wait lasts. Business days skip weekends and the prospect's public holidays."""

    amount: int = Field(ge=0)
    unit: Literal["minutes", "hours", "days", "business_days"]


class SendStep(_Value):
    """Send one message. `wordings` is by language; the program's language is the fallback."""

    kind: Literal["send"] = "send"
    id: str
    next: str
    channels: tuple[str, ...]
    thread: str | None = None  # the step whose message this one answers in the same thread
    needs: tuple[str, ...] = ()  # variables that must be known: "fact.pain"
    new_channel: str | None = None  # who signed off that silence may move it to another channel
    wordings: dict[str, Wording]


class WaitStep(_Value):
    """Let time pass."""

    kind: Literal["wait"] = "wait"
    id: str
    next: str
    duration: Duration


class UntilStep(_Value):
    """Wait for a human answer on any channel; `then` is the only edge that it opens."""

    kind: Literal["until"] = "until"
    id: str
    within: Duration
    then: str
    otherwise: str


class Case(_Value):
    """One arm of a branch."""

    when: Literal["opened", "clicked", "delivered"] | str  # or "fact.<name>"
    go: str


class BranchStep(_Value):
    """Choose an edge by what the prospect did so far or by a fact. The first true case wins."""

    kind: Literal["branch"] = "branch"
    id: str
    cases: tuple[Case, ...]
    otherwise: str


class TaskStep(_Value):
    """Work for a person; the sequence goes on when it is marked done."""

    kind: Literal["task"] = "task"
    id: str
    next: str
    title: str
    text: str = ""


class CallStep(_Value):
    """Open the prospect's booking page and say so once. Ends the sequence."""

    kind: Literal["call"] = "call"
    id: str
    host: str
    minutes: int = Field(ge=5, le=480)
    wordings: dict[str, Wording]


Step = Annotated[
    SendStep | WaitStep | UntilStep | BranchStep | TaskStep | CallStep,
    Field(discriminator="kind"),
]


class Tracking(_Value):
    """What a message of this sequence carries to follow it. Off unless the file says otherwise."""

    opens: bool = False
    clicks: bool = False
    except_countries: tuple[str, ...] = ()


class Program(_Value):
    """One version of a sequence."""

    sequence: str
    about: str = ""
    language: str
    window: Window
    sender: str | None = None
    tracking: Tracking = Tracking()
    stop_company: bool = False  # a human answer stops everybody of the company
    first: str
    steps: tuple[Step, ...]

    def step(self, step_id: str) -> Step:
        """The step called `step_id`. Raises KeyError."""
        for step in self.steps:
            if step.id == step_id:
                return step
        raise KeyError(step_id)

    def sends(self) -> Iterator[SendStep]:
        """Every message step, in the order of the file."""
        return (step for step in self.steps if isinstance(step, SendStep))


def edges(step: Step) -> tuple[str, ...]:
    """Where the sequence can go from `step`; END among them."""
    match step:
        case UntilStep():
            return (step.then, step.otherwise)
        case BranchStep():
            return (*(case.go for case in step.cases), step.otherwise)
        case CallStep():
            return (END,)
        case _:
            return (step.next,)


def answer_edge(program: Program, at_step: str) -> str | None:
    """Where a human answer leads somebody who stands at `at_step`: the `then` edge of the nearest
    `until` step ahead (breadth first, the step itself included). None: the answer ends it."""
    queue, seen = [at_step], {END}
    while queue:
        step_id = queue.pop(0)
        if step_id in seen:
            continue
        seen.add(step_id)
        step = program.step(step_id)
        if isinstance(step, UntilStep):
            return step.then
        queue.extend(edges(step))
    return None


def call_behind(program: Program, step_id: str | None) -> CallStep | None:
    """The nearest call step at or after `step_id`: what an unlock opens."""
    queue, seen = [step_id or END], {END}
    while queue:
        current = queue.pop(0)
        if current in seen:
            continue
        seen.add(current)
        step = program.step(current)
        if isinstance(step, CallStep):
            return step
        queue.extend(edges(step))
    return None
