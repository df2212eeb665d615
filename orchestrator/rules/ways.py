"""Which way a message takes: channel, sender and address. Pure.

The prospect's own choice wins, then the channel that the conversation is on, then the order that
the step names. Silence on one channel is no reason to try another: the publisher sees to that.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal
from uuid import UUID

from orchestrator.rules.context import IdentityFacts, PersonFacts


@dataclass(frozen=True, slots=True)
class Seat:
    """A sender, as the choice sees it."""

    id: UUID
    name: str
    channel: str
    display_name: str
    paused: bool = False


@dataclass(frozen=True, slots=True)
class Way:
    """One way to reach one person."""

    seat: Seat
    identity: IdentityFacts


@dataclass(frozen=True, slots=True)
class Connection:
    """How a sender and an address know each other."""

    state: Literal["none", "invited", "connected", "declined", "withdrawn"] = "none"
    invited_at: datetime | None = None
    ended_at: datetime | None = None


def choose_way(
    channels: Sequence[str],
    person: PersonFacts,
    *,
    own: Seat,
    seats: Sequence[Seat],
    used: Mapping[str, UUID],
    last: str | None = None,
) -> Way | None:
    """The way to `person` over `channels`, in order of preference; None when there is none.

    `own` is the enrollment's sender, `used` the sender of each channel that this enrollment has
    written by, `last` the channel of its newest message.
    """
    liked = [person.preferred_channel, last]
    order = [one for one in liked if one is not None and one in channels] + list(channels)
    for channel in dict.fromkeys(order):
        identity = person.identity(channel)
        seat = _seat(channel, own=own, seats=seats, used=used)
        if identity is not None and seat is not None:
            return Way(seat, identity)
    return None


def _seat(
    channel: str, *, own: Seat, seats: Sequence[Seat], used: Mapping[str, UUID]
) -> Seat | None:
    """The same person's seat on `channel` where there is one: a stranger does not carry on."""
    if own.channel == channel:
        return own
    there = sorted((seat for seat in seats if seat.channel == channel), key=lambda s: s.name)
    for seat in there:
        if used.get(channel) == seat.id:
            return seat
    same = [seat for seat in there if seat.display_name == own.display_name]
    open_ones = [seat for seat in same or there if not seat.paused]
    return next(iter(open_ones or same or there), None)


@dataclass(frozen=True, slots=True)
class Ask:
    """Send the invitation first."""


@dataclass(frozen=True, slots=True)
class Await:
    """An invitation is on its way: look again at `until`, when it is to be withdrawn."""

    until: datetime


@dataclass(frozen=True, slots=True)
class Enter:
    """They let us in: the message may go."""


@dataclass(frozen=True, slots=True)
class Barred:
    """A person has to decide: it was not accepted, or may not be asked again before `until`."""

    until: datetime | None
    reason: Literal["not_accepted", "banned"]


def admission(
    connection: Connection,
    *,
    asked_here: bool,
    now: datetime,
    withdraw_after: timedelta,
    ban: timedelta,
) -> Ask | Await | Enter | Barred:
    """What a channel that must be let in allows now. `asked_here`: this step has sent its
    invitation already, and sends no second one (L2)."""
    if connection.state == "connected":
        return Enter()
    if connection.state == "invited":
        until = (connection.invited_at or now) + withdraw_after
        return Await(until) if until > now else Barred(until + ban, "not_accepted")
    if connection.ended_at is not None and connection.ended_at + ban > now:
        return Barred(connection.ended_at + ban, "banned")
    return Barred(None, "not_accepted") if asked_here else Ask()
