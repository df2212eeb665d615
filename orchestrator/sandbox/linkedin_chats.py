"""The operator's HTTP API in the sandbox: chats and their messages.

Below a chat the account may be left out of the path, as both spellings are in use.
"""

from datetime import datetime

from fastapi import APIRouter, Request, Response
from pydantic import BaseModel

from orchestrator.sandbox import linkedin_events as events
from orchestrator.sandbox.linkedin_call import Answer, do, page
from orchestrator.sandbox.linkedin_server import Operator
from orchestrator.sandbox.linkedin_world import Chat, Line, NetworkError, Seat

router = APIRouter(prefix="/sandbox/network/api", include_in_schema=False)


class NewChat(BaseModel):
    """A first message."""

    text: str = ""
    users_ids: list[str]


class NewLine(BaseModel):
    """A further message."""

    text: str = ""


@router.get("/{account}/users/{identifier}/chat")
async def chat_of(request: Request, account: str, identifier: str) -> Response:
    """The chat with a member, 404 when there is none yet."""

    def work(operator: Operator, seat: Seat, _now: datetime) -> Answer:
        member = operator.world.find_member(identifier)
        for chat in operator.world.state.chats.values():
            if chat.seat == seat.id and chat.member == member.id:
                return _chat(chat)
        raise NetworkError(404, "resource_not_found", "there is no chat with them")

    return await do(request, "users.chat", account, work)


def _chat(chat: Chat) -> Answer:
    last = chat.lines[-1].at if chat.lines else None
    return {
        "object": "chat",
        "id": chat.id,
        "account_id": chat.seat,
        "users_ids": [chat.member],
        "attendee_provider_id": chat.member,
        "type": 0,
        "timestamp": events.stamp(last) if last else None,
    }


@router.get("/{account}/chats")
async def list_chats(request: Request, account: str) -> Response:
    """Every chat, the one with the newest message first."""

    def work(operator: Operator, seat: Seat, _now: datetime) -> Answer:
        ours = [each for each in operator.world.state.chats.values() if each.seat == seat.id]
        ours.sort(key=lambda each: each.lines[-1].at, reverse=True)
        return page(request, [_chat(each) for each in ours], "chats")

    return await do(request, "chats.list", account, work)


def _sent(operator: Operator, seat: Seat, line: Line, now: datetime) -> None:
    """What was sent comes back as an event, too."""
    chat = operator.world.state.chats[line.chat]
    operator.hooks.later(events.wrote(seat, chat, line, now))


@router.post("/{account}/chats/send")
async def start_chat(request: Request, account: str, body: NewChat) -> Response:
    """The first message to somebody."""

    def work(operator: Operator, seat: Seat, now: datetime) -> Answer:
        if len(body.users_ids) != 1:
            raise NetworkError(400, "invalid_parameters", "one user in users_ids")
        line = operator.world.send(seat, body.users_ids[0], body.text, now)
        _sent(operator, seat, line, now)
        return {"object": "chat_started", "chat_id": line.chat, "message_id": line.id}

    return await do(request, "chats.send", account, work, 201)


@router.post("/chats/{chat_id}/messages/send")
async def send_line(request: Request, chat_id: str, body: NewLine) -> Response:
    """A further message."""
    return await _send_line(request, None, chat_id, body)


@router.post("/{account}/chats/{chat_id}/messages/send")
async def send_line_by(request: Request, account: str, chat_id: str, body: NewLine) -> Response:
    """The same with the account in the path."""
    return await _send_line(request, account, chat_id, body)


async def _send_line(
    request: Request, account: str | None, chat_id: str, body: NewLine
) -> Response:
    def work(operator: Operator, seat: Seat, now: datetime) -> Answer:
        chat = operator.world.chat(seat, chat_id)
        line = operator.world.send(seat, chat.member, body.text, now)
        _sent(operator, seat, line, now)
        return {"object": "message_sent", "chat_id": chat.id, "message_id": line.id}

    return await do(request, "messages.send", account, work, 201)


@router.get("/chats/{chat_id}/messages")
async def list_lines(request: Request, chat_id: str) -> Response:
    """The messages of a chat, the newest first."""
    return await _list_lines(request, None, chat_id)


@router.get("/{account}/chats/{chat_id}/messages")
async def list_lines_by(request: Request, account: str, chat_id: str) -> Response:
    """The same with the account in the path."""
    return await _list_lines(request, account, chat_id)


async def _list_lines(request: Request, account: str | None, chat_id: str) -> Response:
    def work(operator: Operator, seat: Seat, _now: datetime) -> Answer:
        found = operator.world.chat(seat, chat_id)
        return page(request, [events.line_shape(each, seat) for each in found.lines[::-1]],
                     "messages")  # fmt: skip

    return await do(request, "messages.list", account, work)
