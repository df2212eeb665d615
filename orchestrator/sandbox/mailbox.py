"""Every mail that the sandbox's SMTP server took: a folder of files, read back for display.

One file a mail, named so that names sort by arrival, with the trace lines that a delivering
server adds in front (Return-Path and Delivered-To; RFC 5321, 4.4). The folder is the truth, so
that the server, the web inbox and `--auto` can be different processes.
"""

import email
import email.policy
import itertools
import os
import re
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.message import EmailMessage
from functools import cached_property, lru_cache
from html import unescape
from pathlib import Path

from orchestrator.sandbox.faults import Envelope

_counter = itertools.count()
_END_OF_TRACE = "X-Sandbox-Trace: end"
_ANCHOR = re.compile(r"""<a\b[^>]*?href=["'](https?:[^"']+)["'][^>]*>(.*?)</a>""", re.DOTALL)
_NAME = re.compile(r"\d{16,20}-\d+-\d+")


@dataclass(frozen=True)
class Mail:
    """One kept mail. `raw` is what the client sent, byte for byte."""

    name: str
    sender: str
    recipients: tuple[str, ...]
    raw: bytes = field(repr=False)

    @cached_property
    def parsed(self) -> EmailMessage:
        """The mail as the standard library reads it."""
        return email.message_from_bytes(self.raw, policy=email.policy.default)

    @property
    def arrived(self) -> datetime:
        """When it arrived (this machine's clock)."""
        return datetime.fromtimestamp(int(self.name.partition("-")[0]) / 1e9, UTC)

    def header(self, name: str) -> str:
        """A header's text, or an empty string."""
        try:
            return str(self.parsed.get(name, ""))
        except (IndexError, ValueError, AttributeError):  # the parser trips over some addresses
            return dict(self.headers).get(name, "")

    @cached_property
    def headers(self) -> list[tuple[str, str]]:
        """Every header as it is written, unfolded."""
        plain = email.message_from_bytes(self.raw, policy=email.policy.compat32)
        return [(name, re.sub(r"\r?\n\s+", " ", str(value))) for name, value in plain.items()]

    @property
    def subject(self) -> str:
        """The subject."""
        return self.header("Subject")

    @property
    def message_id(self) -> str:
        """The Message-ID with its brackets."""
        return self.header("Message-ID").strip()

    @property
    def text(self) -> str:
        """The plain text part."""
        return self._part("plain")

    @property
    def html(self) -> str:
        """The HTML part, not cleaned."""
        return self._part("html")

    def _part(self, kind: str) -> str:
        part = self.parsed.get_body((kind,))
        if part is None:
            return ""
        try:
            return str(part.get_content())
        except LookupError:  # a charset that Python does not know
            payload = part.get_payload(decode=True)
            return payload.decode("latin-1") if isinstance(payload, bytes) else ""

    @property
    def calendars(self) -> list[str]:
        """Every iCalendar object in the mail, each once."""
        found = [
            str(part.get_content())
            if part.get_content_maintype() == "text"
            else part.get_content().decode()
            for part in self.parsed.walk()
            if part.get_content_type() in ("text/calendar", "application/ics")
        ]
        return list(dict.fromkeys(found))

    @property
    def unsubscribe_url(self) -> str | None:
        """The one-click address (RFC 8058), when the mail offers one."""
        if "List-Unsubscribe=One-Click" not in self.header("List-Unsubscribe-Post"):
            return None
        found = re.search(r"<(https?:[^>]+)>", self.header("List-Unsubscribe"))
        return found[1] if found else None

    @property
    def pixel_url(self) -> str | None:
        """The address of the first remote image."""
        found = re.search(r"""<img[^>]+src=["'](https?:[^"']+)["']""", self.html)
        return unescape(found[1]) if found else None

    @property
    def anchors(self) -> dict[str, str]:
        """Every address that a reader can click and the words that it stands under, in order."""
        found = {
            unescape(address): unescape(re.sub(r"<[^>]+>", "", words)).strip()
            for address, words in _ANCHOR.findall(self.html)
        }
        for address in re.findall(r"https?://[^\s<>\"')]+", self.text):
            found.setdefault(address, address)
        return found

    @property
    def links(self) -> list[str]:
        """The addresses alone."""
        return list(self.anchors)


class Mailbox:
    """A folder of mails."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)

    def add(self, mail: Envelope) -> str:
        """Keep `mail`; returns its name. A reader sees a whole file or none."""
        name = f"{time.time_ns()}-{os.getpid()}-{next(_counter)}"
        trace = [f"Return-Path: <{mail.sender}>"]
        trace += [f"Delivered-To: {recipient}" for recipient in mail.recipients]
        trace.append(_END_OF_TRACE)
        partial = self.folder / f".{name}"
        partial.write_bytes("".join(f"{line}\r\n" for line in trace).encode() + mail.data)
        partial.rename(self.folder / f"{name}.eml")
        return name

    def names(self) -> list[str]:
        """Names of every mail, oldest first."""
        return sorted(path.stem for path in self.folder.glob("*.eml"))

    def get(self, name: str) -> Mail | None:
        """The mail called `name`, or None."""
        if not _NAME.fullmatch(name):
            return None
        return _read(self.folder / f"{name}.eml")

    def mails(self, *, newest: int | None = None) -> list[Mail]:
        """The mails, oldest first; `newest` keeps that many of the end."""
        names = self.names()
        found = [self.get(name) for name in (names[-newest:] if newest else names)]
        return [mail for mail in found if mail is not None]

    def of(self, address: str) -> list[Mail]:
        """What was delivered to `address`, oldest first."""
        wanted = address.lower()
        return [
            mail for mail in self.mails() if wanted in (each.lower() for each in mail.recipients)
        ]


@lru_cache(maxsize=2048)
def _read(path: Path) -> Mail | None:
    try:
        raw = path.read_bytes()
    except FileNotFoundError:
        return None
    trace, _, raw = raw.partition(f"{_END_OF_TRACE}\r\n".encode())
    lines = trace.decode(errors="replace").split("\r\n")
    recipients = [line.removeprefix("Delivered-To: ") for line in lines[1:-1]]
    return Mail(path.stem, lines[0].removeprefix("Return-Path: <")[:-1], tuple(recipients), raw)
