"""Messages: what was, is or will be sent, and the words that were frozen at the first attempt."""

from datetime import datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from fastapi import APIRouter, Query

from orchestrator.api.paging import Page, Paging
from orchestrator.api.parts import Avtale, reach
from orchestrator.api.problems import responses
from orchestrator.api.reading import read_page
from orchestrator.api.shapes import Out
from orchestrator.db import transaction
from orchestrator.errors import NotFound
from orchestrator.models.messages import messages
from orchestrator.store import listing

router = APIRouter(prefix="/api/messages", tags=["messages"])

State = Literal[
    "pending",
    "leased",
    "sending",
    "sent",
    "retry_wait",
    "failed",
    "in_doubt",
    "abandoned",
    "cancelled",
    "suppressed",
]


class Message(Out):
    """One message to one address. `handed_at` is the point of no return, `settled_at` the end."""

    id: UUID
    enrollment_id: UUID
    prospect_id: UUID
    step: str
    kind: str
    channel: str
    sender_id: UUID
    identity_id: UUID | None
    unlock_id: UUID | None
    booking_id: UUID | None
    thread_of: UUID | None
    state: str
    due_at: datetime
    attempt: int
    rfc_message_id: str
    handed_at: datetime | None
    settled_at: datetime | None
    provider_ref: str | None
    last_class: str | None
    last_detail: str | None
    created_at: datetime


class Words(Out):
    """What the prospect reads."""

    recipient: str
    subject: str
    text: str
    frozen_at: datetime


class WholeMessage(Message):
    """A message with its words; they are null until the first attempt has frozen them."""

    words: Words | None


@router.get("", dependencies=[reach("messages:read", scoped=True)], summary="List messages")
async def list_messages(
    app: Avtale,
    wanted: Paging,
    state: Annotated[State | None, Query()] = None,
    prospect_id: UUID | None = None,
    enrollment_id: UUID | None = None,
    sender_id: UUID | None = None,
) -> Page[Message]:
    """The newest first."""
    filters = {
        messages.c.state: state,
        messages.c.prospect_id: prospect_id,
        messages.c.enrollment_id: enrollment_id,
        messages.c.sender_id: sender_id,
    }
    conditions = [column == value for column, value in filters.items() if value is not None]
    found = await read_page(app, listing.MESSAGES, messages.c.id, wanted, *conditions)
    return Page[Message].model_validate(found)


@router.get(
    "/{message_id}",
    dependencies=[reach("messages:read")],
    summary="Read a message with its words",
    responses=responses(404),
)
async def get_message(app: Avtale, message_id: UUID) -> WholeMessage:
    """The message, and the text exactly as it was handed over."""
    async with transaction(app.engine) as conn:
        row: dict[str, Any] | None = await listing.one(
            conn, listing.MESSAGES, messages.c.id == message_id
        )
        if row is None:
            raise NotFound("there is no such message")
        words = await listing.frozen_of(conn, message_id)
    return WholeMessage.model_validate({**row, "words": words})
