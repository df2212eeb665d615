"""An in-memory channel for tests. Passes the contract test of the real ones."""

import asyncio
import json
from collections import deque
from dataclasses import dataclass, field

from channels.base import (
    Account,
    Capabilities,
    Draft,
    OutboundMessage,
    PassPoint,
    SendResult,
    Sent,
    Stopped,
    Unknown,
)


@dataclass
class FakeChannel:
    """Keeps what it gets. `script` is taken one at a time: a result that ends the next send before
    `pass_point` (`before`) or after it (`after`)."""

    name: str = "fake"
    capabilities: Capabilities = field(
        default_factory=lambda: Capabilities(threads=True, html=False, subject=True)
    )
    before: deque[SendResult | None] = field(default_factory=deque)
    after: deque[SendResult | None] = field(default_factory=deque)
    sent: list[OutboundMessage] = field(default_factory=list)
    delay: float = 0.0  # seconds between pass_point and the answer
    closed: bool = False

    def canonical(self, address: str) -> str:
        """Lower case, no spaces around. Raises ValueError for nothing and for gaps."""
        made = address.strip().lower()
        if not made or any(character.isspace() or ord(character) < 32 for character in made):
            raise ValueError(f"`{address}` is no address of this channel")
        return made

    def freeze(self, account: Account, draft: Draft) -> bytes:
        """The draft as JSON. Pure; raises ValueError for a line break in the subject."""
        if any(ord(character) < 32 for character in draft.subject + draft.recipient):
            raise ValueError("subject and recipient are one line each")
        shown = {
            "from": account.address,
            "to": draft.recipient,
            "subject": draft.subject,
            "text": draft.text,
            "id": draft.rfc_message_id,
            "in_reply_to": draft.in_reply_to,
        }
        return json.dumps(shown, ensure_ascii=False, sort_keys=True).encode()

    async def send(
        self, account: Account, message: OutboundMessage, pass_point: PassPoint
    ) -> SendResult:
        """Keep the message, or do what the script says."""
        if self.before and (early := self.before.popleft()) is not None:
            return early
        if not await pass_point():
            return Stopped()
        late = self.after.popleft() if self.after else None
        if late is None or isinstance(late, Sent | Unknown):
            self.sent.append(message)
        await asyncio.sleep(self.delay)
        return late or Sent(provider_ref=message.idempotency_key)

    async def close(self) -> None:
        """Nothing to drop."""
        self.closed = True
