"""What a changed verdict on something old may do. Pure.

Rereading may stop by itself and opens nothing by itself: what now reads as interest, and what an
answer that earned a call no longer reads as, goes to a person. A call that was opened stays open
until that person says otherwise, and one that is booked stays booked.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal
from uuid import UUID

from orchestrator.rules.gate import Grade, Meaning

# note: a row that revises, and nothing moves. act: as if it came now. ask: held until a person of
# ours has read it. doubt: the same about a call that was opened.
Does = Literal["note", "act", "ask", "doubt"]


@dataclass(frozen=True, slots=True)
class Said:
    """A verdict, as far as two of them can differ."""

    kind: str
    grade: Grade
    meaning: Meaning | None = None

    def __str__(self) -> str:
        return f"{self.kind}, {self.grade}" + (f", {self.meaning}" if self.meaning else "")


@dataclass(frozen=True, slots=True)
class Standing:
    """The verdict of one event on one person as it stands. `opened`: it, or one that it revises,
    earned an unlock. `by_person`: one of us has read the event, and their word is the last."""

    engagement: UUID
    said: Said
    opened: bool = False
    by_person: bool = False


@dataclass(frozen=True, slots=True)
class Change:
    """What rereading one event changes for one person."""

    prospect: UUID
    was: Standing | None
    now: Said
    does: Does


def changes(standing: Mapping[UUID, Standing], said: Mapping[UUID, Said]) -> list[Change]:
    """What one event is now, against what stands, by prospect. Nothing where one of us has read it,
    and nothing where it is the same."""
    found = []
    if any(one.by_person for one in standing.values()):
        return []
    for prospect in sorted({*standing, *said}):
        was, now = standing.get(prospect), said.get(prospect)
        if now is None and was is not None:  # it is theirs no more, or no engagement any more
            now = Said(was.said.kind, "machine")
        if now is None or (was is not None and was.said == now):
            continue
        found.append(Change(prospect, was, now, _does(was, now)))
    return found


def _does(was: Standing | None, now: Said) -> Does:
    human = now.grade == "human"
    if human and now.meaning == "stop":
        return "act"  # a wish to stop always wins (L4)
    if was is not None and was.opened:
        return "note" if human and now.meaning == "interested" else "doubt"
    if (human and now.meaning == "no") or now.kind in ("complaint", "bounce"):
        return "act"
    if human or (now.kind == "mail" and now.grade == "ambiguous"):
        return "ask"
    return "note"
