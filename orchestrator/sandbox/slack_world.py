"""Slack in the sandbox: workspaces, people, conversations and invitations, kept in one file.

Everybody with an email address is somewhere on Slack, except whoever is called `nobody...`. Times
are the sandbox's own, so that what a provider dates and what Avtale expects agree.
"""

import hashlib
import os
import secrets
from base64 import b32encode
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from pydantic import BaseModel, Field

HOME = "T0FJORDLEDG"  # the workspace that the demo's app was made in
INVITE_DAYS = 14
SCOPES = (
    "chat:write,channels:manage,groups:read,groups:write,im:write,im:history,groups:history,"
    "conversations.connect:write,conversations.connect:manage,users:read,users:read.email"
)


class SlackError(Exception):
    """What Slack answers instead; the message is Slack's word for it."""


class Install(BaseModel):
    """An app in a workspace, with what its owner copies into Avtale."""

    sender: str
    team_id: str
    token: str
    signing_secret: str
    app_id: str
    bot_id: str
    bot_user: str
    name: str
    scopes: str = SCOPES
    revoked: bool = False


class Person(BaseModel):
    """Somebody in a workspace."""

    id: str
    team_id: str
    email: str

    @property
    def handle(self) -> str:
        """The name that a workspace would show."""
        return self.email.partition("@")[0]


class Message(BaseModel):
    """One message of a conversation. `pressed`: the button that was pressed last."""

    ts: str
    user: str
    team: str
    bot_id: str | None = None
    text: str = ""
    blocks: list[dict[str, Any]] = []
    metadata: dict[str, Any] | None = None
    thread_ts: str | None = None
    reactions: dict[str, list[str]] = {}
    pressed: str | None = None


class Conversation(BaseModel):
    """A direct message, or a channel that may be shared with another workspace."""

    id: str
    token: str  # of the app that opened it
    name: str = ""
    direct: bool = False
    private: bool = True
    archived: bool = False
    created: datetime
    people: list[str] = []  # ids; the bot is always in
    messages: list[Message] = []


class Invite(BaseModel):
    """A Slack Connect invitation by email or to a known user."""

    id: str
    token: str
    channel: str
    email: str
    user_id: str | None = None
    created: datetime
    answered: datetime | None = None
    state: str = "sent"  # sent, accepted, declined, revoked


class SlackState(BaseModel):
    """Everything."""

    installs: dict[str, Install] = Field(default={}, description="by token")
    people: dict[str, Person] = {}
    conversations: dict[str, Conversation] = {}
    invites: dict[str, Invite] = {}
    last_ts: float = 0


def made_id(letter: str, *words: str) -> str:
    """An id as Slack has them, the same for the same words."""
    digest = hashlib.sha256("\0".join(words).encode()).digest()
    return letter + "0" + b32encode(digest).decode()[:9]


class SlackWorld:
    """The state, and what can be done to it. Raises SlackError with Slack's own words."""

    def __init__(self, file: Path) -> None:
        self._file = file
        try:
            self.state = SlackState.model_validate_json(file.read_bytes())
        except FileNotFoundError:
            self.state = SlackState()

    def save(self) -> None:
        """Keep everything: a whole file or the one of before."""
        self._file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        partial = self._file.with_name(f".{self._file.name}.{os.getpid()}")
        partial.write_text(self.state.model_dump_json())
        partial.rename(self._file)

    def install(self, sender: str, team_id: str, name: str = "Avtale") -> Install:
        """Install an app for the sender called `sender`; the same one when it is there."""
        found = next((each for each in self.state.installs.values() if each.sender == sender), None)
        if found is not None:
            return found
        made = Install(
            sender=sender,
            team_id=team_id,
            token=f"xoxb-sandbox-{secrets.token_hex(12)}",
            signing_secret=secrets.token_hex(16),
            app_id=made_id("A", sender),
            bot_id=made_id("B", sender),
            bot_user=made_id("U", "bot", sender),
            name=name,
        )
        self.state.installs[made.token] = made
        self.save()
        return made

    def by_token(self, token: str) -> Install:
        """The app that holds `token`."""
        found = self.state.installs.get(token)
        if found is None:
            raise SlackError("invalid_auth" if token else "not_authed")
        if found.revoked:
            raise SlackError("token_revoked")
        return found

    def find_person(self, email: str, team_id: str) -> Person:
        """The person with `email` in a workspace."""
        email = email.strip().lower()
        if "@" not in email or email.startswith("nobody"):
            raise SlackError("users_not_found")
        made = Person(id=made_id("U", team_id, email), team_id=team_id, email=email)
        return self.state.people.setdefault(made.id, made)

    def person(self, user_id: str) -> Person:
        """The person with this id."""
        if user_id not in self.state.people:
            raise SlackError("user_not_found")
        return self.state.people[user_id]

    def conversation(self, channel: str, install: Install) -> Conversation:
        """A conversation that this app sees."""
        found = self.state.conversations.get(channel)
        if found is None or found.token != install.token:
            raise SlackError("channel_not_found")
        return found

    def open_direct(self, install: Install, user_id: str, now: datetime) -> Conversation:
        """The direct message with a person of the app's workspace."""
        if self.person(user_id).team_id != install.team_id:
            raise SlackError("user_not_found")
        made = Conversation(
            id=made_id("D", install.token, user_id),
            token=install.token,
            direct=True,
            created=now,
            people=[user_id],
        )
        return self.state.conversations.setdefault(made.id, made)

    def create_channel(
        self, install: Install, name: str, *, private: bool, now: datetime
    ) -> Conversation:
        """A channel of the app's own."""
        if not name or len(name) > 80 or name != name.lower() or " " in name or "." in name:
            raise SlackError("invalid_name_specials" if name else "invalid_name_required")
        ours = [each for each in self.state.conversations.values() if each.token == install.token]
        if any(each.name == name for each in ours):
            raise SlackError("name_taken")
        made = Conversation(
            id=made_id("C", install.token, name),
            token=install.token,
            name=name,
            private=private,
            created=now,
        )
        self.state.conversations[made.id] = made
        return made

    def invite(self, install: Install, channel: Conversation, email: str, now: datetime) -> Invite:
        """Ask somebody elsewhere to share a channel."""
        email = email.strip().lower()
        if "@" not in email:
            raise SlackError("invalid_email")
        made = Invite(
            id=made_id("I", channel.id, email, str(len(self.state.invites))),
            token=install.token,
            channel=channel.id,
            email=email,
            created=now,
        )
        self.state.invites[made.id] = made
        return made

    def accept(self, invite_id: str, now: datetime) -> tuple[Invite, Person]:
        """What the invited person's workspace does."""
        invite = self._open_invite(invite_id)
        if now > invite.created + timedelta(days=INVITE_DAYS):
            raise SlackError("invite_expired")
        person = self.find_person(invite.email, team_of(invite.email))
        invite.state, invite.user_id, invite.answered = "accepted", person.id, now
        people = self.state.conversations[invite.channel].people
        if person.id not in people:
            people.append(person.id)
        return invite, person

    def decline(self, invite_id: str, now: datetime) -> tuple[Invite, Person]:
        """No, thank you."""
        invite = self._open_invite(invite_id)
        invite.state, invite.answered = "declined", now
        return invite, self.find_person(invite.email, team_of(invite.email))

    def _open_invite(self, invite_id: str) -> Invite:
        invite = self.state.invites.get(invite_id)
        if invite is None or invite.state != "sent":
            raise SlackError("invite_not_found")
        return invite

    def post(
        self, conversation: Conversation, now: datetime, user: str, text: str, **rest: Any
    ) -> Message:
        """Add a message. Its `ts` is its id, and no two are the same."""
        if conversation.archived:
            raise SlackError("is_archived")
        at = max(now.timestamp(), self.state.last_ts + 0.000_01)
        self.state.last_ts = at
        writer = self.state.people.get(user)
        team = writer.team_id if writer else self.state.installs[conversation.token].team_id
        message = Message(ts=f"{at:.6f}", user=user, team=team, text=text, **rest)
        conversation.messages.append(message)
        return message

    def message(self, conversation: Conversation, ts: str) -> Message:
        """The message that `ts` names."""
        for each in conversation.messages:
            if each.ts == ts:
                return each
        raise SlackError("message_not_found")


def team_of(email: str) -> str:
    """The workspace of a company, for people that live in one of their own."""
    return made_id("T", email.rpartition("@")[2])
