"""The methods of Slack's Web API that Avtale's channel calls, on the sandbox's own state."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from orchestrator.sandbox import slack_events as events
from orchestrator.sandbox.provider_hooks import Webhook
from orchestrator.sandbox.slack_world import Conversation, Install, Message, SlackError, SlackWorld

_MOST_TEXT, _MOST_BLOCKS = 40_000, 50


@dataclass
class Call:
    """One call: who, with what, when, and the webhooks that it sets off."""

    world: SlackWorld
    install: Install
    arguments: dict[str, Any]
    now: datetime
    webhooks: list[Webhook]

    def need(self, name: str, error: str = "invalid_arguments") -> str:
        """An argument that must be there."""
        value = self.arguments.get(name)
        if not isinstance(value, str) or not value:
            raise SlackError(error)
        return value

    def conversation(self) -> Conversation:
        """The conversation that `channel` names."""
        return self.world.conversation(self.need("channel", "channel_not_found"), self.install)


Answer = dict[str, Any]
Method = Callable[[Call], Answer]


def _auth_test(call: Call) -> Answer:
    install = call.install
    return {
        "url": f"https://{install.team_id.lower()}.slack.com/",
        "team": install.team_id,
        "user": install.name.lower(),
        "team_id": install.team_id,
        "user_id": install.bot_user,
        "bot_id": install.bot_id,
        "is_enterprise_install": False,
    }


def _lookup(call: Call) -> Answer:
    found = call.world.find_person(call.need("email", "users_not_found"), call.install.team_id)
    return {"user": _user(call, found.id)}


def _user_info(call: Call) -> Answer:
    return {"user": _user(call, call.need("user", "user_not_found"))}


def _user(call: Call, user_id: str) -> Answer:
    person = call.world.person(user_id)
    return {
        "id": person.id,
        "team_id": person.team_id,
        "name": person.handle,
        "deleted": False,
        "real_name": person.handle,
        "is_bot": False,
        "profile": {"email": person.email, "real_name": person.handle, "team": person.team_id},
    }


def _listed(call: Call, name: str) -> list[str]:
    """An argument that is a list in JSON and separated by commas elsewhere."""
    value = call.arguments.get(name) or []
    parts = value if isinstance(value, list) else str(value).split(",")
    return [str(each).strip() for each in parts if str(each).strip()]


def _open(call: Call) -> Answer:
    names = _listed(call, "users")
    if call.arguments.get("channel"):
        return {"channel": {"id": call.conversation().id}}
    if len(names) != 1:
        raise SlackError("users_list_not_supplied" if not names else "too_many_users")
    made = call.world.open_direct(call.install, names[0], call.now)
    return {"no_op": bool(made.messages), "channel": {"id": made.id}}


def _create(call: Call) -> Answer:
    private = str(call.arguments.get("is_private", "")).lower() in ("true", "1")
    name = call.need("name", "invalid_name_required")
    made = call.world.create_channel(call.install, name, private=private, now=call.now)
    return {"channel": _channel(call, made)}


def _channel(call: Call, conversation: Conversation) -> Answer:
    elsewhere = [
        each
        for each in conversation.people
        if call.world.state.people[each].team_id != call.install.team_id
    ]
    waiting = [
        each
        for each in call.world.state.invites.values()
        if each.channel == conversation.id and each.state == "sent"
    ]
    return {
        "id": conversation.id,
        "name": conversation.name,
        "is_channel": not conversation.direct,
        "is_im": conversation.direct,
        "is_private": conversation.private,
        "is_archived": conversation.archived,
        "is_ext_shared": bool(elsewhere),
        "is_pending_ext_shared": bool(waiting),
        "pending_connected_team_ids": [],
        "created": int(conversation.created.timestamp()),
        "creator": call.install.bot_user,
        "num_members": 1 + len(conversation.people),
    }


def _info(call: Call) -> Answer:
    return {"channel": _channel(call, call.conversation())}


def _list(call: Call) -> Answer:
    ours = [
        _channel(call, each)
        for each in call.world.state.conversations.values()
        if each.token == call.install.token and not each.direct
    ]
    return {"channels": ours, "response_metadata": {"next_cursor": ""}}


def _members(call: Call) -> Answer:
    found = call.conversation()
    return {
        "members": [call.install.bot_user, *found.people],
        "response_metadata": {"next_cursor": ""},
    }


def _invite_shared(call: Call) -> Answer:
    listed, known = _listed(call, "emails"), _listed(call, "user_ids")
    if len(listed) + len(known) != 1:
        raise SlackError("invalid_arguments")
    email = listed[0] if listed else call.world.person(known[0]).email
    invite = call.world.invite(call.install, call.conversation(), email, call.now)
    return {
        "invite_id": invite.id,
        "conf_code": invite.id[-8:].lower(),
        "url": f"https://join.slack.com/share/{invite.id}",
        "is_legacy_shared_channel": False,
    }


def _list_invites(call: Call) -> Answer:
    invites = []
    for each in call.world.state.invites.values():
        if each.token != call.install.token:
            continue
        channel = call.world.state.conversations[each.channel]
        accepting = each.user_id if each.state == "accepted" else None
        invites.append(
            {
                "direction": "outgoing",
                "status": each.state,
                "date_last_updated": int((each.answered or each.created).timestamp()),
                "invite_type": "channel",
                "channel": {"id": channel.id, "name": channel.name},
                "invite": events.invite_shape(each, call.install),
                "acceptances": [
                    {
                        "approval_status": "approved",
                        "date_accepted": int((each.answered or each.created).timestamp()),
                        "accepting_user": _user(call, accepting),
                    }
                ]
                if accepting
                else [],
            }
        )
    return {"invites": invites, "response_metadata": {"next_cursor": ""}}


def _revoke_invite(call: Call) -> Answer:
    invite = call.world.state.invites.get(call.need("invite_id", "invite_not_found"))
    if invite is None or invite.token != call.install.token or invite.state != "sent":
        raise SlackError("invite_not_found")
    invite.state = "revoked"
    return {}


def _archive(call: Call) -> Answer:
    found = call.conversation()
    if found.archived:
        raise SlackError("already_archived")
    found.archived = True
    for invite in call.world.state.invites.values():
        if invite.channel == found.id and invite.state == "sent":
            invite.state = "revoked"
    return {}


def _post(call: Call) -> Answer:
    found = call.conversation()
    text, blocks = str(call.arguments.get("text") or ""), call.arguments.get("blocks") or []
    if not text and not blocks:
        raise SlackError("no_text")
    if len(text) > _MOST_TEXT:
        raise SlackError("msg_too_long")
    if not isinstance(blocks, list) or len(blocks) > _MOST_BLOCKS:
        raise SlackError("invalid_blocks")
    metadata = call.arguments.get("metadata") or None
    if metadata is not None and not {"event_type", "event_payload"} <= set(metadata):
        raise SlackError("invalid_metadata_format")
    message = call.world.post(
        *(found, call.now, call.install.bot_user, text),
        bot_id=call.install.bot_id,
        blocks=blocks,
        metadata=metadata,
        thread_ts=call.arguments.get("thread_ts"),
    )
    call.webhooks.append(events.message_event(call.install, found, message))
    shown = events.message_shape(call.install, message)
    return {"channel": found.id, "ts": message.ts, "message": shown}


def _update(call: Call) -> Answer:
    found = call.conversation()
    message = call.world.message(found, call.need("ts", "message_not_found"))
    if message.bot_id != call.install.bot_id:
        raise SlackError("cant_update_message")
    message.text = str(call.arguments.get("text") or message.text)
    message.blocks = call.arguments.get("blocks") or message.blocks
    return {"channel": found.id, "ts": message.ts, "text": message.text}


def _history(call: Call) -> Answer:
    return _messages(call, call.conversation().messages)


def _replies(call: Call) -> Answer:
    thread = call.need("ts", "thread_not_found")
    found = [each for each in call.conversation().messages if thread in (each.ts, each.thread_ts)]
    return _messages(call, found[::-1])


def _messages(call: Call, found: list[Message]) -> Answer:
    """The newest first, between `oldest` and `latest`, `limit` at a time."""
    try:
        oldest = float(call.arguments.get("oldest") or 0)
        latest = float(call.arguments.get("latest") or math.inf)
        limit = min(999, int(call.arguments.get("limit") or 100))
        start = int(call.arguments.get("cursor") or 0)
    except ValueError:
        raise SlackError("invalid_arguments") from None
    with_metadata = str(call.arguments.get("include_all_metadata", "")).lower() in ("true", "1")
    fitting = [each for each in found[::-1] if oldest <= float(each.ts) <= latest]
    shown = [events.message_shape(call.install, each) for each in fitting[start : start + limit]]
    for each in shown:
        if not with_metadata:
            each.pop("metadata", None)
    more = len(fitting) > start + limit
    cursor = str(start + limit) if more else ""
    return {
        "messages": shown,
        "has_more": more,
        "response_metadata": {"next_cursor": cursor},
    }


METHODS: dict[str, tuple[int, Method]] = {
    "api.test": (4, lambda _call: {}),
    "auth.test": (4, _auth_test),
    "users.lookupByEmail": (3, _lookup),
    "users.info": (4, _user_info),
    "conversations.open": (3, _open),
    "conversations.create": (2, _create),
    "conversations.info": (3, _info),
    "conversations.list": (2, _list),
    "conversations.members": (4, _members),
    "conversations.inviteShared": (2, _invite_shared),
    "conversations.listConnectInvites": (2, _list_invites),
    "conversations.declineSharedInvite": (2, _revoke_invite),
    "conversations.archive": (2, _archive),
    "conversations.history": (3, _history),
    "conversations.replies": (3, _replies),
    "chat.postMessage": (4, _post),
    "chat.update": (3, _update),
}
