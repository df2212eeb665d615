"""The values of the planner: what it knows of one enrollment, and what it is going to write."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

from channels.base import Account, Channel, Inviting, Manual
from orchestrator.keys import Keys
from orchestrator.rules import progress
from orchestrator.rules.context import PersonFacts
from orchestrator.rules.program import Program
from orchestrator.rules.ways import Seat
from orchestrator.rules.window import Window, next_common_opening
from orchestrator.rules.zones import plausible_zones
from orchestrator.store.senders import account_of

Row = Mapping[Any, Any]
_Opening = tuple[Window, frozenset[str], str | None, UUID, datetime]


@dataclass(frozen=True, slots=True)
class House:
    """What a decision needs of the installation. Made anew for each batch: what its people share is
    reckoned once."""

    keys: Keys
    base_url: str
    organisation: str
    channels: Mapping[str, Channel]
    _accounts: dict[UUID, Account] = field(default_factory=dict)
    _hours: dict[UUID, Window] = field(default_factory=dict)
    _openings: dict[_Opening, datetime | None] = field(default_factory=dict)
    _habits: dict[str, tuple[Manual | None, Inviting | None]] = field(default_factory=dict)

    def account(self, sender: Row) -> Account:
        """The account of a sender's row. Raises SetupError when the secret key has changed."""
        if sender["id"] not in self._accounts:
            self._accounts[sender["id"]] = account_of(sender, self.keys)
        return self._accounts[sender["id"]]

    def habits(self, channel: str) -> tuple[Manual | None, Inviting | None]:
        """The channel as one that a person may work by hand, and as one that lets us in first."""
        if channel not in self._habits:
            one = self.channels[channel]
            self._habits[channel] = (
                one if isinstance(one, Manual) else None,
                one if isinstance(one, Inviting) else None,
            )
        return self._habits[channel]

    def opening(self, at: "Standing", sender: Row, after: datetime) -> datetime | None:
        """The first moment from `after` on that the windows of the person and the sender allow."""
        zones, country = at.zones, at.person.country
        key = (at.program.window, zones, country, sender["id"], after)
        if key not in self._openings:
            if sender["id"] not in self._hours:
                self._hours[sender["id"]] = Window.model_validate(sender["hours"])
            hours = self._hours[sender["id"]]
            self._openings[key] = next_common_opening(
                [
                    (at.program.window, zones, country),
                    (hours, frozenset({sender["zone"]}), None),
                ],
                after,
            )
        return self._openings[key]


@dataclass(frozen=True, slots=True)
class Standing:
    """One due enrollment with all that its decision needs."""

    row: Row
    program: Program
    person: PersonFacts
    senders: Mapping[UUID, Row]  # the enrollment's own, and those of its other channels
    unlock: Row | None
    seen: progress.Seen
    written: Mapping[str, Row]  # step -> message, of what was planned before, oldest first
    connections: Mapping[tuple[UUID, UUID], Row]  # by identity and sender

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
