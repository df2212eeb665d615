"""What the contract test wants to know about a channel, and of its provider's side.

Each channel of the registry has one: those that ship in `test_contract.py`, and a channel that is
added in `tests/channels/<name>/bench.py`, as `async def bench(stack: AsyncExitStack) -> Bench`.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from channels.base import Account, Channel, Draft, OutboundMessage
from tests.channels.make import draft, message


@dataclass
class Bench:
    """A channel, an account, and the provider's side of it."""

    channel: Channel
    account: Account
    arrived: Callable[[], int]
    break_early: Callable[[], None]
    break_late: Callable[[], None]
    hang_late: Callable[[], None]
    spelling: tuple[str, str] = (" Ola@Prospect.EXAMPLE ", "ola@prospect.example")
    person: str = "p{}@prospect.example"

    def draft(self, **values: Any) -> Draft:
        """A first message to the person of `spelling`."""
        return draft(**{"recipient": self.spelling[1]} | values)

    def message(self, **values: Any) -> OutboundMessage:
        """The same, frozen."""
        return message(self.channel, self.account, **{"recipient": self.spelling[1]} | values)
