"""A LinkedIn-style network in the sandbox, as an operator of accounts (Unipile) shows it.

Every public identifier is a member, except those that begin with `nobody`. Times are the sandbox's
own. Limits are those that the network is known for: invitations a week, notes a month, the length
of a note by tier, and no second invitation within three weeks of a withdrawal.
"""

import hashlib
import os
import secrets
from base64 import urlsafe_b64encode
from datetime import datetime, timedelta
from pathlib import Path
from typing import Literal
from uuid import uuid4

from pydantic import BaseModel

WEEKLY = {"free": 150, "premium": 200}
NOTE_LENGTH = {"free": 200, "premium": 300}
NOTES_A_MONTH = {"free": 5, "premium": 10_000}
BAN = timedelta(days=21)
MOST_TEXT = 8000


class NetworkError(Exception):
    """What the operator answers instead: a status and its own word for it."""

    def __init__(self, status: int, kind: str, detail: str) -> None:
        super().__init__(detail)
        self.status, self.kind, self.detail = status, kind, detail


class Seat(BaseModel):
    """A member's account that the operator works for a sender."""

    id: str
    sender: str
    api_key: str
    webhook_secret: str
    member_id: str
    name: str
    tier: Literal["free", "premium"] = "premium"
    state: str = "running"  # running, disconnected


class Member(BaseModel):
    """Somebody on the network."""

    id: str
    public_identifier: str

    @property
    def name(self) -> str:
        """A name made from the identifier, as far as it tells one."""
        return self.public_identifier.replace("-", " ").title()


class Invitation(BaseModel):
    """A request to connect. `state`: pending, accepted, ignored, withdrawn."""

    id: str
    seat: str
    member: str
    note: str = ""
    sent: datetime
    answered: datetime | None = None
    state: str = "pending"


class Line(BaseModel):
    """One message of a chat."""

    id: str
    chat: str
    sender_id: str
    text: str
    at: datetime
    seen: datetime | None = None


class Chat(BaseModel):
    """The conversation of a seat and a member."""

    id: str
    seat: str
    member: str
    lines: list[Line] = []


class NetworkState(BaseModel):
    """Everything."""

    seats: dict[str, Seat] = {}
    members: dict[str, Member] = {}
    invitations: dict[str, Invitation] = {}
    chats: dict[str, Chat] = {}


def _digest(*words: str, length: int = 20) -> str:
    made = urlsafe_b64encode(hashlib.sha256("\0".join(words).encode()).digest()).decode()
    return made.replace("-", "x").replace("_", "y")[:length]


class Network:
    """The state, and what can be done to it. Raises NetworkError."""

    def __init__(self, file: Path) -> None:
        self._file = file
        try:
            self.state = NetworkState.model_validate_json(file.read_bytes())
        except FileNotFoundError:
            self.state = NetworkState()

    def save(self) -> None:
        """Keep everything: a whole file or the one of before."""
        self._file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        partial = self._file.with_name(f".{self._file.name}.{os.getpid()}")
        partial.write_text(self.state.model_dump_json())
        partial.rename(self._file)

    def open_seat(self, sender: str, name: str, tier: Literal["free", "premium"]) -> Seat:
        """An account for the sender called `sender`; the same one when it is there."""
        found = next((each for each in self.state.seats.values() if each.sender == sender), None)
        if found is not None:
            return found
        made = Seat(
            id=f"acc_{_digest('seat', sender, length=22)}",
            sender=sender,
            api_key=f"sandbox-{secrets.token_hex(12)}",
            webhook_secret=secrets.token_hex(16),
            member_id=f"ACoAA{_digest('own', sender)}",
            name=name,
            tier=tier,
        )
        self.state.seats[made.id] = made
        self.save()
        return made

    def seat(self, account_id: str, api_key: str) -> Seat:
        """The account that a caller may work."""
        if not api_key:
            raise NetworkError(401, "missing_credentials", "no API key came with the request")
        if all(each.api_key != api_key for each in self.state.seats.values()):
            raise NetworkError(401, "invalid_credentials", "this API key is not known")
        found = self.state.seats.get(account_id)
        if found is None or found.api_key != api_key:
            raise NetworkError(404, "resource_not_found", "there is no such account")
        if found.state != "running":
            raise NetworkError(401, "disconnected_account", "the account has to be reconnected")
        return found

    def find_member(self, identifier: str) -> Member:
        """A member by id or public identifier."""
        if identifier in self.state.members:
            return self.state.members[identifier]
        name = identifier.strip().lower()
        if not name or name.startswith(("nobody", "acoaa")) or "/" in name:
            raise NetworkError(404, "resource_not_found", "there is no such member")
        made = Member(id=f"ACoAA{_digest('member', name)}", public_identifier=name)
        return self.state.members.setdefault(made.id, made)

    def connected(self, seat: Seat, member_id: str) -> bool:
        """Whether an invitation of this seat was accepted."""
        return any(each.state == "accepted" and each.member == member_id for each in self._of(seat))

    def _of(self, seat: Seat) -> list[Invitation]:
        return [each for each in self.state.invitations.values() if each.seat == seat.id]

    def invite(self, seat: Seat, member_id: str, note: str, now: datetime) -> Invitation:
        """Ask a member to connect."""
        member = self.state.members.get(member_id)
        if member is None:
            raise NetworkError(422, "invalid_recipient", "the recipient cannot be reached")
        if len(note) > NOTE_LENGTH[seat.tier]:
            raise NetworkError(400, "too_many_characters", "the note is too long for this tier")
        ours = self._of(seat)
        self._refuse_again([each for each in ours if each.member == member_id], now)
        if sum(each.sent > now - timedelta(days=7) for each in ours) >= WEEKLY[seat.tier]:
            raise NetworkError(422, "cannot_resend_yet", "the weekly limit of invitations is met")
        recent = [each for each in ours if each.note and each.sent > now - timedelta(days=30)]
        if note and len(recent) >= NOTES_A_MONTH[seat.tier]:
            raise NetworkError(422, "limit_exceeded", "no notes are left this month")
        made = Invitation(
            id=f"inv_{uuid4().hex[:18]}", seat=seat.id, member=member_id, note=note, sent=now
        )
        self.state.invitations[made.id] = made
        return made

    def _refuse_again(self, before: list[Invitation], now: datetime) -> None:
        for each in before:
            if each.state == "accepted":
                raise NetworkError(422, "already_connected", "they are connected already")
            if each.state in ("pending", "ignored"):
                raise NetworkError(
                    422, "already_invited_recently", "an invitation was sent and not answered"
                )
            if each.answered and now < each.answered + BAN:
                raise NetworkError(422, "cannot_resend_yet", "withdrawn less than three weeks ago")

    def withdraw(self, seat: Seat, invitation_id: str, now: datetime) -> Invitation:
        """Take an invitation back."""
        found = self.state.invitations.get(invitation_id)
        if found is None or found.seat != seat.id or found.state not in ("pending", "ignored"):
            raise NetworkError(404, "resource_not_found", "there is no such invitation")
        found.state, found.answered = "withdrawn", now
        return found

    def accept(self, invitation_id: str, now: datetime) -> Invitation:
        """What the member does; with a note it becomes the first message of a chat."""
        found = self._open(invitation_id)
        found.state, found.answered = "accepted", now
        if found.note:
            seat = self.state.seats[found.seat]
            self.write(self.chat_with(seat, found.member), seat.member_id, found.note, found.sent)
        return found

    def ignore(self, invitation_id: str, now: datetime) -> Invitation:
        """The member does not care; the seat is told nothing."""
        found = self._open(invitation_id)
        found.state, found.answered = "ignored", now
        return found

    def _open(self, invitation_id: str) -> Invitation:
        found = self.state.invitations.get(invitation_id)
        if found is None or found.state != "pending":
            raise NetworkError(404, "resource_not_found", "this invitation is not open")
        return found

    def chat_with(self, seat: Seat, member_id: str) -> Chat:
        """The one chat of a seat and a member."""
        key = f"chat_{_digest('chat', seat.id, member_id, length=18)}"
        return self.state.chats.setdefault(key, Chat(id=key, seat=seat.id, member=member_id))

    def chat(self, seat: Seat, chat_id: str) -> Chat:
        """A chat that this seat is in."""
        found = self.state.chats.get(chat_id)
        if found is None or found.seat != seat.id:
            raise NetworkError(404, "resource_not_found", "there is no such chat")
        return found

    def send(self, seat: Seat, member_id: str, text: str, now: datetime) -> Line:
        """Write to a member who is connected."""
        if not text.strip():
            raise NetworkError(400, "invalid_parameters", "text is required")
        if len(text) > MOST_TEXT:
            raise NetworkError(400, "too_many_characters", "the message is too long")
        if member_id not in self.state.members:
            raise NetworkError(422, "invalid_recipient", "the recipient cannot be reached")
        if not self.connected(seat, member_id):
            raise NetworkError(
                422, "no_connection_with_recipient", "they are not connected to this account"
            )
        return self.write(self.chat_with(seat, member_id), seat.member_id, text, now)

    def write(self, chat: Chat, sender_id: str, text: str, now: datetime) -> Line:
        """Add a message to a chat."""
        line = Line(
            id=f"msg_{uuid4().hex[:20]}", chat=chat.id, sender_id=sender_id, text=text, at=now
        )
        chat.lines.append(line)
        return line
