"""Compare the sink's ledger, which is the truth, with what the database says."""

from collections import Counter

from tests.faults.harness import Town
from tests.faults.scenario import Tally

# What the database says of a message that it did not hand over, or took back.
_NOT_LEFT = {"pending", "leased", "retry_wait", "failed", "cancelled", "suppressed", "abandoned"}


def name_of(made: Town) -> str:
    """The SQL of the name that the ledger has for a message."""
    return "cast(id as text)" if made.channel == "slack" else "rfc_message_id"


def states(made: Town) -> dict[str, str]:
    """What the database says of each message, by the name that the ledger has for it."""
    return dict(made.query(f"select {name_of(made)}, state from messages"))


def tally(made: Town, *, expected: int, kills: int = 0, stopped: int = 0) -> Tally:
    """The queue words of a town in which `expected` messages were due and all should have left,
    but for `stopped` that somebody said no to meanwhile."""
    return compare(
        made.handed_over(),
        states(made),
        expected=expected,
        kills=kills,
        stopped=stopped,
    )


def compare(
    taken: Counter[str], states: dict[str, str], *, expected: int, kills: int = 0, stopped: int = 0
) -> Tally:
    """`taken`: how often the sink took each Message-ID; `states`: what the database says of each.

    A message in `sending` that is left over counts as lost: nobody has brought it to an end.
    """
    never_planned = max(0, expected - len(states))
    ended = {one for one, state in states.items() if state in ("sent", "in_doubt")}
    lost = [one for one, state in states.items() if state == "sent" and not taken[one]]
    stuck = [one for one in states if one not in ended and not taken[one]]
    unexpected = [one for one in taken if states.get(one, "pending") in _NOT_LEFT]
    stranded = [one for one in taken if states.get(one) == "sending"]
    return Tally(
        messages=expected,
        kills=kills,
        lost=never_planned + len(lost) + max(0, len(stuck) - stopped) + len(stranded),
        duplicated=sum(count - 1 for count in taken.values()),
        unexpected=len(unexpected),
        in_doubt=sum(state == "in_doubt" for state in states.values()),
    )


def judge(found: Tally, *, in_doubt_at_most: int) -> tuple[str, ...]:
    """What is wrong with a tally: no words, nothing wrong."""
    wrong = [
        f"{count} {word}"
        for word, count in (
            ("lost", found.lost),
            ("duplicated", found.duplicated),
            ("unexpected", found.unexpected),
        )
        if count
    ]
    if found.in_doubt > in_doubt_at_most:
        wrong.append(f"{found.in_doubt} in doubt, at most {in_doubt_at_most} can be")
    return tuple(wrong)
