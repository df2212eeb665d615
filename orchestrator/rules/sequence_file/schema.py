"""The file format as models: the reader validates with them and the JSON Schema comes from them.

A model here is what a person writes; `rules/program.py` has what it becomes.
"""

from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Discriminator, Field, Tag

from channels.registry import NAMES as CHANNELS
from orchestrator.rules.sequence_file.terms import (
    Channels,
    Country,
    DurationText,
    Edge,
    Language,
    LengthText,
    NameText,
    SignOff,
    checked_days,
    checked_hours,
)

KINDS = ("send", "wait", "until", "branch", "task", "call")
SCHEMA_ID = "https://avtale.example/sequence.schema.json"


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


class WindowPart(_Part):
    """When messages may leave, on the prospect's own clock."""

    days: Annotated[str, AfterValidator(checked_days)] = Field(
        "mon-fri", description="mon-fri, or mon, wed, fri"
    )
    hours: Annotated[str, AfterValidator(checked_hours)] = Field(description="08:00-16:00")


class TrackingPart(_Part):
    """What a message carries to follow it. Off unless written here."""

    opens: bool = Field(False, description="an open pixel")
    clicks: bool = Field(False, description="links that are followed through a redirect")
    except_countries: list[Country] = Field([], description="never track prospects of these")


class WordsPart(_Part):
    """One language's text: a template by name, or subject and text here."""

    subject: str | None = Field(None, description="first messages need one; an answer has none")
    text: str | None = Field(None, description="plain text; made from html when left out")
    html: str | None = Field(None, description="made from text when left out")
    template: str | None = Field(None, description="a template by name, or language/name")


class NotedPart(WordsPart):
    """One language's text of a message, which may have to be let in first."""

    note: str | None = Field(
        None, description="what an invitation says, on channels where one comes first"
    )


class SendPart(NotedPart):
    """One message."""

    needs: list[str] = Field([], description="what must be known first: fact.pain")
    thread: str | None = Field(None, description="the step whose message this one answers")
    channels: Channels | None = Field(None, description="instead of the sequence's own")
    new_channel: SignOff | None = Field(
        None, description="who signed off that silence moves this message to another channel"
    )
    languages: dict[Language, NotedPart] = Field({}, description="the same in other languages")


class CallPart(WordsPart):
    """The offer of a call."""

    host: str = Field(min_length=1, description="whose calendar: `avtale hosts list`")
    length: LengthText
    languages: dict[Language, WordsPart] = Field({}, description="the same in other languages")


class CasePart(_Part):
    """One arm of a branch."""

    when: str = Field(description="opened, clicked, delivered, or fact.<name>")
    go: Edge


class _Step(_Part):
    id: NameText | None = Field(None, description="how other steps name this one")


class SendItem(_Step):
    """Send one message."""

    send: SendPart
    next: Edge | None = Field(None, description="the following step when left out")


class WaitItem(_Step):
    """Let time pass."""

    wait: DurationText
    next: Edge | None = None


class UntilItem(_Step):
    """Wait for a human answer on any channel."""

    until: Literal["engaged"]
    within: DurationText
    then: Edge = Field(description="where an answer leads: the only way to a call")
    otherwise: Edge = Field(description="where silence leads")


class BranchItem(_Step):
    """Choose by what the prospect did so far, or by a fact."""

    branch: list[CasePart] = Field(min_length=1, max_length=50)
    otherwise: Edge


class TaskItem(_Step):
    """Work for a person; the sequence goes on when it is done."""

    task: str = Field(min_length=1, description="the title of the task")
    text: str = ""
    next: Edge | None = None


class CallItem(_Step):
    """Offer a call: reachable only through the `then` of an `until: engaged`."""

    call: CallPart


def kind_of(value: Any) -> str | None:
    """The kind of a raw step, None when it has none or two."""
    if isinstance(value, BaseModel):
        value = value.model_dump(exclude_unset=True)
    found = [kind for kind in KINDS if kind in value] if isinstance(value, dict) else []
    return found[0] if len(found) == 1 else None


AnyItem = Annotated[
    Annotated[SendItem, Tag("send")]
    | Annotated[WaitItem, Tag("wait")]
    | Annotated[UntilItem, Tag("until")]
    | Annotated[BranchItem, Tag("branch")]
    | Annotated[TaskItem, Tag("task")]
    | Annotated[CallItem, Tag("call")],
    Discriminator(kind_of),
]


class SequenceFile(_Part):
    """A sequence as sales ops write it: one plan, read from top to bottom."""

    sequence: NameText = Field(description="the name that publishing and enrolling use")
    about: str = Field("", description="who this is for, in a sentence")
    language: Language = Field(description="of the texts; the fallback of every other language")
    channels: Channels = Field(
        [*CHANNELS[:1]], description="in order; the prospect's own choice wins"
    )
    window: WindowPart = WindowPart(hours="08:00-16:00")
    sender: str | None = Field(None, description="the sender to write from, by name")
    tracking: TrackingPart = TrackingPart()
    on_answer: Literal["stop person", "stop company"] = Field(
        "stop person", description="whom a human answer takes out of the sequence"
    )
    steps: list[AnyItem] = Field(min_length=1, max_length=200)


ITEMS: dict[str, type[BaseModel]] = {
    "send": SendItem,
    "wait": WaitItem,
    "until": UntilItem,
    "branch": BranchItem,
    "task": TaskItem,
    "call": CallItem,
}


def json_schema() -> dict[str, Any]:
    """The published JSON Schema (draft 2020-12) of a sequence file."""
    schema = SequenceFile.model_json_schema()
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": SCHEMA_ID,
        **schema,
        "title": "Avtale sequence",
    }
