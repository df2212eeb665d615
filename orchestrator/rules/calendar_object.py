"""The iCalendar object of an invitation (RFC 5545, RFC 5546)."""

from collections.abc import Sequence
from datetime import UTC, datetime

from icalendar import Calendar, Event, vCalAddress, vText

from orchestrator.rules.invitation import BookingValues, Method, who_of
from orchestrator.rules.invitation_words import WORDS, spoken


def wrapped(event: Event, method: Method) -> bytes:
    """The bytes of a calendar with this event."""
    found = Calendar()
    found.add("PRODID", "-//Avtale//Avtale//EN")
    found.add("VERSION", "2.0")
    found.add("CALSCALE", "GREGORIAN")
    found.add("METHOD", method)
    found.add_component(event)
    return bytes(found.to_ical())


def event_of(values: BookingValues, language: str, method: Method) -> Event:
    """The one event. Times are UTC, which every calendar shows in its owner's own zone."""
    words = WORDS[spoken(language)]
    event = Event()
    event.add("UID", values.uid)
    event.add("SEQUENCE", values.revision)
    event.add("DTSTAMP", _utc(values.changed_at))
    event.add("CREATED", _utc(values.created_at))
    event.add("LAST-MODIFIED", _utc(values.changed_at))
    event.add("DTSTART", _utc(values.start))
    event.add("DTEND", _utc(values.end))
    event.add("SUMMARY", words.summary.format(host=values.host_name, prospect=who_of(values)))
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


def _utc(at: datetime) -> datetime:
    return at.astimezone(UTC).replace(microsecond=0)
