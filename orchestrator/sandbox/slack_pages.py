"""The sandbox's Slack as its people see it: messages with buttons, reactions, invitations."""

from typing import Annotated, Any
from urllib.parse import quote

from fastapi import APIRouter, Form, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response

from orchestrator.db import transaction
from orchestrator.errors import BadInput, NotFound
from orchestrator.sandbox import screens, slack_events, slack_screens
from orchestrator.sandbox.frame import PRESSED, Avtale, frame_of
from orchestrator.sandbox.slack_server import Slack, slack_of
from orchestrator.sandbox.slack_world import (
    Conversation,
    Install,
    Invite,
    Message,
    Person,
    SlackError,
)
from orchestrator.store import sandbox_people
from orchestrator.wiring import App

router = APIRouter(prefix="/sandbox/slack", include_in_schema=False)

_REACTIONS = {"+1": "👍", "eyes": "👀", "tada": "🎉", "-1": "👎"}


@router.get("")
async def overview(request: Request, app: Avtale, person: str = "", said: str = "") -> HTMLResponse:
    """Everybody on Slack; with `person` (an email address), their messages and invitations."""
    slack = slack_of(request)
    listed = await _people(app, slack)
    chosen = next((each for each in listed if each["email"] == person), None)
    return screens.page(
        "slack.html",
        **await frame_of(app),
        here="slack",
        listed=listed,
        chosen=chosen,
        conversations=_conversations(slack, person) if chosen else [],
        invites=[each for each in _waiting(slack) if each.email == person],
        installs=slack.world.state.installs,
        reactions=_REACTIONS,
        suggestions=screens.suggestions(chosen["language"] if chosen else None),
        said=said,
    )


def _waiting(slack: Slack) -> list[Invite]:
    return [each for each in slack.world.state.invites.values() if each.state == "sent"]


async def _people(app: App, slack: Slack) -> list[dict[str, Any]]:
    """Everybody that an app has looked up or invited, with what waits for them."""
    async with transaction(app.engine) as conn:
        known = await sandbox_people.by_address(conn, "slack")
    counts: dict[str, int] = {each.email: 0 for each in slack.world.state.people.values()}
    for invite in _waiting(slack):
        counts[invite.email] = counts.get(invite.email, 0) + 1
    for conversation in slack.world.state.conversations.values():
        news = sum(each.bot_id is not None for each in conversation.messages)
        for member in conversation.people:
            counts[slack.world.state.people[member].email] += news
    made = []
    for email, count in counts.items():
        row = known.get(email) or _by_id(known, slack, email) or {}
        made.append(
            {
                "email": email,
                "name": row.get("name") or email,
                "company": row.get("company") or "",
                "language": row.get("language"),
                "count": count,
            }
        )
    return sorted(made, key=lambda each: str(each["name"]))


def _by_id(known: dict[str, dict[str, Any]], slack: Slack, email: str) -> dict[str, Any] | None:
    """Somebody whose identity is a workspace and a user."""
    for person in slack.world.state.people.values():
        if person.email == email and (row := known.get(f"{person.team_id}:{person.id}")):
            return row
    return None


def _conversations(slack: Slack, email: str) -> list[dict[str, Any]]:
    """Conversations of one person, each with its messages as a page draws them."""
    state, made = slack.world.state, []
    for conversation in state.conversations.values():
        members = [state.people[each] for each in conversation.people]
        me = next((each for each in members if each.email == email), None)
        if me is None:
            continue
        install = state.installs[conversation.token]
        made.append(
            {
                "id": conversation.id,
                "title": "" if conversation.direct else conversation.name,
                "app": install,
                "me": me,
                "messages": [
                    {
                        "message": each,
                        "mine": each.user == me.id,
                        "blocks": slack_screens.shown(each.blocks, each.text),
                    }
                    for each in conversation.messages
                ],
            }
        )
    return made


def _find(slack: Slack, channel: str) -> tuple[Install, Conversation, Person]:
    conversation = slack.world.state.conversations.get(channel)
    if conversation is None or not conversation.people:
        raise NotFound("there is no such conversation in the sandbox")
    install = slack.world.state.installs[conversation.token]
    return install, conversation, slack.world.state.people[conversation.people[0]]


def _message(slack: Slack, conversation: Conversation, ts: str) -> Message:
    try:
        return slack.world.message(conversation, ts)
    except SlackError:
        raise NotFound("there is no such message in the sandbox") from None


def _back(email: str, said: str) -> RedirectResponse:
    return RedirectResponse(f"/sandbox/slack?person={quote(email)}&said={quote(said)}", 303)


_TOLD = "“What happens” shows what Avtale makes of it."


@router.post("/conversations/{channel}/messages", dependencies=PRESSED)
async def write(
    request: Request, channel: str, text: Annotated[str, Form(max_length=5000)] = ""
) -> RedirectResponse:
    """Write as the person."""
    slack = slack_of(request)
    install, conversation, person = _find(slack, channel)
    if not text.strip():
        return _back(person.email, "Nothing done: the message is empty.")
    now = await slack.now()
    message = slack.world.post(conversation, now, person.id, _escaped(text.strip()))
    slack.world.save()
    await slack.hooks.send(slack_events.message_event(install, conversation, message))
    return _back(person.email, f"Sent. {_TOLD}")


def _escaped(text: str) -> str:
    """As Slack's own clients write it."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


@router.post("/conversations/{channel}/messages/{ts}/press", dependencies=PRESSED)
async def press(
    request: Request, channel: str, ts: str, action: Annotated[str, Form(max_length=255)]
) -> RedirectResponse:
    """Press a button of a message."""
    slack = slack_of(request)
    install, conversation, person = _find(slack, channel)
    message = _message(slack, conversation, ts)
    pressed = slack_screens.button(message.blocks, action)
    if pressed is None:
        raise BadInput("the message has no such button")
    message.pressed = action
    slack.world.save()
    at = (await slack.now()).timestamp()
    url = f"{slack.app.settings.base_url}/sandbox/slack/response/{conversation.id}"
    await slack.hooks.send(
        slack_events.press_event(
            install, conversation, message, person, pressed, at, response_url=url
        )
    )
    return _back(person.email, f"Pressed “{pressed['text']['text']}”. {_TOLD}")


@router.post("/conversations/{channel}/messages/{ts}/react", dependencies=PRESSED)
async def react(
    request: Request, channel: str, ts: str, name: Annotated[str, Form(max_length=40)]
) -> RedirectResponse:
    """React to a message."""
    slack = slack_of(request)
    install, conversation, person = _find(slack, channel)
    message = _message(slack, conversation, ts)
    if name not in _REACTIONS:
        raise BadInput("the sandbox has a few reactions only")
    if person.id not in message.reactions.setdefault(name, []):
        message.reactions[name].append(person.id)
        slack.world.save()
        at = (await slack.now()).timestamp()
        await slack.hooks.send(
            slack_events.reaction_event(install, conversation, message, person, name, at)
        )
    return _back(person.email, f"Reacted with {_REACTIONS[name]}. {_TOLD}")


@router.post("/invites/{invite_id}/{answer}", dependencies=PRESSED)
async def answer_invite(request: Request, invite_id: str, answer: str) -> RedirectResponse:
    """Accept a Slack Connect invitation, or decline it."""
    slack, now = slack_of(request), await slack_of(request).now()
    doing = {"accept": slack.world.accept, "decline": slack.world.decline}.get(answer)
    if doing is None:
        raise NotFound("an invitation is accepted or declined")
    try:
        invite, person = doing(invite_id, now)
    except SlackError:
        raise NotFound("this invitation is not open") from None
    slack.world.save()
    install = slack.world.state.installs[invite.token]
    conversation = slack.world.state.conversations[invite.channel]
    await slack.hooks.send(
        slack_events.invite_event(install, conversation, invite, person, now.timestamp())
    )
    words = "Accepted: the message may come now" if answer == "accept" else "Declined"
    return _back(invite.email, f"{words}. {_TOLD}")


@router.post("/response/{channel}")
async def respond(channel: str) -> Response:
    """Where an app may answer a press (response_url); taken, and not shown."""
    return Response(status_code=200)
