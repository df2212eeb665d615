"""Plays the prospect: everything goes over the same SMTP and HTTP as in life."""

import asyncio
import re
import smtplib
from dataclasses import dataclass
from datetime import datetime
from email.message import EmailMessage
from email.utils import format_datetime, getaddresses, make_msgid
from urllib.parse import urlsplit

import httpx

from orchestrator.errors import BadInput
from orchestrator.sandbox.mailbox import Mail

# What a person's mail program and browser say they are.
_MAIL_PROGRAM = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Thunderbird/140.0"
_BROWSER = "Mozilla/5.0 (X11; Linux x86_64; rv:142.0) Gecko/20100101 Firefox/142.0"


@dataclass(frozen=True)
class Seen:
    """What the prospect got to see: the status, where it led, and the page."""

    status: int
    location: str
    text: str


class Prospect:
    """One person with a mail program and a browser. `base_url` is the only site they visit."""

    def __init__(self, *, base_url: str, smtp_host: str, smtp_port: int) -> None:
        self._base_url = base_url
        self._smtp = (smtp_host, smtp_port)

    async def open(self, mail: Mail) -> Seen:
        """Show the mail with its images. Raises BadInput when it has none."""
        if mail.pixel_url is None:
            raise BadInput("this mail carries no image: its sequence does not track opens")
        return await self._get(mail.pixel_url, _MAIL_PROGRAM)

    async def click(self, mail: Mail, link: str | None = None) -> Seen:
        """Follow a link of the mail (the first one of ours), one hop."""
        ours = [each for each in mail.links if self._is_ours(each)]
        if (link is not None and link not in ours) or not ours:
            raise BadInput("this mail has no such link to this service")
        return await self._get(link or ours[0], _BROWSER)

    async def visit(self, address: str) -> Seen:
        """Look at a page."""
        return await self._get(address, _BROWSER)

    async def submit(self, address: str, fields: dict[str, str]) -> Seen:
        """Send a form of a page."""
        self._require_ours(address)
        async with self._client(_BROWSER) as client:
            return _seen(await client.post(address, data=fields))

    async def unsubscribe(self, mail: Mail) -> Seen:
        """What the mail program's own button does (RFC 8058)."""
        if mail.unsubscribe_url is None:
            raise BadInput("this mail offers no one-click unsubscribe")
        self._require_ours(mail.unsubscribe_url)
        async with self._client(_MAIL_PROGRAM) as client:
            return _seen(
                await client.post(mail.unsubscribe_url, data={"List-Unsubscribe": "One-Click"})
            )

    async def answer(self, mail: Mail, text: str, *, now: datetime) -> str:
        """Reply to the mail as a mail program does; returns the reply's Message-ID.

        Raises Unavailable's SMTP cousin, smtplib.SMTPException, when Avtale did not take it.
        """
        reply = compose_reply(mail, text, now=now)
        await asyncio.to_thread(self._send, reply)
        return str(reply["Message-ID"])

    def _send(self, reply: EmailMessage) -> None:
        with smtplib.SMTP(*self._smtp, timeout=20) as client:
            client.send_message(reply)

    def _is_ours(self, address: str) -> bool:
        return urlsplit(address)[:2] == urlsplit(self._base_url)[:2]

    def _require_ours(self, address: str) -> None:
        if not self._is_ours(address):
            raise BadInput("the prospect of the sandbox visits this service only")

    async def _get(self, address: str, program: str) -> Seen:
        self._require_ours(address)
        async with self._client(program) as client:
            return _seen(await client.get(address))

    def _client(self, program: str) -> httpx.AsyncClient:
        headers = {"user-agent": program, "accept-language": "nb,en;q=0.5"}
        return httpx.AsyncClient(
            timeout=10, trust_env=False, follow_redirects=False, headers=headers
        )


def _seen(answer: httpx.Response) -> Seen:
    text = answer.text if "text" in answer.headers.get("content-type", "") else ""
    return Seen(answer.status_code, answer.headers.get("location", ""), text)


def compose_reply(mail: Mail, text: str, *, now: datetime) -> EmailMessage:
    """A reply to `mail` by its recipient: threaded by RFC 5322 3.6.4, quoted below the answer."""
    reply = EmailMessage()
    me = mail.header("To") or mail.recipients[0]
    reply["From"] = me
    reply["To"] = mail.header("Reply-To") or mail.header("From")
    reply["Subject"] = re.sub(r"(?i)^(re:\s*)*", "Re: ", mail.subject, count=1)
    reply["Date"] = format_datetime(now)
    domain = getaddresses([me])[0][1].rpartition("@")[2] or "prospect.example"
    reply["Message-ID"] = make_msgid(domain=domain)
    reply["In-Reply-To"] = mail.message_id
    reply["References"] = " ".join([*mail.header("References").split(), mail.message_id])
    reply["User-Agent"] = "Mozilla Thunderbird"
    name = getaddresses([mail.header("From")])[0][0] or "you"
    quoted = "\n".join(f"> {line}" if line else ">" for line in mail.text.splitlines())
    reply.set_content(f"{text.strip()}\n\nOn {mail.header('Date')}, {name} wrote:\n{quoted}\n")
    return reply
