"""What a claim weighs of each message: by the lanes and programs of the claim."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Any
from uuid import UUID

from orchestrator.rules import late, leaving, pacing
from orchestrator.rules.outgoing import OF_STEPS, own_step
from orchestrator.rules.program import Program
from orchestrator.rules.window import Window, next_common_opening
from orchestrator.rules.zones import plausible_zones

Row = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class OpenLane:
    """A locked lane that may send now: its pace, its room and its sender's hours."""

    lane: pacing.Lane
    room: pacing.Room
    hours: Window


@lru_cache(maxsize=1024)
def hours_of(words: str) -> Window:
    """A sender's hours as the database spells them: most senders of a house keep the same."""
    return Window.model_validate_json(words)


def zones_of(row: Row) -> frozenset[str]:
    """The zones that the person of a candidate may be in."""
    return plausible_zones(
        zone=row["zone"],
        country=row["country"],
        phone=row["phone"],
        address=row["address"],
        language=row["language"],
    )


@dataclass(slots=True)
class Weighing:
    """What one claim knows beside its rows. `most`: how late is too late, None for never."""

    now: datetime
    lanes: Mapping[UUID, OpenLane]
    programs: Mapping[UUID, Program]
    most: timedelta | None
    _openings: dict[tuple[Any, ...], datetime | None] = field(default_factory=dict)

    def verdict(self, row: Row) -> leaving.Go | leaving.Hold | leaving.Drop:
        """Whether the message of `row` may leave now."""
        opening, too_late = self._when(row)
        return leaving.decide(
            leaving.Circumstances(
                kind=row["kind"],
                step=own_step(row["kind"], row["step"]),
                enrollment_state=row["enrollment_state"],
                enrollment_step=row["enrollment_step"],
                answered=row["answered"],
                opted_out=row["opted_out"],
                suppressed=row["suppressed"],
                address_usable=row["address_usable"],
                prospect_paused=row["prospect_paused"],
                not_before=row["not_before"],
                sequence_active=row["sequence_active"],
                opening=opening,
                late=too_late,
            ),
            self.now,
        )

    def _when(self, row: Row) -> tuple[datetime | None, bool]:
        """The next moment that both windows allow, and whether the first such lies too far back."""
        if row["kind"] not in OF_STEPS or row["sender_id"] not in self.lanes:
            return self.now, False
        at = self.lanes[row["sender_id"]].lane
        since = max(row["due_at"], at.free_since or row["due_at"])
        opening = self._opening(row, self.now)
        if not late.overdue(since, self.now, self.most):
            return opening, False
        first = self._opening(row, since)
        return opening, first is not None and late.overdue(first, self.now, self.most)

    def _opening(self, row: Row, after: datetime) -> datetime | None:
        """Reckoned once for all people of one claim who share zones, country, version and hours."""
        zones, sender_id = zones_of(row), row["sender_id"]
        own = self.lanes[sender_id]
        key = (row["version_id"], zones, row["country"], id(own.hours), own.lane.zone, after)
        if key not in self._openings:
            windows: Sequence[tuple[Window, frozenset[str], str | None]] = [
                (self.programs[row["version_id"]].window, zones, row["country"]),
                (own.hours, frozenset({own.lane.zone}), None),
            ]
            self._openings[key] = next_common_opening(windows, after)
        return self._openings[key]
