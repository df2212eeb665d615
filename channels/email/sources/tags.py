"""The header by which a provider carries our message's id into its events."""

from uuid import UUID

from channels.email.sources.reading import TAG

# Resend takes tags over HTTP only; there our Message-ID does it.
_HEADERS: dict[str, tuple[str, ...]] = {
    "sendgrid": ('X-SMTPAPI: {{"unique_args": {{"{tag}": "{id}"}}}}',),
    "mailgun": ('X-Mailgun-Variables: {{"{tag}": "{id}"}}',),
    # KeepID: with a Message-ID of Postmark's own, answers would not find their thread.
    "postmark": ("X-PM-Metadata-{tag}: {id}", "X-PM-KeepID: true"),
    "ses": ("X-SES-MESSAGE-TAGS: {tag}={id}",),
}


def headers(source: str, message_id: UUID) -> list[bytes]:
    """Header lines of a mail that goes out by the servers of `source`."""
    lines = _HEADERS.get(source, ())
    return [f"{one.format(tag=TAG, id=message_id)}\r\n".encode("ascii") for one in lines]
