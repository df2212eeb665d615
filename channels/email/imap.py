"""IMAP as this channel uses it: a connection that verifies, and the folder of sent mail.

Many providers put what their SMTP server took into a folder of sent mail: Gmail and Microsoft 365
among them. A copy there shows that the message has left. Every call blocks: use a thread.
"""

from email.parser import BytesHeaderParser

from imapclient import IMAPClient, SocketTimeout
from imapclient.exceptions import IMAPClientError

from channels.base import Sent, Unknown
from channels.email.settings import ImapSettings, is_loopback, tls_context

_TIMEOUT = SocketTimeout(connect=20, read=60)
_MOST = 50  # hits whose header is compared
MARKED = "\\Sent"  # the folder that the server marks as such (RFC 6154)


def open_imap(settings: ImapSettings) -> IMAPClient:
    """A connection, secured as the settings say, not logged in. Raises ValueError for a password
    that would go out in clear, OSError and IMAPClientError."""
    if settings.security == "plain_without_encryption":
        if settings.username and not is_loopback(settings.host):
            raise ValueError("a password never goes out in clear: use tls or starttls")
        return IMAPClient(settings.host, settings.port, ssl=False, timeout=_TIMEOUT)
    context = tls_context(settings.ca_file)
    if settings.security == "tls":
        return IMAPClient(settings.host, settings.port, ssl_context=context, timeout=_TIMEOUT)
    client = IMAPClient(settings.host, settings.port, ssl=False, timeout=_TIMEOUT)
    try:
        client.starttls(ssl_context=context)
    except BaseException:
        client.shutdown()
        raise
    return client


def message_id_of(payload: bytes) -> str:
    """The Message-ID of a frozen mail."""
    return str(BytesHeaderParser().parsebytes(payload)["Message-ID"] or "").strip()


def find_sent(settings: ImapSettings, password: str, message_id: str) -> Sent | Unknown | None:
    """Whether the folder of sent mail holds `message_id`. Blocks.

    None, certainly not, only where the sender declares that its provider keeps every copy. What
    goes wrong with a server is Unknown, never raised.
    """
    if not message_id or settings.sent_folder is None:
        return Unknown("this sender declares no folder of sent mail")
    try:
        client = open_imap(settings)
    except (OSError, ValueError, IMAPClientError) as error:
        return Unknown(f"the mailbox does not answer: {type(error).__name__}")
    try:
        if settings.username:
            client.login(settings.username, password)
        folder = settings.sent_folder
        if folder == MARKED:
            folder = client.find_special_folder(MARKED.encode()) or ""
        if not folder or not client.folder_exists(folder):
            return Unknown("the folder of sent mail is not there")
        client.select_folder(folder, readonly=True)
        there = _holds(client, message_id)
    except (OSError, IMAPClientError, UnicodeError) as error:
        return Unknown(f"the mailbox cannot be asked: {type(error).__name__}")
    finally:
        _leave(client)
    if there:
        return Sent(detail=f"in the folder {folder}")
    if settings.sent_holds == "every":
        return None
    return Unknown(f"not in the folder {folder}, which need not hold every mail")


def _holds(client: IMAPClient, message_id: str) -> bool:
    """SEARCH finds what contains the words: the header itself decides (RFC 3501, 6.4.4)."""
    hits = client.search(["HEADER", "Message-ID", message_id])[:_MOST]
    part = "BODY.PEEK[HEADER.FIELDS (MESSAGE-ID)]"
    found = client.fetch(hits, [part]) if hits else {}
    return any(
        message_id_of(value) == message_id
        for fields in found.values()
        for key, value in fields.items()
        if key.startswith(b"BODY[") and isinstance(value, bytes)
    )


def _leave(client: IMAPClient) -> None:
    try:
        client.logout()
    except Exception:  # noqa: BLE001 - the connection may be gone, and is dropped either way
        client.shutdown()
