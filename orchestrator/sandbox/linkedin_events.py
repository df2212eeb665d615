"""What the operator of accounts tells: the envelope of Unipile v2, with light payloads."""

from datetime import datetime
from typing import Any
from uuid import uuid4

from orchestrator.sandbox.linkedin_world import Chat, Invitation, Line, Member, Seat
from orchestrator.sandbox.provider_hooks import Webhook, json_body, unipile_signature

SOURCE = "unipile"
PROFILE = "https://www.linkedin.com/in/"


def stamp(at: datetime) -> str:
    """An instant as the provider writes it."""
    return at.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def member_shape(member: Member) -> dict[str, Any]:
    """A member as profiles and relations show them."""
    first, _, last = member.name.partition(" ")
    return {
        "object": "user",
        "id": member.id,
        "provider_id": member.id,
        "public_identifier": member.public_identifier,
        "display_name": member.name,
        "first_name": first,
        "last_name": last,
        "profile_url": f"{PROFILE}{member.public_identifier}/",
    }


def line_shape(line: Line, seat: Seat) -> dict[str, Any]:
    """A message of a chat."""
    return {
        "object": "message",
        "id": line.id,
        "chat_id": line.chat,
        "account_id": seat.id,
        "sender_id": line.sender_id,
        "is_sender": line.sender_id == seat.member_id,
        "text": line.text,
        "created_at": stamp(line.at),
        "timestamp": stamp(line.at),
        "seen": line.seen is not None,
    }


def invitation_shape(invitation: Invitation, member: Member) -> dict[str, Any]:
    """An invitation in the list of those that were sent."""
    return {
        "object": "relation_request",
        "id": invitation.id,
        "type": "sent",
        "status": "pending" if invitation.state == "ignored" else invitation.state,
        "message": invitation.note or None,
        "created_at": stamp(invitation.sent),
        "user_id": member.id,
        "user": member_shape(member),
    }


def _event(seat: Seat, kind: str, payload: dict[str, Any], at: datetime) -> Webhook:
    envelope = {
        "id": f"evt_{uuid4().hex[:24]}",
        "created_at": stamp(at),
        "account_id": seat.id,
        "type": kind,
        "payload": payload,
    }
    signed = unipile_signature(seat.webhook_secret)
    return Webhook(SOURCE, seat.sender, json_body(envelope), "application/json", signed)


def accepted(seat: Seat, invitation: Invitation, member: Member, at: datetime) -> Webhook:
    """The invitation was accepted. In life this may take eight hours."""
    payload = {
        "relation_request_id": invitation.id,
        "request_id": invitation.id,
        "user_id": member.id,
        "user": member_shape(member),
    }
    return _event(seat, "relation.request.accept", payload, at)


def wrote(seat: Seat, chat: Chat, line: Line, at: datetime) -> Webhook:
    """Somebody wrote: the member, or the seat itself, which comes back as an event, too."""
    return _event(seat, "message.new", line_shape(line, seat) | {"message_id": line.id}, at)


def read(seat: Seat, chat: Chat, line: Line, at: datetime) -> Webhook:
    """The member saw a message. Ids only, as in life."""
    payload = {"chat_id": chat.id, "message_id": line.id, "user_id": chat.member}
    return _event(seat, "message.receipt.read", payload, at)


def account_state(seat: Seat, at: datetime) -> Webhook:
    """The account runs again, or has to be reconnected."""
    return _event(seat, f"account.status.{seat.state}", {"status": seat.state}, at)
