"""What the model believes of each person: it has heard everything that the house was told."""

from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

from tests.model.provider import Hand

DECISIVE = frozenset({"interested", "no", "not_now", "stop"})


@dataclass(frozen=True)
class Said:
    """Something that happened at the provider, whether or not the house has heard of it."""

    external_id: str
    prospect: UUID
    message: UUID
    meaning: str  # stop | bounce | interested | no | not_now | unclear | machine
    at: datetime


@dataclass
class Beliefs:
    """Stops in force, by what was accepted and by what was read."""

    enrolled: dict[UUID, tuple[UUID, str]] = field(default_factory=dict)  # id -> whose, sequence
    opted_out: set[UUID] = field(default_factory=set)
    paused: set[UUID] = field(default_factory=set)
    sequences_paused: set[str] = field(default_factory=set)
    senders_paused: set[str] = field(default_factory=set)
    bounced: set[UUID] = field(default_factory=set)  # identities
    unread: dict[str, Said] = field(default_factory=dict)  # stored, by external id
    answered: set[UUID] = field(default_factory=set)  # enrollments that only an offer may leave of
    interested: set[UUID] = field(default_factory=set)
    unclear: set[UUID] = field(default_factory=set)
    snoozed: dict[UUID, datetime] = field(default_factory=dict)
    spoke: dict[UUID, datetime] = field(default_factory=dict)  # the last word that was read
    accepted: set[str] = field(default_factory=set)  # external ids that the house has taken

    def against(self, hand: Hand, sender: str) -> list[str]:
        """Why this hand-over may not be: every stop that was committed before."""
        row = hand.claimed.row
        who, sequence = self.enrolled[row.enrollment_id]
        waits = any(said.prospect == who and said.meaning != "machine"
                    for said in self.unread.values())  # fmt: skip
        found = {
            "opted out": who in self.opted_out,
            "person paused": who in self.paused,
            "sequence paused": sequence in self.sequences_paused,
            "sender paused": sender in self.senders_paused,
            "address bounced": row.identity_id in self.bounced,
            "an answer is stored and not read": waits,
            "answered": row.kind != "call_offer" and row.enrollment_id in self.answered,
            "an answer waits for its reader": who in self.unclear,
            "a call that nobody asked for": row.kind == "call_offer" and who not in self.interested,
        }
        return [name for name, holds in found.items() if holds]

    def read(self, said: Said, identity: UUID) -> None:
        """The house has read what somebody said."""
        own = {one for one, (who, _) in self.enrolled.items() if who == said.prospect}
        match said.meaning:
            case "stop":
                self.opted_out.add(said.prospect)
            case "bounce":
                self.bounced.add(identity)
            case "no":
                self.answered |= own
            case "interested":
                self.answered |= own
                self.interested.add(said.prospect)
            case "unclear":
                newer = self.spoke.get(said.prospect)
                if newer is None or newer <= said.at:
                    self.unclear.add(said.prospect)
        if said.meaning in DECISIVE:
            self.unclear.discard(said.prospect)
            before = self.spoke.get(said.prospect, said.at)
            self.spoke[said.prospect] = max(before, said.at)

    def was_read_by_us(self, prospect: UUID, outcome: str, now: datetime) -> None:
        """A person of ours said what an answer means, or that it was none."""
        own = {one for one, (who, _) in self.enrolled.items() if who == prospect}
        self.unclear.discard(prospect)
        if outcome == "stop":
            self.opted_out.add(prospect)
        if outcome in ("interested", "no"):
            self.answered |= own
        if outcome == "interested":
            self.interested.add(prospect)
