"""Scripted faults: what the sandbox's SMTP server does wrong on purpose, and when."""

import itertools
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal

# connect: before the greeting; mail, rcpt, data: at that command; body: after the final dot.
Phase = Literal["connect", "mail", "rcpt", "data", "body"]
PHASES: tuple[Phase, ...] = ("connect", "mail", "rcpt", "data", "body")


@dataclass(slots=True)
class Envelope:
    """One mail transaction as far as it has come."""

    sender: str = ""
    recipients: list[str] = field(default_factory=list)
    data: bytes = b""
    login: str | None = None  # who authenticated on this connection


@dataclass(frozen=True, slots=True)
class Reply:
    """Answer with this line (`"451 4.3.0 Try again later"`) and do not carry on."""

    line: str


@dataclass(frozen=True, slots=True)
class Drop:
    """Close the connection without a word. `keep`: at `body`, keep the mail all the same, which is
    what a client sees when the acknowledgement is lost on the way."""

    keep: bool = False


@dataclass(frozen=True, slots=True)
class Delay:
    """Wait `seconds`, then carry on as if nothing had been."""

    seconds: float


Fault = Reply | Drop | Delay
Script = Callable[[Phase, Envelope], Fault | None]


def parse_fault(text: str) -> Script:
    """A script from `PHASE=ACTION[@N]`: `rcpt=451@7` answers every 7th RCPT with 451.

    ACTION is a reply code, `drop`, `drop-kept`, or `delay:SECONDS`. Raises ValueError.
    """
    phase, _, rest = text.partition("=")
    action, _, every = rest.partition("@")
    if phase not in PHASES or not action:
        raise ValueError(f"`{text}` is no fault: write PHASE=ACTION@N, such as rcpt=451@7")
    fault = _action(action)
    period, counter = int(every or 1), itertools.count(1)

    def script(at: Phase, _envelope: Envelope) -> Fault | None:
        return fault if at == phase and next(counter) % period == 0 else None

    return script


def _action(action: str) -> Fault:
    if action in ("drop", "drop-kept"):
        return Drop(keep=action == "drop-kept")
    if action.startswith("delay:"):
        return Delay(float(action.removeprefix("delay:")))
    if not (len(action) == 3 and action.isdigit() and action[0] in "2345"):
        raise ValueError(f"`{action}` is neither a reply code, drop, drop-kept nor delay:SECONDS")
    return Reply(f"{action} {action[0]}.3.0 Scripted fault")


def combine(scripts: list[Script]) -> Script:
    """The first script that has something to say wins."""

    def script(at: Phase, envelope: Envelope) -> Fault | None:
        return next((fault for each in scripts if (fault := each(at, envelope))), None)

    return script
