"""A mail as one of us may look at it: its whole text, and its HTML without anything that acts."""

from dataclasses import dataclass

from orchestrator.rules.mail import parts
from orchestrator.rules.mail.html import sanitised

_LIMIT = 200_000  # characters


@dataclass(frozen=True, slots=True)
class Shown:
    """Subject, sender and text as they came; `html` cleaned, empty when the mail has none."""

    subject: str
    sender: str
    text: str
    html: str


def shown(raw: bytes) -> Shown:
    """What to show of these bytes (RFC 5322). Never raises: any bytes are some mail."""
    mail = parts.parse(raw)
    html = next(
        (
            parts.decoded(part)
            for part in parts.walk(mail)
            if parts.content_type(part) == "text/html"
            and "attachment" not in parts.header(part, "Content-Disposition").lower()
        ),
        "",
    )
    return Shown(
        subject=parts.header(mail, "Subject")[:500],
        sender=parts.header(mail, "From")[:500],
        text=parts.body(mail)[:_LIMIT],
        html=sanitised(html[:_LIMIT]) if html else "",
    )
