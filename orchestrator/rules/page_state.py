"""What the prospect's own page says and offers, given where things stand."""

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from enum import StrEnum

_RUNNING = ("active", "sending", "held")
LONGEST_REST = timedelta(days=731)  # "at most two years", a leap day included


class Standing(StrEnum):
    """Where a prospect stands in one enrollment, as the page tells it."""

    OPTED_OUT = "opted_out"
    BOOKED = "booked"
    CALLED = "called"  # the time of the call has passed
    UNLOCKED = "unlocked"
    RESTING = "resting"  # not before a date that the prospect chose
    ANSWERED = "answered"  # a human answer came and a person has it now
    DECLINED = "declined"
    OPEN = "open"
    OVER = "over"  # it ended without an answer


class Choice(StrEnum):
    """What the page can offer."""

    MORE = "more"
    TIMES = "times"
    LATER = "later"
    NEVER = "never"
    BOOKING = "booking"  # look at, move or cancel the booking


@dataclass(frozen=True, slots=True)
class PageFacts:
    """What is known about one enrollment and its prospect."""

    state: str
    stop_reason: str | None = None
    answered_at: datetime | None = None
    opted_out_at: datetime | None = None
    not_before: datetime | None = None
    unclear: bool = False  # an answer waits for a person to read it
    tap_moves: bool = True  # whether "tell me more" would do something (rules.gate)
    unlocked: bool = False
    booking_end: datetime | None = None  # of the live booking


@dataclass(frozen=True, slots=True)
class PageState:
    """What the page shows."""

    standing: Standing
    choices: frozenset[Choice]

    def offers(self, choice: Choice) -> bool:
        """Whether `choice` is on the page, and so whether its POST does anything."""
        return choice in self.choices


_CHOICES: dict[Standing, frozenset[Choice]] = {
    Standing.OPTED_OUT: frozenset(),
    Standing.BOOKED: frozenset({Choice.BOOKING, Choice.NEVER}),
    Standing.CALLED: frozenset({Choice.BOOKING, Choice.NEVER}),
    Standing.UNLOCKED: frozenset({Choice.TIMES, Choice.LATER, Choice.NEVER}),
    Standing.RESTING: frozenset({Choice.MORE, Choice.LATER, Choice.NEVER}),
    Standing.ANSWERED: frozenset({Choice.LATER, Choice.NEVER}),
    Standing.DECLINED: frozenset({Choice.MORE, Choice.NEVER}),
    Standing.OPEN: frozenset({Choice.MORE, Choice.LATER, Choice.NEVER}),
    Standing.OVER: frozenset({Choice.MORE, Choice.LATER, Choice.NEVER}),
}


def page_state(facts: PageFacts, now: datetime) -> PageState:
    """What the page of an enrollment says and offers at `now`."""
    standing = _standing(facts, now)
    choices = set(_CHOICES[standing])
    # Somebody who has a call and then says never may still see and cancel it.
    if facts.booking_end is not None and facts.booking_end > now:
        choices.add(Choice.BOOKING)
    if not facts.tap_moves:
        choices.discard(Choice.MORE)
    # A tap says plainly what a mail left unclear.
    if standing is Standing.ANSWERED and facts.unclear and facts.tap_moves:
        choices.add(Choice.MORE)
    # Who asked for rest after the unlock may still pick a time: it is theirs to change.
    if standing is Standing.RESTING and facts.unlocked:
        choices = (choices - {Choice.MORE}) | {Choice.TIMES}
    return PageState(standing, frozenset(choices))


def _standing(facts: PageFacts, now: datetime) -> Standing:
    if facts.opted_out_at is not None:
        return Standing.OPTED_OUT
    if facts.booking_end is not None:
        return Standing.BOOKED if facts.booking_end > now else Standing.CALLED
    if facts.not_before is not None and facts.not_before > now:
        return Standing.RESTING
    if facts.unlocked:
        return Standing.UNLOCKED
    if facts.stop_reason == "declined":
        return Standing.DECLINED
    if facts.answered_at is not None or facts.unclear:
        return Standing.ANSWERED
    return Standing.OPEN if facts.state in _RUNNING else Standing.OVER


def month_later(day: date, months: int) -> date:
    """The same day `months` later, or the last of a shorter month."""
    index = day.year * 12 + day.month - 1 + months
    year, month = divmod(index, 12)
    for last in (day.day, 30, 29, 28):
        if last <= day.day:
            try:
                return date(year, month + 1, last)
            except ValueError:
                continue
    raise AssertionError("every month has 28 days")


def rest_fault(until: date, today: date) -> str | None:
    """Why nobody can rest until `until`: "past" or "far"; None when they can. `today` is the
    prospect's own."""
    if until <= today:
        return "past"
    return "far" if until - today > LONGEST_REST else None
