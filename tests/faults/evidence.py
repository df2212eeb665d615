"""What comes back for messages in doubt, through the real door for raw mail."""

import base64
import socket
import time
import urllib.request
from collections.abc import Sequence
from dataclasses import dataclass
from email.utils import format_datetime
from typing import Literal

from orchestrator.clock import utc_now
from orchestrator.rules import standard_webhook
from tests.faults.harness import Process, Town

_KEY = b"a key of the raw mail door, of the tests"
MAIL_SECRET = "whsec_" + base64.b64encode(_KEY).decode()
_RECONCILED = 45.0  # seconds: evidence that is only kept waits for the reconciler's next round
Kind = Literal["reply", "failure", "delay", "unrelated"]


@dataclass(frozen=True)
class Doubt:
    """A message in doubt, and whom it was for."""

    message_id: str
    recipient: str
    subject: str = "Hello Ola"


def doubts(made: Town) -> list[Doubt]:
    """The messages in doubt."""
    rows = made.query(
        "select m.rfc_message_id, i.address from messages m join identities i on i.id ="
        " m.identity_id where m.state = 'in_doubt' order by m.id"
    )
    return [Doubt(*row) for row in rows]


def compose(kind: Kind, doubt: Doubt) -> bytes:
    """A reply to it, a DSN (RFC 3464) of its failure or delay, or a mail that names nothing."""
    date = format_datetime(utc_now())
    if kind in ("reply", "unrelated"):
        names = f"In-Reply-To: {doubt.message_id}\n" if kind == "reply" else ""
        text = (
            f"From: Ola <{doubt.recipient}>\nTo: kari@sender.example\nSubject: A question\n"
            f"Date: {date}\nMessage-ID: <{time.time_ns()}@prospect.example>\n{names}"
            "MIME-Version: 1.0\nContent-Type: text/plain; charset=utf-8\n\n"
            "Who are you, and how did you find me?\n"
        )
        return text.replace("\n", "\r\n").encode()
    action, status = {"failure": ("failed", "5.1.1"), "delay": ("delayed", "4.4.1")}[kind]
    text = f"""From: MAILER-DAEMON <mailer-daemon@prospect.example>
To: kari@sender.example
Subject: {"Undelivered Mail Returned to Sender" if kind == "failure" else "Delayed Mail"}
Date: {date}
Message-ID: <{time.time_ns()}@mx.prospect.example>
Auto-Submitted: auto-replied
MIME-Version: 1.0
Content-Type: multipart/report; report-type=delivery-status; boundary="b"

--b
Content-Type: text/plain; charset=utf-8

This is the mail system at host mx.prospect.example.

--b
Content-Type: message/delivery-status

Reporting-MTA: dns; mx.prospect.example

Final-Recipient: rfc822; {doubt.recipient}
Action: {action}
Status: {status}
Diagnostic-Code: smtp; {status.replace(".", "")[0]}50 {status} mailbox unavailable

--b
Content-Type: text/rfc822-headers

From: Kari Nordmann <kari@sender.example>
To: {doubt.recipient}
Subject: {doubt.subject}
Message-ID: {doubt.message_id}

--b--
"""
    return text.replace("\n", "\r\n").encode()


class MailDoor:
    """An API process of the town, and mails that are posted to it."""

    def __init__(self, made: Town) -> None:
        self._made = made
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        self.process: Process = made.start(
            "api", AVTALE_PORT=str(self.port), AVTALE_MAIL_SECRET=MAIL_SECRET
        )
        made.wait(self._answers, seconds=60, what="the start of the API")

    def _answers(self) -> bool:
        with socket.socket() as client:
            return client.connect_ex(("127.0.0.1", self.port)) == 0

    def post(self, body: bytes) -> None:
        """Post one mail, signed. Raises when it is not taken."""
        name, at = f"msg_{time.time_ns()}", int(time.time())
        request = urllib.request.Request(
            f"http://127.0.0.1:{self.port}/hooks/mail",
            data=body,
            method="POST",
            headers={
                "Content-Type": "message/rfc822",
                "webhook-id": name,
                "webhook-timestamp": str(at),
                "webhook-signature": standard_webhook.sign(_KEY, name, at, body),
            },
        )
        with urllib.request.urlopen(request, timeout=30) as answer:
            assert answer.status == 204

    def read(self) -> bool:
        """Whether every mail that was taken has been read."""
        [(left,)] = self._made.query("select count(*) from provider_events where state = 'stored'")
        return bool(left == 0)


@dataclass(frozen=True)
class Resolved:
    """What evidence did to the doubts there were."""

    doubts: int
    arrived: int  # of them, says the ledger
    told: int  # of those, evidence came back
    resolved: int  # settled as sent
    wrong: int  # settled against the ledger, or settled by what proves nothing

    def figures(self) -> dict[str, float | int | str]:
        """For an Outcome."""
        return {
            "doubts that had arrived": f"{self.arrived} of {self.doubts}",
            "resolved by evidence": f"{self.resolved} of {self.told} that something came back for",
            "share resolved": f"{self.resolved / self.doubts:.0%}" if self.doubts else "no doubts",
            "wrong resolutions": self.wrong,
        }


def resolve(made: Town, *, every: int = 4) -> Resolved:
    """Let evidence come back for what the sink took, but for each `every`-th, whose recipient says
    nothing; a mail that names no message comes for what it did not take. A worker must be running.
    """
    taken = made.handed_over()
    waiting = doubts(made)
    arrived = [one for one in waiting if taken[one.message_id]]
    told = [one for n, one in enumerate(arrived) if n % every != every - 1]
    kinds: Sequence[Kind] = ("reply", "failure", "delay")
    door = MailDoor(made)
    for n, one in enumerate(told):
        door.post(compose(kinds[n % len(kinds)], one))
    for one in waiting:
        if one not in told:
            door.post(compose("unrelated", one))
    made.wait(door.read, seconds=60, what="reading the mail that came back")
    awaited = {one.message_id for one in told}
    deadline = time.monotonic() + _RECONCILED
    while awaited & (still := {one.message_id for one in doubts(made)}):
        if time.monotonic() > deadline:
            break
        time.sleep(0.5)
    sent = {one.message_id for one in waiting} - still
    door.process.kill()
    return Resolved(
        doubts=len(waiting),
        arrived=len(arrived),
        told=len(told),
        resolved=len(sent),
        wrong=len(sent - awaited),
    )
