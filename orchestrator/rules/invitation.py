"""The invitation to a call: the iCalendar object (RFC 5545, RFC 5546) and the mail around it."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal
from uuid import UUID

from icalendar import Calendar, Event, vCalAddress, vText

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
    other = values.host_name if to == "prospect" else _who(values)
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
    found = Calendar()
    found.add("PRODID", "-//Avtale//Avtale//EN")
    found.add("VERSION", "2.0")
    found.add("CALSCALE", "GREGORIAN")
    found.add("METHOD", method)
    found.add_component(_event(values, method, language or values.language))
    return bytes(found.to_ical())


def _event(values: BookingValues, method: Method, language: str) -> Event:
    words = WORDS[spoken(language)]
    event = Event()
    event.add("UID", values.uid)
    event.add("SEQUENCE", values.revision)
    event.add("DTSTAMP", _utc(values.changed_at))
    event.add("CREATED", _utc(values.created_at))
    event.add("LAST-MODIFIED", _utc(values.changed_at))
    event.add("DTSTART", _utc(values.start))
    event.add("DTEND", _utc(values.end))
    event.add("SUMMARY", words.summary.format(host=values.host_name, prospect=_who(values)))
    if values.location:
        event.add("LOCATION", values.location)
    if values.note:
        event.add("DESCRIPTION", f"{words.note}: {values.note}")
    event.add("STATUS", "CANCELLED" if method == "CANCEL" else "CONFIRMED")
    event.add("TRANSP", "OPAQUE")
    event.add("ORGANIZER", _address(values.host_name, values.host_email), encode=False)
    for attendee in _attendees(values):
        event.add("ATTENDEE", attendee, encode=False)
    return event


def _attendees(values: BookingValues) -> Sequence[vCalAddress]:
    """The prospect, who is asked; and the host, who has accepted by keeping these hours free."""
    host = _address(values.host_name, values.host_email)
    host.params.update({"ROLE": vText("CHAIR"), "PARTSTAT": vText("ACCEPTED")})
    host.params["CUTYPE"] = vText("INDIVIDUAL")
    if values.prospect_email is None or values.prospect_email == values.host_email:
        return [host]
    prospect = _address(values.prospect_name, values.prospect_email)
    prospect.params.update(
        {
            "CUTYPE": vText("INDIVIDUAL"),
            "ROLE": vText("REQ-PARTICIPANT"),
            "PARTSTAT": vText("NEEDS-ACTION"),
            "RSVP": vText("TRUE"),
        }
    )
    return [prospect, host]


def _address(name: str, email: str) -> vCalAddress:
    address = vCalAddress(f"mailto:{email}")
    # A parameter can hold neither quotes nor control characters (RFC 5545, 3.1).
    shown = "".join("'" if char == '"' else char for char in name if char.isprintable()).strip()
    if shown:
        address.params["CN"] = vText(shown)
    return address


def _who(values: BookingValues) -> str:
    name = values.prospect_name or values.company
    return f"{name} ({values.company})" if values.company and name != values.company else name


def _utc(at: datetime) -> datetime:
    return at.astimezone(UTC).replace(microsecond=0)
