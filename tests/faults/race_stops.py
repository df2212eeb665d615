"""The stops that race with a hand-over, each as the product makes it."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection

from channels.base import ChannelEvent
from orchestrator.flows.engage import engage
from orchestrator.flows.pause_person import pause_person
from orchestrator.flows.pause_sender import pause_sender
from orchestrator.flows.set_sequence_state import set_sequence_state
from orchestrator.flows.stop_person import stop_person
from orchestrator.flows.suppress_address import suppress_address
from orchestrator.flows.take_event import take_event
from orchestrator.flows.take_events import take_events
from orchestrator.keys import Keys
from orchestrator.rules import event_json
from orchestrator.store.arrivals import Arrival
from tests.make import NOW


@dataclass
class Race:
    """One prospect with a message of their own, and what is going to stop it."""

    kind: str
    prospect: UUID
    enrollment: UUID
    sender: UUID
    sequence: UUID
    sender_name: str
    sequence_name: str
    later: bool  # the stop starts when the message is claimed
    stop_delay: float
    pass_delay: float
    linger: float
    message: UUID | None = None
    rfc: str = ""
    identity: UUID | None = None


Stop = Callable[[AsyncConnection, Keys, Race], Awaitable[Any]]


async def _opt_out(conn: AsyncConnection, _keys: Keys, race: Race) -> None:
    await stop_person(conn, prospect_id=race.prospect, reason="opt_out", now=NOW)


async def _person(conn: AsyncConnection, _keys: Keys, race: Race) -> None:
    await pause_person(conn, prospect_id=race.prospect, now=NOW)


async def _sequence(conn: AsyncConnection, _keys: Keys, race: Race) -> None:
    await set_sequence_state(conn, name=race.sequence_name, state="paused", now=NOW)


async def _sender(conn: AsyncConnection, _keys: Keys, race: Race) -> None:
    await pause_sender(conn, name=race.sender_name, reason="a race", now=NOW)


async def _tap(conn: AsyncConnection, keys: Keys, race: Race) -> None:
    """An answer that is read at once."""
    await engage(
        conn,
        keys,
        prospect_id=race.prospect,
        kind="tap",
        grade="human",
        meaning="no",
        happened_at=NOW,
        now=NOW,
    )


async def _reply(conn: AsyncConnection, _keys: Keys, race: Race) -> None:
    """An answer by mail that is stored, and that nobody has read yet."""
    raw = f"From: ola@prospect.example\r\nIn-Reply-To: {race.rfc}\r\n\r\nNo".encode()
    one = str(race.prospect)
    await take_event(conn, source="mail", external_id=one, kind="mail", raw=raw, detail={}, now=NOW)


async def _event(conn: AsyncConnection, _keys: Keys, race: Race) -> None:
    """An answer by a provider's webhook that is stored, and that nobody has read yet."""
    event = ChannelEvent(
        "message", f"{race.prospect}", occurred_at=NOW, message_id=race.message, text="No"
    )
    detail = {"event": event_json.encode(event)}
    arrival = Arrival("testing", event.external_id, event.kind, "signed", race.sender, b"", detail)
    await take_events(conn, [arrival], now=NOW)


async def _bounce(conn: AsyncConnection, _keys: Keys, race: Race) -> None:
    assert race.identity is not None
    await suppress_address(conn, identity_id=race.identity, now=NOW)


STOPS: dict[str, Stop] = {
    "opt-out": _opt_out,
    "pause of the person": _person,
    "pause of the sequence": _sequence,
    "pause of the sender": _sender,
    "answer": _tap,
    "mail stored": _reply,
    "event stored": _event,
    "bounce": _bounce,
}
