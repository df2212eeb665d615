"""Mail something about an account to one of our own: no outreach, and by no sequence."""

import structlog

from channels.base import Draft, OutboundMessage, Sent
from orchestrator.clock import real_now
from orchestrator.db import transaction
from orchestrator.ids import uuid7
from orchestrator.store import senders
from orchestrator.wiring import App

log = structlog.get_logger()


async def send_notice(
    app: App, *, to: str, name: str, subject: str, text: str, language: str
) -> bool:
    """Hand it to the mail server of the oldest email sender that is not paused. False, with a line
    in the log, where there is none or it refuses: whoever waits for the mail asks again."""
    async with transaction(app.engine) as conn:
        now = await real_now(conn)
        row = await senders.oldest_of(conn, "email")
        account = senders.account_of(row, app.keys) if row is not None else None
    if account is None or "email" not in app.channels:
        log.warning("notice.no_sender")
        return False
    channel = app.channels["email"]
    made = uuid7()
    draft = Draft(
        message_id=made,
        recipient=to,
        recipient_name=name,
        subject=subject,
        text=text,
        html=None,
        rfc_message_id=app.keys.rfc_message_id(made, account.address.rpartition("@")[2]),
        date=now,
        language=language,
        automatic=True,
    )
    message = OutboundMessage(made, to, channel.freeze(account, draft), str(made))
    result = await channel.send(account, message, _go)
    if not isinstance(result, Sent):
        log.warning("notice.not_sent", sender=account.name, result=type(result).__name__)
        return False
    log.info("notice.sent", sender=account.name)
    return True


async def _go() -> bool:
    return True
