"""Second stage: from what a person wrote to a program with every default explicit."""

from typing import Any

from pydantic import TypeAdapter, ValidationError

from orchestrator.rules.program import (
    END,
    BranchStep,
    CallStep,
    Case,
    Program,
    SendStep,
    Step,
    TaskStep,
    Tracking,
    UntilStep,
    WaitStep,
)
from orchestrator.rules.sequence_file.desk import Desk, did_you_mean
from orchestrator.rules.sequence_file.schema import (
    AnyItem,
    BranchItem,
    CallItem,
    SendItem,
    SequenceFile,
    TaskItem,
    UntilItem,
    WaitItem,
    kind_of,
)
from orchestrator.rules.sequence_file.terms import checked_language, duration, minutes
from orchestrator.rules.sequence_file.values import CHANNELS, Path
from orchestrator.rules.sequence_file.words import wordings
from orchestrator.rules.window import Window
from orchestrator.rules.wording import unknown_variable

_ITEM: TypeAdapter[Any] = TypeAdapter(AnyItem)
EVENTS = ("opened", "clicked", "delivered")


class Compiler:
    """Compiles the steps of one file; faults go to the desk, a faulty step is left out."""

    def __init__(self, desk: Desk, raw: dict[str, Any]) -> None:
        self.desk = desk
        self.raw = raw
        self.language = _language(raw)
        self.raw_steps: list[Any] = raw["steps"] if isinstance(raw.get("steps"), list) else []
        self.sound = True  # ids are unique and every edge leads somewhere
        self.ids = self._ids()
        self.channels = self._channels(raw.get("channels", [*CHANNELS[:1]]), ("channels",))

    def steps(self) -> list[tuple[int, Step]]:
        """Every step that has the right shape, with its place in the file."""
        found = []
        for index, raw in enumerate(self.raw_steps):
            try:
                item = _ITEM.validate_python(raw)
            except ValidationError:
                continue  # told by the first stage
            found.append((index, self._step(index, item)))
        return found

    def program(self, file: SequenceFile, steps: list[Step]) -> Program:
        """The whole, once nothing is wrong with its parts."""
        return Program(
            sequence=file.sequence,
            about=file.about,
            language=file.language,
            window=Window.model_validate(file.window.model_dump()),
            sender=file.sender,
            tracking=Tracking(
                opens=file.tracking.opens,
                clicks=file.tracking.clicks,
                except_countries=tuple(file.tracking.except_countries),
            ),
            stop_company=file.on_answer == "stop company",
            first=steps[0].id,
            steps=tuple(steps),
        )

    def edge(self, target: str, path: Path) -> str:
        """`target` when it is a step or the end."""
        if target != END and target not in self.ids:
            self.sound = False
            self.desk.value(
                path, f"there is no step `{target}`{did_you_mean(target, self._named())}"
            )
        return target

    def _named(self) -> list[str]:
        return [*self.ids, END]

    def _ids(self) -> list[str]:
        """An id for each step: as written, or `wait-1`, `wait-2` ... in the order of the file."""
        written: dict[str, int] = {}
        for index, raw in enumerate(self.raw_steps):
            step_id = raw.get("id") if isinstance(raw, dict) else None
            if not isinstance(step_id, str):
                continue
            if step_id in written:
                self.sound = False
                line = self.desk.tree.at(("steps", written[step_id], "id"))[0]
                message = f"`{step_id}` is already the id of the step on line {line}"
                self.desk.value(("steps", index, "id"), message)
            written.setdefault(step_id, index)
        return self._filled(written)

    def _filled(self, written: dict[str, int]) -> list[str]:
        counts: dict[str, int] = {}
        ids = []
        for raw in self.raw_steps:
            step_id = raw.get("id") if isinstance(raw, dict) else None
            kind = kind_of(raw) or "step"
            while not isinstance(step_id, str):
                counts[kind] = counts.get(kind, 0) + 1
                made = f"{kind}-{counts[kind]}"
                step_id = None if made in written else made
            ids.append(step_id)
        return ids

    def _channels(self, names: Any, path: Path) -> tuple[str, ...]:
        """`names` as known channels, each once."""
        if not isinstance(names, list):
            return ()
        found: list[str] = []
        for index, name in enumerate(names):
            if name in found:
                self.desk.value((*path, index), f"`{name}` stands here twice")
            elif isinstance(name, str) and name not in self.desk.channels:
                known = did_you_mean(name, self.desk.channels)
                self.desk.value((*path, index), f"there is no channel `{name}`{known}")
            else:
                found.append(name)
        return tuple(found)

    def _next(self, index: int, written: str | None) -> str:
        if written is not None:
            return self.edge(written, ("steps", index, "next"))
        return self.ids[index + 1] if index + 1 < len(self.ids) else END

    def _step(self, index: int, item: AnyItem) -> Step:
        path: Path = ("steps", index)
        step_id = self.ids[index]
        match item:
            case SendItem():
                return self._send(index, item)
            case WaitItem():
                going = self._next(index, item.next)
                return WaitStep(id=step_id, next=going, duration=duration(item.wait))
            case UntilItem():
                return UntilStep(
                    id=step_id,
                    within=duration(item.within),
                    then=self.edge(item.then, (*path, "then")),
                    otherwise=self.edge(item.otherwise, (*path, "otherwise")),
                )
            case BranchItem():
                return self._branch(index, item)
            case TaskItem():
                going = self._next(index, item.next)
                return TaskStep(id=step_id, next=going, title=item.task, text=item.text)
            case CallItem():
                return CallStep(
                    id=step_id,
                    host=item.call.host,
                    minutes=minutes(item.call.length),
                    wordings=wordings(self.desk, item.call, (*path, "call"), self.language),
                )

    def _send(self, index: int, item: SendItem) -> SendStep:
        path: Path = ("steps", index, "send")
        part = item.send
        for place, name in enumerate(part.needs):
            message = unknown_variable(name)
            if message:
                self.desk.value((*path, "needs", place), message)
        return SendStep(
            id=self.ids[index],
            next=self._next(index, item.next),
            channels=self._send_channels(index, item),
            thread=part.thread,
            needs=tuple(dict.fromkeys(part.needs)),
            new_channel=part.new_channel,
            wordings=wordings(self.desk, part, path, self.language),
        )

    def _send_channels(self, index: int, item: SendItem) -> tuple[str, ...]:
        """Its own, else those of the message that it answers, else the sequence's."""
        if item.send.channels is not None:
            return self._channels(item.send.channels, ("steps", index, "send", "channels"))
        if item.send.thread in self.ids:
            raw = self.raw_steps[self.ids.index(item.send.thread)]
            send = raw.get("send") if isinstance(raw, dict) else None
            named = send.get("channels") if isinstance(send, dict) else None
            if isinstance(named, list):
                return tuple(name for name in named if name in self.desk.channels)
        return self.channels

    def _branch(self, index: int, item: BranchItem) -> BranchStep:
        path: Path = ("steps", index, "branch")
        for place, case in enumerate(item.branch):
            self._when(case.when, (*path, place, "when"))
        return BranchStep(
            id=self.ids[index],
            cases=tuple(
                Case(when=case.when, go=self.edge(case.go, (*path, place, "go")))
                for place, case in enumerate(item.branch)
            ),
            otherwise=self.edge(item.otherwise, ("steps", index, "otherwise")),
        )

    def _when(self, when: str, path: Path) -> None:
        if when.startswith("fact.") and unknown_variable(when) is None:
            return
        if when not in EVENTS:
            known = did_you_mean(when, (*EVENTS, "fact.NAME"))
            self.desk.value(path, f"a branch cannot ask for `{when}`{known}")
            return
        wanted = {"opened": "opens", "clicked": "clicks"}.get(when)
        tracking = self.raw.get("tracking")
        if wanted and not (isinstance(tracking, dict) and tracking.get(wanted)):
            message = f"`{when}` never comes: write `tracking: {{{wanted}: true}}` at the top"
            self.desk.value(path, message)


def _language(raw: dict[str, Any]) -> str | None:
    """The language of the texts, None while the file does not say it rightly."""
    try:
        return checked_language(str(raw["language"]))
    except (KeyError, ValueError):
        return None
