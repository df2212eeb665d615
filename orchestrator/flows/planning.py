"""The values of the planner: what it knows of one enrollment, and what it is going to write."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import RowMapping

from channels.base import Channel
from orchestrator.keys import Keys
from orchestrator.rules import progress
from orchestrator.rules.context import PersonFacts
from orchestrator.rules.program import Program
from orchestrator.rules.ways import Seat
from orchestrator.rules.zones import plausible_zones


@dataclass(frozen=True, slots=True)
class House:
    """What a decision needs of the installation."""

    keys: Keys
    base_url: str
    organisation: str
    channels: Mapping[str, Channel]


@dataclass(frozen=True, slots=True)
class Standing:
    """One due enrollment with all that its decision needs."""

    row: RowMapping
    program: Program
    person: PersonFacts
    senders: Mapping[UUID, RowMapping]  # the enrollment's own, and those of its other channels
    unlock: RowMapping | None
    seen: progress.Seen
    written: Mapping[str, RowMapping]  # step -> message, of what was planned before, oldest first
    connections: Mapping[tuple[UUID, UUID], RowMapping]  # by identity and sender

    @property
    def zones(self) -> frozenset[str]:
        """The zones that the person may be in."""
        return zones_of(self.person)

    def seat(self, sender_id: UUID) -> Seat:
        """A sender as the choice of a way sees it."""
        row = self.senders[sender_id]
        return Seat(
            row["id"],
            row["name"],
            row["channel"],
            row["display_name"],
            row["paused_at"] is not None,
        )


@dataclass(slots=True)
class Plan:
    """What one batch writes."""

    moves: list[dict[str, Any]] = field(default_factory=list)
    messages: list[dict[str, Any]] = field(default_factory=list)
    tasks: list[dict[str, Any]] = field(default_factory=list)
    lines: list[dict[str, Any]] = field(default_factory=list)

    def tell(self, kind: str, at: "Standing", message: UUID | None = None, **detail: Any) -> None:
        """One line of history."""
        self.lines.append(
            {
                "kind": kind,
                "prospect_id": at.person.id,
                "enrollment_id": at.row["id"],
                "message_id": message,
                "detail": detail,
            }
        )


def zones_of(person: PersonFacts) -> frozenset[str]:
    """The zones that this person may be in: more when less is known, which narrows the window."""
    address = person.identity("email")
    return plausible_zones(
        zone=person.zone,
        country=person.country,
        phone=person.phone,
        address=address.address if address else None,
        language=person.language,
    )


def move(
    work: Plan,
    at: Standing,
    state: str,
    step: str,
    now: datetime,
    *,
    due: datetime | None = None,
    reason: str | None = None,
) -> None:
    """Put the enrollment into `state` at `step`."""
    work.moves.append(
        {
            "at": at.row["id"],
            "to_state": state,
            "to_step": step,
            "to_due": due,
            "entered": now,
            "reason": reason,
            "ended": now if state == "finished" else None,
        }
    )


def hold(
    work: Plan,
    at: Standing,
    step: str,
    kind: str,
    title: str,
    detail: dict[str, Any],
    now: datetime,
) -> None:
    """Hold the enrollment until a person has done the task."""
    move(work, at, "held", step, now)
    work.tasks.append(
        {
            "kind": kind,
            "title": title,
            "prospect_id": at.person.id,
            "enrollment_id": at.row["id"],
            "step": step,
            "detail": detail,
            "now": now,
        }
    )
    work.tell("enrollment.held", at, step=step, task=kind, **detail)
