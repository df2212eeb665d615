"""A provider whose ledger is the truth, and hand-overs that stop at each place until told to go on.

A hand-over stands `connected` (nothing was said), `passed` (the point of no return is committed and
nothing has left) or `taken` (the provider has it and nobody here knows). A worker that dies, or is
stopped for longer than its lease, does so at one of these.
"""

import asyncio
import json
from dataclasses import dataclass, field
from datetime import datetime
from hashlib import sha256
from typing import Any
from uuid import UUID

from channels.base import (
    Account,
    NotSent,
    OutboundMessage,
    PassPoint,
    Refused,
    SendResult,
    Sent,
    Stopped,
    Unknown,
)
from channels.fake import FakeChannel
from orchestrator.flows.claim import Claimed
from tests.model.clock import Clock

# Seconds after which a provider hangs up on whoever passed and says nothing (RFC 5321, 4.5.3.2);
# well below the time after which a hand-over is in doubt, and is asked about.
_HANGS_UP = 300.0

EARLY: dict[str, SendResult] = {
    "greylisted": NotSent("greylisted", "450 later"),
    "ill lane": NotSent("connect", "no answer", lane="park"),
    "refused": Refused("policy", "554 no"),
    "no such user": Refused("no_such_user", "550 5.1.1 no such user", bad_address=True),
}
LATE: dict[str, SendResult] = {
    "refused after all": Refused("content", "554 no"),
    "later after all": NotSent("refused_after_body", "451 later"),
    "lost": Unknown("cut off before the provider had it"),
}


@dataclass(frozen=True)
class Entry:
    """A message that the provider has taken."""

    message: UUID
    enrollment: UUID
    prospect: UUID
    identity: UUID | None
    sender: UUID
    step: str
    kind: str
    recipient: str
    text: str
    digest: str
    rfc: str
    at: datetime


@dataclass
class Hand:
    """One hand-over under way in a worker."""

    claimed: Claimed
    stands: str = "starting"  # connected | passed | taken | over
    orders: asyncio.Future[str] | None = None
    task: asyncio.Task[Any] | None = None
    passed_at: float = 0.0

    async def park(self, at: str) -> str:
        """Stand there until told what to do."""
        self.stands = at
        self.orders = asyncio.get_running_loop().create_future()
        order = await self.orders
        self.stands = "moving"
        return order

    @property
    def waits(self) -> bool:
        """Whether it stands somewhere and can be told."""
        return self.orders is not None and not self.orders.done() and not self.over

    @property
    def over(self) -> bool:
        """Whether it came to its end, or its worker died."""
        return self.task is None or self.task.done()


@dataclass
class Provider:
    """What all workers write to."""

    clock: Clock
    ledger: list[Entry] = field(default_factory=list)
    passed: list[Hand] = field(default_factory=list)  # since the laws last looked
    answers: bool = True  # whether it can be asked

    def has(self, message: UUID) -> bool:
        """Whether the message was taken."""
        return any(entry.message == message for entry in self.ledger)


class Line(FakeChannel):
    """The provider, as one worker reaches it."""

    def __init__(self, provider: Provider, hands: dict[UUID, Hand]) -> None:
        super().__init__(name="email")
        self.provider = provider
        self.hands = hands

    async def send(
        self, account: Account, message: OutboundMessage, pass_point: PassPoint
    ) -> SendResult:
        """Go from place to place as the model says."""
        hand, provider = self.hands[message.message_id], self.provider
        order = await hand.park("connected")
        if order in EARLY:
            return EARLY[order]
        if not await pass_point():
            return Stopped()
        hand.passed_at = provider.clock.steady()
        provider.passed.append(hand)
        order = await hand.park("passed")
        if order in LATE:
            return LATE[order]
        if provider.clock.steady() - hand.passed_at > _HANGS_UP:
            return Unknown("the provider hung up")
        self._take(account, message, hand)
        order = await hand.park("taken")
        ref = f"taken-{message.message_id.hex}"
        return Unknown("no answer") if order == "no answer" else Sent(provider_ref=ref)

    def _take(self, account: Account, message: OutboundMessage, hand: Hand) -> None:
        shown = json.loads(message.payload)
        row = hand.claimed.row
        self.provider.ledger.append(
            Entry(
                message=message.message_id,
                enrollment=row.enrollment_id,
                prospect=row.prospect_id,
                identity=row.identity_id,
                sender=account.id,
                step=row.step,
                kind=row.kind,
                recipient=message.recipient,
                text=shown["text"],
                digest=sha256(message.payload).hexdigest(),
                rfc=shown["id"],
                at=self.provider.clock.now,
            )
        )

    async def find(self, account: Account, message: OutboundMessage) -> Sent | Unknown | None:
        """Whether the provider has it, when it can be asked."""
        if not self.provider.answers:
            return Unknown("it does not answer")
        return Sent("found") if self.provider.has(message.message_id) else None
