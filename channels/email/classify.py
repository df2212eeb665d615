"""What an outcome at a phase of an SMTP transaction means. Pure; `reference 2.2` as a table.

Before DATA is answered with 354 nothing can have been sent, whatever happens. After the final dot
only a reply tells: silence is Unknown, and never resent by itself (L2).
"""

import re
from dataclasses import dataclass
from enum import StrEnum
from typing import Literal

from channels.base import NotSent, Refused, SendResult, Sent, Unknown


class Phase(StrEnum):
    """How far a transaction has come: the command that is waiting for its answer."""

    CONNECT = "connect"  # name, TCP, greeting, EHLO, TLS
    AUTH = "auth"
    MAIL = "mail"
    RCPT = "rcpt"
    DATA = "data"  # the command, before its 354
    AFTER = "after"  # the body and its final dot are on the way


@dataclass(frozen=True, slots=True)
class Reply:
    """A reply line (RFC 5321 4.2). `text` starts with the enhanced code where there is one."""

    code: int
    text: str

    @property
    def enhanced(self) -> str:
        """`5.1.1` (RFC 3463), or ""."""
        found = _ENHANCED.match(self.text)
        return found[1] if found else ""

    def __str__(self) -> str:
        return f"{self.code} {self.text}"[:500]


@dataclass(frozen=True, slots=True)
class Silence:
    """No reply that can be read."""

    kind: Literal["timeout", "dropped"]
    detail: str


_ENHANCED = re.compile(r"([245]\.\d{1,3}\.\d{1,3})\b")
# What servers without enhanced codes say when there is no such mailbox.
_NO_SUCH_USER = re.compile(
    r"(?i)\b(no such (user|mailbox|recipient|address)|(user|mailbox|recipient|address) "
    r"(is )?(unknown|not found|does not exist|doesn't exist)|unknown (user|recipient|mailbox)|"
    r"does not have an? .{0,40}account)"
)
_GREY = re.compile(r"(?i)gr[ae]y-?list|try again (later|in)|deferred")
_TOO_MUCH = re.compile(r"(?i)rate|too (many|much|fast)|quota|limit|throttl")
# 5.1.7, 5.1.8 and 5.1.9 speak of the sender's address (RFC 3463 3.2).
_SENDER_ADDRESS = frozenset({"5.1.7", "5.1.8", "5.1.9"})


def classify(phase: Phase, outcome: Reply | Silence) -> SendResult:
    """The result of a transaction that ended at `phase` with `outcome`."""
    match phase:
        case Phase.CONNECT:
            return NotSent("connect", _say(phase, outcome), lane="park")
        case Phase.AUTH:
            return _auth(outcome)
        case Phase.MAIL:
            return _mail(outcome)
        case Phase.RCPT:
            return _rcpt(outcome)
        case Phase.DATA:
            return NotSent("data", _say(phase, outcome), lane=_lane(outcome))
        case Phase.AFTER:
            return _after(outcome)


def _say(phase: Phase, outcome: Reply | Silence) -> str:
    if isinstance(outcome, Silence):
        return f"{phase}: {outcome.kind}: {outcome.detail}"[:500]
    return f"{phase}: {outcome}"


def _lane(outcome: Reply | Silence) -> Literal["fine", "park"]:
    """421 closes the service and a timeout blocks a connection: both are the account's trouble."""
    if isinstance(outcome, Silence):
        return "park" if outcome.kind == "timeout" else "fine"
    return "park" if outcome.code == 421 else "fine"


def _auth(outcome: Reply | Silence) -> SendResult:
    detail = _say(Phase.AUTH, outcome)
    # One refusal is enough: providers lock an account after a few.
    if isinstance(outcome, Reply) and outcome.code >= 500:
        return NotSent("auth", detail, lane="pause")
    return NotSent("auth_later", detail, lane="park")


def _mail(outcome: Reply | Silence) -> SendResult:
    detail = _say(Phase.MAIL, outcome)
    if isinstance(outcome, Silence):
        return NotSent(outcome.kind, detail, lane=_lane(outcome))
    # No recipient has been named yet: a refusal is of the account and would meet every message.
    if outcome.code >= 500 and outcome.code != 552:
        return NotSent("sender_refused", detail, lane="pause")
    return NotSent(_later(outcome), detail, lane="park")


def _later(reply: Reply) -> str:
    if reply.code == 421:
        return "closing"
    if _GREY.search(reply.text):
        return "greylisted"
    return "rate_limited" if _TOO_MUCH.search(reply.text) else "deferred"


def _rcpt(outcome: Reply | Silence) -> SendResult:
    detail = _say(Phase.RCPT, outcome)
    if isinstance(outcome, Silence):
        return NotSent(outcome.kind, detail, lane=_lane(outcome))
    if outcome.code == 530:  # authentication required: says nothing of the recipient
        return NotSent("auth", detail, lane="pause")
    if outcome.code < 500 or outcome.code == 552:
        return NotSent(_later(outcome), detail, lane=_lane(outcome))
    if _names_no_mailbox(outcome):
        return Refused("bad_address", detail, bad_address=True)
    return Refused("policy" if outcome.enhanced.startswith("5.7.") else "refused", detail)


def _names_no_mailbox(reply: Reply) -> bool:
    """Whether the refusal is of the address itself, and not of us or of what we say."""
    if reply.enhanced:
        return reply.enhanced.startswith("5.1.") and reply.enhanced not in _SENDER_ADDRESS
    return reply.code in (550, 551, 553) and _NO_SUCH_USER.search(reply.text) is not None


def _after(outcome: Reply | Silence) -> SendResult:
    detail = _say(Phase.AFTER, outcome)
    if isinstance(outcome, Silence):
        return Unknown(detail)
    if 200 <= outcome.code < 300:
        return Sent(provider_ref=None, detail=str(outcome))
    if 400 <= outcome.code < 500:
        return NotSent(_later(outcome), detail, lane=_lane(outcome))
    if outcome.code < 500 or outcome.code > 599:
        return Unknown(detail)  # 354 again, or no code at all: nobody knows what it took
    if outcome.enhanced and _names_no_mailbox(outcome):
        return Refused("bad_address", detail, bad_address=True)
    return Refused("content", detail)
