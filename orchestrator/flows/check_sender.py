"""Try a sender out: connect, secure, log in, and mail oneself if that is wished."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from channels.base import (
    Account,
    Channel,
    Draft,
    NotSent,
    OutboundMessage,
    Refused,
    Sent,
    Testable,
    Unknown,
)
from orchestrator.db import transaction
from orchestrator.errors import BadInput, Unavailable
from orchestrator.ids import uuid7
from orchestrator.store import senders
from orchestrator.wiring import App

_TEXT = """This is what a mail from this sender looks like when it arrives.

Nobody else got it. If you can read this, Avtale can send for you.
"""


async def check_sender(app: App, name: str, *, mail_to_self: bool, now: datetime) -> str:
    """What worked, in one line. Nothing is stored. Raises NotFound, BadInput, and Unavailable with
    the reason when the server does not play along."""
    async with transaction(app.engine) as conn:
        account = senders.account_of(row := await senders.by_name(conn, name), app.keys)
    channel = app.channels[row["channel"]]
    if not isinstance(channel, Testable):
        raise BadInput(f"Senders on {row['channel']} cannot be tried out.")
    try:
        failure = await channel.check(account)
    except ValueError as error:
        raise BadInput(str(error)) from None
    if failure is not None:
        raise Unavailable(f"{name}: {failure.kind}: {failure.detail}")
    if not mail_to_self:
        return f"{name}: connected, {_how(row['settings'])}."
    return await _mail(app, channel, account, now)


def _how(settings: Mapping[str, Any]) -> str:
    """What was really done; a mail server on the same machine may ask for neither."""
    secured = settings.get("security") != "plain_without_encryption"
    known = "logged in" if settings.get("username") or "host" not in settings else "without a login"
    return f"{'secured' if secured else 'not encrypted'}, {known}"


async def _mail(app: App, channel: Channel, account: Account, now: datetime) -> str:
    made = uuid7()
    domain = account.address.rpartition("@")[2]
    draft = Draft(
        message_id=made,
        recipient=account.address,
        recipient_name=account.display_name,
        subject="A test from Avtale",
        text=_TEXT,
        html=None,
        rfc_message_id=app.keys.rfc_message_id(made, domain),
        date=now,
        language="en",
        automatic=True,
    )
    message = OutboundMessage(made, account.address, channel.freeze(account, draft), str(made))
    match await channel.send(account, message, _go):
        case Sent(detail=detail):
            return f"{account.name}: sent to {account.address}: {detail}"
        case NotSent(kind=kind, detail=detail) | Refused(kind=kind, detail=detail):
            raise Unavailable(f"{account.name}: {kind}: {detail}")
        case Unknown(detail=detail):
            raise Unavailable(f"{account.name}: it is not known whether it left: {detail}")
        case other:
            raise Unavailable(f"{account.name}: {type(other).__name__}")


async def _go() -> bool:
    return True
