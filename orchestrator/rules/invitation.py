"""The invitation to a call: its values, and the mail around the iCalendar object."""

from dataclasses import dataclass
from datetime import datetime
from typing import Literal
from uuid import UUID

from orchestrator.rules.invitation_words import WORDS, local_time, spoken

Method = Literal["REQUEST", "CANCEL"]
Reader = Literal["prospect", "host"]
News = Literal["booked", "moved", "cancelled"]


@dataclass(frozen=True, slots=True)
class BookingValues:
    """A booking with all that its invitation says. `revision` counts the changes since the first
    one; `changed_at` is when the last was made."""

    id: UUID
    enrollment_id: UUID
    uid: str
    revision: int
    cancelled: bool
    start: datetime
    end: datetime
    created_at: datetime
    changed_at: datetime
    host_name: str
    host_email: str
    host_zone: str
    location: str
    prospect_name: str
    prospect_email: str | None  # None: no mail reaches them any more
    prospect_zone: str
    company: str
    note: str
    language: str  # the prospect's, else the sequence's
    host_language: str  # the sequence's

    @property
    def news(self) -> News:
        """What the present revision tells."""
        if self.cancelled:
            return "cancelled"
        return "moved" if self.revision else "booked"

    @property
    def method(self) -> Method:
        """The iTIP method of the present revision (RFC 5546, 3.2.2 and 3.2.5)."""
        return "CANCEL" if self.cancelled else "REQUEST"


def revision_of(step: str) -> int:
    """The revision that a message is about, of its step `booking:<id>:<revision>:<to>`.

    When it is lower than the booking's own, the message is overtaken and must not leave. Raises
    ValueError for the step of another kind of message.
    """
    parts = step.split(":")
    if len(parts) != 4 or parts[0] != "booking":
        raise ValueError(f"`{step}` is not about a booking")
    return int(parts[2])


def step_of(booking_id: UUID, revision: int, to: Reader) -> str:
    """The step under which a message about a booking is kept: one for each revision and reader."""
    return f"booking:{booking_id}:{revision}:{to}"


def invitation_mail(
    values: BookingValues, language: str, to: Reader, page_url: str = ""
) -> tuple[str, str]:
    """Subject and text of the mail that carries the calendar object, in `language`.

    Date and time are those of the reader's zone. `page_url` is where the prospect moves or cancels
    the call; it is left out for the host, and where it is empty.
    """
    words = WORDS[spoken(language)]
    zone = values.prospect_zone if to == "prospect" else values.host_zone
    when = local_time(values.start, values.end, zone, spoken(language))
    other = values.host_name if to == "prospect" else who_of(values)
    lines = [words.opening[values.news].format(other=other), "", when]
    if values.location and not values.cancelled:
        lines.append(f"{words.place}: {values.location}")
    if values.note and not values.cancelled:
        lines += ["", f"{words.note}: {values.note}"]
    if page_url and to == "prospect":
        change = words.again if values.cancelled else words.change
        lines += ["", f"{change}: {page_url}"]
    subject = words.subject[values.news].format(other=other, when=when)
    return " ".join(subject.split()), "\n".join(lines) + "\n"


def calendar(values: BookingValues, method: Method, language: str | None = None) -> bytes:
    """The invitation as an iCalendar object with one event, for `text/calendar; method=...`.

    UID stays for life and SEQUENCE rises with the revision, so that a calendar changes its entry
    instead of adding one. Times are UTC, which every calendar shows in its owner's own zone.
    """
    # A fifth of a second of imports, which a start of a process does not wait for.
    from orchestrator.rules.calendar_object import event_of, wrapped

    return wrapped(event_of(values, language or values.language, method), method)


def who_of(values: BookingValues) -> str:
    """Who is called, with the company where it is not the same."""
    name = values.prospect_name or values.company
    return f"{name} ({values.company})" if values.company and name != values.company else name
