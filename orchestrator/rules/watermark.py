"""Up to where a lane's due messages have been claimed already, so that no claim looks there again.

A claimed message leaves a dead entry at the front of the index of what is due. While any old
snapshot is open (a report, a backup) PostgreSQL cannot clear them away, and every claim would walk
over all of them: after 100,000 messages a claim took 25 times as long (`docs/performance.md`).

A mark is a shortcut and no truth: it lives in one process, is forgotten after `KEPT_SECONDS`, and
at once when a claim did not come back full. So what comes to lie before it (another claim gave it
back, a person let it go) waits for at most that long, and only behind a backlog.
"""

from dataclasses import dataclass, field
from datetime import UTC, datetime
from uuid import UUID

KEPT_SECONDS = 2.0


@dataclass(frozen=True, slots=True)
class Mark:
    """The last message that was claimed, in the order of due time and id."""

    due_at: datetime
    id: UUID


START = Mark(datetime(1970, 1, 1, tzinfo=UTC), UUID(int=0))


@dataclass(slots=True)
class Watermarks:
    """The marks of one process, by lane. `clock` is monotonic, in seconds."""

    _marks: dict[UUID, Mark] = field(default_factory=dict)
    _since: float = 0.0

    def at(self, clock: float) -> dict[UUID, Mark]:
        """The marks that still count."""
        if clock - self._since >= KEPT_SECONDS:
            self._marks, self._since = {}, clock
        return self._marks

    def note(self, marks: dict[UUID, Mark], *, full: bool) -> None:
        """After a claim was committed: where it ended in each lane, and whether it was `full`."""
        self._marks = self._marks | marks if full else {}
