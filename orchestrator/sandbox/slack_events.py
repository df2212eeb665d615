"""What Slack tells an app: envelopes of the Events API and payloads of interactivity."""

import json
from typing import Any
from urllib.parse import urlencode
from uuid import uuid4

from orchestrator.sandbox.provider_hooks import Webhook, json_body, slack_signature
from orchestrator.sandbox.slack_world import (
    HOME,
    INVITE_DAYS,
    Conversation,
    Install,
    Invite,
    Message,
    Person,
)

SOURCE = "slack"


def _event(install: Install, event: dict[str, Any], at: float) -> Webhook:
    """The envelope. A copy of it has the same `event_id`, which is what Avtale dedupes by."""
    envelope = {
        "token": "sandbox-verification-token",
        "team_id": install.team_id,
        "api_app_id": install.app_id,
        "event": event,
        "type": "event_callback",
        "event_id": f"Ev{uuid4().hex[:10].upper()}",
        "event_time": int(at),
        "authorizations": [
            {
                "enterprise_id": None,
                "team_id": install.team_id,
                "user_id": install.bot_user,
                "is_bot": True,
                "is_enterprise_install": False,
            }
        ],
        "is_ext_shared_channel": False,
    }
    signed = slack_signature(install.signing_secret)
    return Webhook(SOURCE, install.sender, json_body(envelope), "application/json", signed)


def message_shape(install: Install, message: Message) -> dict[str, Any]:
    """A message as history, events and answers show it."""
    shown: dict[str, Any] = {
        "type": "message",
        "user": message.user,
        "text": message.text,
        "ts": message.ts,
        "team": message.team,
    }
    if message.team != install.team_id:  # somebody elsewhere, in a shared channel
        shown |= {"user_team": message.team, "source_team": message.team}
    if message.blocks:
        shown["blocks"] = message.blocks
    if message.bot_id:
        shown |= {"bot_id": message.bot_id, "app_id": install.app_id}
    else:
        shown["client_msg_id"] = f"sandbox-{message.ts}"
    if message.metadata:
        shown["metadata"] = message.metadata
    if message.thread_ts:
        shown["thread_ts"] = message.thread_ts
    if message.reactions:
        shown["reactions"] = [
            {"name": name, "users": users, "count": len(users)}
            for name, users in message.reactions.items()
        ]
    return shown


def message_event(install: Install, conversation: Conversation, message: Message) -> Webhook:
    """Somebody wrote: the person, or the app itself."""
    event = message_shape(install, message) | {
        "channel": conversation.id,
        "channel_type": "im" if conversation.direct else _kind(conversation),
        "event_ts": message.ts,
    }
    return _event(install, event, float(message.ts))


def _kind(conversation: Conversation) -> str:
    return "group" if conversation.private else "channel"


def reaction_event(
    install: Install,
    conversation: Conversation,
    message: Message,
    person: Person,
    name: str,
    at: float,
) -> Webhook:
    """Somebody reacted to a message."""
    event = {
        "type": "reaction_added",
        "user": person.id,
        "reaction": name,
        "item_user": message.user,
        "item": {"type": "message", "channel": conversation.id, "ts": message.ts},
        "event_ts": f"{at:.6f}",
    }
    return _event(install, event, at)


def invite_shape(invite: Invite, install: Install) -> dict[str, Any]:
    """A Slack Connect invitation."""
    created = int(invite.created.timestamp())
    return {
        "id": invite.id,
        "date_created": created,
        "date_invalid": created + INVITE_DAYS * 86400,
        "inviting_team": {
            "id": install.team_id,
            "name": "Fjord Ledger" if install.team_id == HOME else install.team_id,
            "is_verified": False,
            "domain": install.team_id.lower(),
            "date_created": created,
        },
        "inviting_user": {
            "id": install.bot_user,
            "team_id": install.team_id,
            "name": install.name.lower(),
            "is_bot": True,
            "profile": {"real_name": install.name},
        },
        "recipient_email": invite.email,
        **({"recipient_user_id": invite.user_id} if invite.user_id else {}),
    }


def invite_event(
    install: Install, conversation: Conversation, invite: Invite, person: Person, at: float
) -> Webhook:
    """The invitation was accepted, or declined."""
    whose = "accepting_user" if invite.state == "accepted" else "declining_user"
    event = {
        "type": f"shared_channel_invite_{invite.state}",
        "approval_required": False,
        "invite": invite_shape(invite, install),
        "channel": {
            "id": conversation.id,
            "is_private": conversation.private,
            "is_im": False,
            "name": conversation.name,
        },
        "teams_in_channel": [
            {"id": team, "name": team, "icon": {}, "is_verified": False, "domain": team.lower()}
            for team in (install.team_id, person.team_id)
        ],
        whose: {
            "id": person.id,
            "team_id": person.team_id,
            "name": person.handle,
            "updated": int(at),
            "is_bot": False,
            "profile": {"real_name": person.handle, "email": person.email},
        },
        "event_ts": f"{at:.6f}",
    }
    return _event(install, event, at)


def press_event(
    install: Install,
    conversation: Conversation,
    message: Message,
    person: Person,
    button: dict[str, Any],
    at: float,
    *,
    response_url: str,
) -> Webhook:
    """A button was pressed: a form whose one field is JSON, as interactivity sends it."""
    channel = {"id": conversation.id, "name": conversation.name or "directmessage"}
    payload: dict[str, Any] = {
        "type": "block_actions",
        "user": {
            "id": person.id,
            "username": person.handle,
            "name": person.handle,
            "team_id": person.team_id,
        },
        "api_app_id": install.app_id,
        "token": "sandbox-verification-token",
        "container": {
            "type": "message",
            "message_ts": message.ts,
            "channel_id": conversation.id,
            "is_ephemeral": False,
        },
        "trigger_id": f"{int(at)}.{uuid4().hex[:12]}",
        "team": {"id": install.team_id, "domain": install.team_id.lower()},
        "enterprise": None,
        "is_enterprise_install": False,
        "channel": channel,
        "message": message_shape(install, message),
        "state": {"values": {}},
        "response_url": response_url,
        "actions": [button | {"action_ts": f"{at:.6f}"}],
    }
    body = urlencode({"payload": json.dumps(payload, ensure_ascii=False)}).encode()
    return Webhook(
        *(SOURCE, install.sender, body, "application/x-www-form-urlencoded"),
        slack_signature(install.signing_secret),
    )


def revoked_event(install: Install, at: float) -> Webhook:
    """The workspace took the token away."""
    event = {"type": "tokens_revoked", "tokens": {"oauth": [], "bot": [install.bot_user]}}
    return _event(install, event, at)
