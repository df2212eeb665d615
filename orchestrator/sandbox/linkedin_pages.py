"""The sandbox's network as its members see it: invitations to accept or ignore, and chats."""

from typing import Annotated, Any
from urllib.parse import quote

from fastapi import APIRouter, Form, Request
from fastapi.responses import HTMLResponse, RedirectResponse

from orchestrator.db import transaction
from orchestrator.errors import NotFound
from orchestrator.sandbox import linkedin_events, screens
from orchestrator.sandbox.frame import PRESSED, Avtale, frame_of
from orchestrator.sandbox.linkedin_server import Operator, operator_of
from orchestrator.sandbox.linkedin_world import Chat, Member, NetworkError, Seat
from orchestrator.store import sandbox_people
from orchestrator.wiring import App

router = APIRouter(prefix="/sandbox/network", include_in_schema=False)

_TOLD = "“What happens” shows what Avtale makes of it."


@router.get("")
async def overview(request: Request, app: Avtale, member: str = "", said: str = "") -> HTMLResponse:
    """Every member that a seat has met; with `member`, their invitations and chats."""
    operator = operator_of(request)
    listed = await _members(app, operator)
    chosen = next((each for each in listed if each["identifier"] == member), None)
    state = operator.world.state
    mine = chosen["id"] if chosen else None
    return screens.page(
        "network.html",
        **await frame_of(app),
        here="network",
        listed=listed,
        chosen=chosen,
        invitations=[each for each in state.invitations.values() if each.member == mine],
        chats=[each for each in state.chats.values() if each.member == mine],
        seats=state.seats,
        suggestions=screens.suggestions(chosen["language"] if chosen else None),
        said=said,
    )


async def _members(app: App, operator: Operator) -> list[dict[str, Any]]:
    async with transaction(app.engine) as conn:
        known = await sandbox_people.by_address(conn, "linkedin")
    state, made = operator.world.state, []
    for member in state.members.values():
        row = known.get(member.public_identifier, {})
        waiting = sum(
            each.member == member.id and each.state == "pending"
            for each in state.invitations.values()
        )
        unread = sum(
            line.sender_id != member.id and line.seen is None
            for chat in state.chats.values()
            if chat.member == member.id
            for line in chat.lines
        )
        made.append(
            {
                "id": member.id,
                "identifier": member.public_identifier,
                "name": row.get("name") or member.name,
                "company": row.get("company") or "",
                "language": row.get("language"),
                "count": waiting + unread,
            }
        )
    return sorted(made, key=lambda each: str(each["name"]))


def _chat(operator: Operator, chat_id: str) -> tuple[Seat, Chat, Member]:
    chat = operator.world.state.chats.get(chat_id)
    if chat is None:
        raise NotFound("there is no such chat in the sandbox")
    state = operator.world.state
    return state.seats[chat.seat], chat, state.members[chat.member]


def _back(member: Member, said: str) -> RedirectResponse:
    where = f"/sandbox/network?member={quote(member.public_identifier)}&said={quote(said)}"
    return RedirectResponse(where, 303)


@router.post("/invitations/{invitation_id}/{answer}", dependencies=PRESSED)
async def answer_invitation(request: Request, invitation_id: str, answer: str) -> RedirectResponse:
    """Accept an invitation, or ignore it, of which the sender learns nothing."""
    operator, now = operator_of(request), await operator_of(request).now()
    doing = {"accept": operator.world.accept, "ignore": operator.world.ignore}.get(answer)
    if doing is None:
        raise NotFound("an invitation is accepted or ignored")
    try:
        found = doing(invitation_id, now)
    except NetworkError as error:
        raise NotFound(error.detail) from None
    operator.world.save()
    state = operator.world.state
    member = state.members[found.member]
    if answer == "ignore":
        return _back(member, "Ignored. Avtale hears nothing of it, and takes it back in time.")
    event = linkedin_events.accepted(state.seats[found.seat], found, member, now)
    await operator.hooks.send(event)
    return _back(member, f"Accepted: you are connected. {_TOLD}")


@router.post("/chats/{chat_id}/messages", dependencies=PRESSED)
async def write(
    request: Request, chat_id: str, text: Annotated[str, Form(max_length=5000)] = ""
) -> RedirectResponse:
    """Write as the member."""
    operator = operator_of(request)
    seat, chat, member = _chat(operator, chat_id)
    if not text.strip():
        return _back(member, "Nothing done: the message is empty.")
    now = await operator.now()
    line = operator.world.write(chat, member.id, text.strip(), now)
    operator.world.save()
    await operator.hooks.send(linkedin_events.wrote(seat, chat, line, now))
    return _back(member, f"Sent. {_TOLD}")


@router.post("/chats/{chat_id}/read", dependencies=PRESSED)
async def read(request: Request, chat_id: str) -> RedirectResponse:
    """See what was written: a read receipt, which says little about who looked."""
    operator = operator_of(request)
    seat, chat, member = _chat(operator, chat_id)
    now = await operator.now()
    unread = [each for each in chat.lines if each.sender_id != member.id and each.seen is None]
    for line in unread:
        line.seen = now
    operator.world.save()
    if unread:
        await operator.hooks.send(linkedin_events.read(seat, chat, unread[-1], now))
    return _back(member, "Seen.")
