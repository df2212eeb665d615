"""Invitations: read back by a calendar library, and as a person reads them."""

from dataclasses import replace
from datetime import UTC, datetime
from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from icalendar import Calendar

from orchestrator.rules.invitation import (
    BookingValues,
    calendar,
    invitation_mail,
    revision_of,
    step_of,
)
from orchestrator.rules.invitation_words import WORDS

BOOKING = UUID("0192f0c0-0000-7000-8000-000000000001")
VALUES = BookingValues(
    id=BOOKING,
    enrollment_id=UUID("0192f0c0-0000-7000-8000-000000000002"),
    uid="0192f0c0@sender.example",
    revision=0,
    cancelled=False,
    start=datetime(2026, 11, 24, 9, tzinfo=UTC),
    end=datetime(2026, 11, 24, 9, 20, tzinfo=UTC),
    created_at=datetime(2026, 11, 20, 12, 0, 0, 123, tzinfo=UTC),
    changed_at=datetime(2026, 11, 20, 12, 0, 0, 123, tzinfo=UTC),
    host_name="Kari Nordmann",
    host_email="kari@sender.example",
    host_zone="Europe/Oslo",
    location="https://meet.example/kari",
    prospect_name="Ola Hansen",
    prospect_email="ola@acme.example",
    prospect_zone="America/New_York",
    company="Acme AS",
    note="Gjerne om fakturaene; æøå, og mer",
    language="nb",
    host_language="en",
)


def test_a_request_reads_back() -> None:
    raw = calendar(VALUES, "REQUEST")
    found = Calendar.from_ical(raw)
    assert found["METHOD"] == "REQUEST"
    assert found["VERSION"] == "2.0"
    (event,) = found.walk("VEVENT")
    assert event["UID"] == VALUES.uid
    assert event["SEQUENCE"] == 0
    assert event["DTSTART"].dt == VALUES.start
    assert event["DTEND"].dt == VALUES.end
    assert event["DTSTAMP"].dt == datetime(2026, 11, 20, 12, tzinfo=UTC)
    assert event["STATUS"] == "CONFIRMED"
    assert event["SUMMARY"] == "Samtale: Kari Nordmann og Ola Hansen (Acme AS)"
    assert event["DESCRIPTION"].endswith(VALUES.note)
    assert event["ORGANIZER"] == "mailto:kari@sender.example"
    prospect, host = event["ATTENDEE"]
    assert prospect == "mailto:ola@acme.example"
    assert prospect.params["RSVP"] == "TRUE"
    assert prospect.params["PARTSTAT"] == "NEEDS-ACTION"
    assert host.params["PARTSTAT"] == "ACCEPTED"
    assert b"DTSTART:20261124T090000Z\r\n" in raw
    assert b"BEGIN:VTIMEZONE" not in raw
    assert all(len(line) <= 75 for line in raw.split(b"\r\n"))
    assert b"\n" not in raw.replace(b"\r\n", b"")


def test_moved_and_cancelled_keep_the_uid_and_raise_the_sequence() -> None:
    moved = replace(VALUES, revision=1)
    cancelled = replace(VALUES, revision=2, cancelled=True)
    assert (moved.news, moved.method) == ("moved", "REQUEST")
    assert (cancelled.news, cancelled.method) == ("cancelled", "CANCEL")
    events = [
        Calendar.from_ical(calendar(each, each.method)).walk("VEVENT")[0]
        for each in (VALUES, moved, cancelled)
    ]
    assert {event["UID"] for event in events} == {VALUES.uid}
    assert [event["SEQUENCE"] for event in events] == [0, 1, 2]
    assert events[2]["STATUS"] == "CANCELLED"
    assert Calendar.from_ical(calendar(cancelled, "CANCEL"))["METHOD"] == "CANCEL"


@settings(max_examples=100, deadline=None)
@given(st.text(max_size=120), st.text(max_size=200))
def test_no_name_or_note_breaks_out_of_its_line(name: str, note: str) -> None:
    values = replace(VALUES, prospect_name=name, host_name=name, note=note, location=note)
    (event,) = Calendar.from_ical(calendar(values, "REQUEST")).walk("VEVENT")
    assert event["UID"] == VALUES.uid
    assert len(event["ATTENDEE"]) == 2
    assert set(event) <= {
        "UID", "SEQUENCE", "DTSTAMP", "CREATED", "LAST-MODIFIED", "DTSTART", "DTEND", "SUMMARY",
        "LOCATION", "DESCRIPTION", "STATUS", "TRANSP", "ORGANIZER", "ATTENDEE",
    }  # fmt: skip
    subject, _ = invitation_mail(values, "en", "host")
    assert "\n" not in subject
    assert "\r" not in subject


def test_without_a_mail_address_only_the_host_attends() -> None:
    raw = calendar(replace(VALUES, prospect_email=None), "REQUEST")
    (event,) = Calendar.from_ical(raw).walk("VEVENT")
    assert event["ATTENDEE"] == "mailto:kari@sender.example"


@pytest.mark.parametrize("language", ["nb", "sv", "da", "en", "de", "nn", "en-GB", "xx"])
@pytest.mark.parametrize("to", ["prospect", "host"])
def test_mails_in_every_language(language: str, to: str) -> None:
    for values in (
        VALUES,
        replace(VALUES, revision=1),
        replace(VALUES, revision=2, cancelled=True),
    ):
        subject, text = invitation_mail(values, language, to, "https://a.example/p/x")  # type: ignore[arg-type]
        assert "{" not in subject + text
        assert ("04" if to == "prospect" else "10") in subject
        assert ("https://a.example/p/x" in text) == (to == "prospect")
        assert (VALUES.location in text) == (not values.cancelled)
        assert len(subject) < 150


def test_times_are_the_readers() -> None:
    subject, text = invitation_mail(VALUES, "nb", "host")
    assert subject == (
        "Avtalt: samtale med Ola Hansen (Acme AS), "
        "tirsdag 24. november 2026, 10:00–10:20 (tid i Oslo)"
    )
    assert text.startswith("Samtalen med Ola Hansen (Acme AS) er avtalt:\n\ntirsdag 24.")
    subject, _ = invitation_mail(VALUES, "en", "prospect")
    assert subject.endswith("Tuesday, 24 November 2026, 04:00–04:20 (New York time)")
    assert set(WORDS) == {"nb", "sv", "da", "en", "de"}


def test_the_step_of_a_message_tells_its_revision() -> None:
    assert revision_of(step_of(BOOKING, 3, "host")) == 3
    for other in ("hello", "booking:x", "booking:a:b:c"):
        with pytest.raises(ValueError, match=r"is not about|invalid literal"):
            revision_of(other)
