"""What may be done by itself about a message in doubt, and what a person is told who decides. Pure.

Outreach is at most once: it is sent again only where that is provably no repetition. A confirmation
that the prospect asked for may come twice, with the same Message-ID.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from orchestrator.rules.outgoing import OF_STEPS

# A copy that is gone after a day may have been tidied away: from then on its absence proves
# nothing. Younger than the settle delay (`doubt_after_seconds`), nothing is asked at all.
ABSENCE_PROVES = 24 * 3600.0
CONFIRMATION_ATTEMPTS = 3

Way = Literal["same_key", "again", "person"]


@dataclass(frozen=True, slots=True)
class Doubt:
    """A message in doubt. Ages in seconds: since the last hand-over, and since the first one."""

    kind: str
    attempt: int
    age: float
    first_age: float
    key_seconds: int | None = None  # how long the provider honours the key of this message
    superseded: bool = False  # a newer message says what this one said
    call_at: datetime | None = None  # of a confirmation: when the call is, if it still is
    restored: bool = False  # put in doubt by a restore: it may have left in a life that is gone


def absence_proves(doubt: Doubt) -> bool:
    """Whether a provider's "it is certainly not here" may be believed now."""
    return doubt.age < ABSENCE_PROVES and not doubt.restored


def same_key_works(doubt: Doubt, *, later: float = 0) -> bool:
    """Whether the provider still knows the key of the first attempt, `later` seconds from now, with
    half of its time to spare: clocks differ, and keys are dropped early."""
    if doubt.key_seconds is None or doubt.first_age < 0:
        return False
    return doubt.first_age + later < doubt.key_seconds / 2


def way(doubt: Doubt, now: datetime) -> Way:
    """What to do when nobody could be asked, or nobody knew."""
    if doubt.restored:
        return "person"
    if same_key_works(doubt):
        return "same_key"
    if doubt.kind in OF_STEPS:
        return "person"
    due = doubt.call_at is not None and doubt.call_at > now and not doubt.superseded
    return "again" if due and doubt.attempt < CONFIRMATION_ATTEMPTS else "person"


@dataclass(frozen=True, slots=True)
class Choice:
    """One way to end a doubt, in words for whoever decides. `barred`: why it is not open now."""

    outcome: Literal["sent", "retry", "abandoned"]
    does: str
    risks: str
    barred: str | None = None


@dataclass(frozen=True, slots=True)
class Looked:
    """One place that was looked at for a sign that the message has left, and what was there."""

    where: str
    found: str


@dataclass(frozen=True, slots=True)
class Known:
    """What is known about a message in doubt, as the store has it."""

    kind: str
    asked: tuple[tuple[datetime, str, str], ...]  # when the provider was asked: at, answer, about
    askable: bool
    events_of_sender: int  # what this sender's provider said since the hand-over, about whatever
    events_of_message: int  # of them, about this message
    answers: int  # what this person did since
    evidence: tuple[str, ...]  # came back for this message: settles it within a minute
    over: bool  # the sequence is over for this person, or they answered


def looked(known: Known) -> list[Looked]:
    """Where a sign was looked for, and what was found there."""
    places = []
    if known.asked:
        at, answer, about = known.asked[-1]
        words = f"{answer}{f' ({about})' if about else ''}"
        last = f"last on {at:%Y-%m-%d %H:%M} UTC"
        places.append(Looked(f"the provider, asked {len(known.asked)} times, {last}", words))
    elif known.askable:
        places.append(Looked("the provider", "not asked yet"))
    else:
        places.append(Looked("the provider", "it cannot be asked about a message"))
    if known.events_of_sender:
        words = (
            f"{known.events_of_message} about this message"
            if known.events_of_message
            else "nothing about this message"
        )
        where = f"{known.events_of_sender} events of this sender since the hand-over"
        places.append(Looked(where, words))
    else:
        places.append(Looked("delivery events", "none came for this sender since the hand-over"))
    answers = f"{known.answers} since, none names this message" if known.answers else "none since"
    places.append(Looked("answers, opens and clicks of this person", answers))
    places.extend(Looked("what came back", f"{one}: it has left") for one in known.evidence)
    return places


def choices(known: Known) -> list[Choice]:
    """What a person can decide, what it does and what it risks."""
    of_step = known.kind in OF_STEPS
    on = "the sequence goes on" if of_step else "nothing else changes"
    barred = "the sequence is over for this person" if of_step and known.over else None
    return [
        Choice(
            "sent",
            f"It counts as sent, and {on}.",
            "If it did not leave, they never get it.",
        ),
        Choice(
            "retry",
            "The same bytes leave again, with the same Message-ID, once the sender's pace, the"
            " hours and every stop allow it. Something that comes back before then still stops it.",
            "If it did leave, they get it twice.",
            barred,
        ),
        Choice(
            "abandoned",
            f"It counts as neither, is never sent again, and {on}.",
            "If it did not leave, they never get it; if it did, an answer to it still counts.",
        ),
    ]
