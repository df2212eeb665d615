"""A message as it is said: wording, footer, tracking and thread, as one draft. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol
from uuid import UUID

from channels.base import Attachment, Capabilities, Draft
from orchestrator.rules.footer import Footer
from orchestrator.rules.invitation import (
    BookingValues,
    Reader,
    calendar,
    invitation_mail,
    revision_of,
)
from orchestrator.rules.letter import document, html_of_text
from orchestrator.rules.outgoing import MessageRow
from orchestrator.rules.tracking import Wanted, follow_links, with_pixel, with_trap


@dataclass(frozen=True, slots=True)
class Thread:
    """What a message answers; nothing at all for the first one."""

    subject: str = ""  # of its first message
    in_reply_to: str | None = None
    references: tuple[str, ...] = ()
    provider_ref: str | None = None


@dataclass(frozen=True, slots=True)
class Addressed:
    """To whom and under which date a message goes, and where its links lead."""

    recipient: str
    recipient_name: str
    date: datetime
    language: str
    own: str  # our base URL: links below it are never followed
    unsubscribe_url: str
    reply_token: str | None


class Trails(Protocol):
    """Where what follows a message leads. Each address is made when it is asked for: most messages
    have none of them, and a token takes 4 us."""

    def click(self, url: str) -> str:
        """The address that stands in the message instead of `url`: one address, one link."""
        ...

    def pixel(self) -> str: ...
    def trap(self) -> str: ...


_NOTHING = Thread()


def answers(row: MessageRow) -> bool:
    """Whether `row` may go on in a thread: `thread_of` asks for what was written before."""
    return row.thread_of is not None or row.kind == "call_offer"


def thread_of(row: MessageRow, before: Sequence[Mapping[str, Any]]) -> Thread:
    """The thread that `row` goes on in. `before`: what was written to the person, oldest first.

    A call offer that names no message goes where the last one went. A thread's messages are those
    with the same root, and the new one answers the last of them.
    """
    start = row.thread_of
    if not answers(row):
        return _NOTHING
    by_id = {one["id"]: one for one in before}
    if start not in by_id and row.kind == "call_offer" and before:
        start = before[-1]["id"]
    if start is None or start not in by_id:
        return Thread()
    root = _root(start, by_id)
    members = [one for one in before if _root(one["id"], by_id) == root]
    ids = tuple(one["rfc_message_id"] for one in members)
    return Thread(
        by_id[root]["subject"],
        ids[-1],
        ids,
        members[0]["provider_ref"] or members[-1]["provider_ref"],
    )


def _root(start: UUID, by_id: Mapping[UUID, Mapping[str, Any]]) -> UUID:
    seen = {start}
    while (parent := by_id[start]["thread_of"]) in by_id and parent not in seen:
        seen.add(parent)
        start = parent
    return start


def subject_of(own: str, thread: Thread) -> str:
    """The step's own subject, else `Re:` and the thread's. "" when there is neither."""
    if own or not thread.subject:
        return own
    return thread.subject if thread.subject[:3].lower() == "re:" else f"Re: {thread.subject}"


def compose(
    row: MessageRow,
    *,
    subject: str,
    text: str,
    html: str,
    footer: Footer,
    thread: Thread,
    to: Addressed,
    followed: Wanted,
    trails: Trails,
    can: Capabilities,
    page_url: str,
) -> Draft:
    """The draft of an outreach or a call offer. A chat gets the short footer, a mail the whole."""
    if followed.clicks:
        text, html = follow_links(text, html, trails.click, own=to.own)
    whole = _under(html, footer.html)
    if followed.clicks and can.html:
        whole = with_trap(whole, trails.trap())
    if followed.opens and can.html:
        whole = with_pixel(whole, trails.pixel())
    return Draft(
        message_id=row.id,
        recipient=to.recipient,
        recipient_name=to.recipient_name,
        subject=subject,
        text=f"{text}\n\n{footer.text if can.html else footer.brief}\n",
        html=document(whole, to.language) if can.html else None,
        rfc_message_id=row.rfc_message_id,
        date=to.date,
        language=to.language,
        in_reply_to=thread.in_reply_to,
        references=thread.references,
        thread_ref=thread.provider_ref,
        unsubscribe_url=to.unsubscribe_url,
        reply_token=to.reply_token,
        page_url=page_url,
    )


def request_draft(row: MessageRow, *, note: str, to: Addressed, page_url: str) -> Draft:
    """The draft of the invitation that asks to be let in, with its note; no footer fits there."""
    return Draft(
        message_id=row.id,
        recipient=to.recipient,
        recipient_name=to.recipient_name,
        subject="",
        text=note,
        html=None,
        rfc_message_id=row.rfc_message_id,
        date=to.date,
        language=to.language,
        request=True,
        page_url=page_url,
    )


def invitation(
    row: MessageRow,
    *,
    booking: BookingValues,
    thread: Thread,
    recipient: str,
    date: datetime,
    page_url: str,
    reply_token: str | None,
) -> Draft:
    """The draft of an invitation: asked for, so without a footer, and marked as automatic.

    Raises ValueError when a later change of the booking has overtaken it.
    """
    if revision_of(row.step) < booking.revision:
        raise ValueError("a later change of the booking has overtaken it")
    to_host = row.kind == "host_invitation"
    to: Reader = "host" if to_host else "prospect"
    language = booking.host_language if to_host else booking.language
    subject, text = invitation_mail(booking, language, to, "" if to_host else page_url)
    method = booking.method
    return Draft(
        message_id=row.id,
        recipient=recipient,
        recipient_name=booking.host_name if to_host else booking.prospect_name,
        subject=subject,
        text=text,
        html=document(html_of_text(text), language),
        rfc_message_id=row.rfc_message_id,
        date=date,
        language=language,
        in_reply_to=thread.in_reply_to,
        references=thread.references,
        thread_ref=thread.provider_ref,
        reply_token=reply_token,
        attachments=(
            Attachment(
                "invite.ics" if method == "REQUEST" else "cancelled.ics",
                f"text/calendar; method={method}",
                calendar(booking, method, language),
            ),
        ),
        automatic=True,
    )


def _under(html: str, footer: str) -> str:
    """`html` and the footer below it. Of a whole document only the body is taken."""
    lowered = html.lower()
    start = lowered.find("<body")
    if start >= 0:
        start = lowered.find(">", start) + 1
        end = lowered.rfind("</body")
        html = html[start : end if end > start else len(html)]
    return f"{html.strip()}\n{footer}"
