"""Hand-made mails, read back by the standard library's parser."""

import email
import email.policy
import re
from datetime import UTC, datetime
from email.message import EmailMessage
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from channels.base import Attachment
from channels.email import mime
from channels.email.settings import parse_settings
from channels.email.smtp import wire_form
from tests.channels.make import account, draft

SENDER = account(25)
SETTINGS = parse_settings(SENDER.settings)
ICS = b"BEGIN:VCALENDAR\r\nMETHOD:REQUEST\r\nEND:VCALENDAR\r\n"
INVITE = Attachment("invite.ics", "text/calendar; method=REQUEST", ICS)

# One line of anything that people or spreadsheets put into a name or subject.
LINE = st.text(
    st.characters(exclude_categories=("Cs", "Cc"), exclude_characters="\u2028\u2029"), max_size=300
)
BODY = st.text(st.characters(exclude_categories=("Cs",), exclude_characters="\x00"), max_size=2000)


def built(**values: Any) -> tuple[bytes, EmailMessage]:
    raw = mime.build(SENDER, SETTINGS, draft(**values))
    parsed = email.message_from_bytes(raw, policy=email.policy.default)
    assert isinstance(parsed, EmailMessage)
    for part in parsed.walk():
        assert part.defects == []
    return raw, parsed


def lines_of(text: str) -> str:
    made = text.replace("\r\n", "\n").replace("\r", "\n")
    return made if made.endswith("\n") else made + "\n"


def body_of(parsed: EmailMessage, kind: str) -> str:
    part = parsed.get_body((kind,))
    assert part is not None
    payload = part.get_payload(decode=True)
    assert isinstance(payload, bytes)
    return payload.decode().replace("\r\n", "\n")


@given(subject=LINE, name=LINE)
def test_subject_and_name_come_back_equal(subject: str, name: str) -> None:
    raw, parsed = built(subject=subject, recipient_name=name)
    assert str(parsed["Subject"]) == subject
    [to] = parsed["To"].addresses
    # CPython before 3.12.4 keeps the fold between two encoded words of a phrase as a space.
    assert to.display_name.replace(" ", "") == "".join(name.split())
    if len(name.encode()) < 15:
        assert to.display_name == " ".join(name.split())
    assert to.addr_spec == "ola@prospect.example"
    assert mime.is_to(raw, "ola@prospect.example")
    assert not mime.is_to(raw, "a@prospect.example")


# What takes the short way through `headers`, and what only just does not.
PLAIN = st.lists(
    st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=1, max_size=70),
    min_size=1,
    max_size=12,
).map(" ".join)


@given(subject=PLAIN, name=PLAIN)
def test_plain_words_come_back_equal(subject: str, name: str) -> None:
    raw, parsed = built(subject=subject, recipient_name=name)
    check_wire(raw)
    assert str(parsed["Subject"]) == subject
    [to] = parsed["To"].addresses
    assert to.addr_spec == "ola@prospect.example"
    assert to.display_name.replace(" ", "") == name.replace(" ", "")


def test_times_that_are_equal_keep_their_zones() -> None:
    shown = []
    for zone in (UTC, ZoneInfo("Asia/Kolkata"), ZoneInfo("Europe/Oslo"), UTC):
        _, parsed = built(date=datetime(2026, 11, 24, 9, 0, tzinfo=UTC).astimezone(zone))
        shown.append(str(parsed["Date"])[-14:])
    assert shown == ["09:00:00 +0000", "14:30:00 +0530", "10:00:00 +0100", "09:00:00 +0000"]


def test_a_time_without_a_zone_is_no_date() -> None:
    with pytest.raises(ValueError, match="zone"):
        built(date=datetime(2026, 11, 24, 9, 0))  # noqa: DTZ001 - that is the point


@given(text=BODY, html=BODY)
def test_text_and_html_come_back_equal(text: str, html: str) -> None:
    raw, parsed = built(text=text, html=html)
    assert body_of(parsed, "plain") == lines_of(text)
    assert body_of(parsed, "html") == lines_of(html)
    check_wire(raw)


def check_wire(raw: bytes) -> None:
    """RFC 5322 2.1.1, RFC 5321 4.5.2: CRLF lines of at most 998 bytes, ASCII, no bare dot."""
    assert raw.endswith(b"\r\n")
    assert raw.isascii()
    assert b"\x00" not in raw
    assert not re.search(rb"(?<!\r)\n|\r(?!\n)", raw)
    assert max(len(line) for line in raw.split(b"\r\n")) <= 998
    head = raw.partition(b"\r\n\r\n")[0]
    assert max(len(line) for line in head.split(b"\r\n")) <= 200


@given(subject=LINE, name=LINE)
def test_header_lines_are_short_and_ascii(subject: str, name: str) -> None:
    raw, _ = built(subject=subject, recipient_name=name)
    check_wire(raw)
    head = raw.partition(b"\r\n\r\n")[0]
    for line in head.split(b"\r\n"):
        if line.startswith((b"Subject:", b"To:", b" =?")):
            assert len(line) <= 78


@given(text=st.text(st.sampled_from(".\n\ra "), max_size=60))
def test_dots_survive_the_wire(text: str) -> None:
    raw, _ = built(text=text)
    wire = wire_form(raw)
    assert b"\r\n.\r\n" not in wire[:-5]
    assert wire.endswith(b"\r\n.\r\n")
    lines = wire[:-3].split(b"\r\n")
    assert b"\r\n".join(line[1:] if line.startswith(b".") else line for line in lines) == raw


@pytest.mark.parametrize(
    ("head", "named"),
    [
        (b"To: a@x.example\r\nSubject: x", True),
        (b"Date: x\r\nTo: Ola <a@x.example>", True),
        (b"Date: x\r\nTo: =?utf-8?q?=C3=85se?=\r\n =?utf-8?q?_Li?=\r\n <a@x.example>", True),
        (b"To: a@x.example\r\nTo: a@x.example", False),
        (b"To: a@x.example\r\nX: y\r\nTo: Ola <b@x.example>", False),
        (b"To: a@x.example\r\nTo:b@x.example", False),
        (b"To: a@x.example, b@x.example", False),
        (b"To: b@x.example <a@x.example>", True),
        (b"To: a@x.example <b@x.example>", False),
        (b"Reply-To: a@x.example", False),
        (b"Subject: x\r\n To: a@x.example", False),
        (b"Subject: x\r\n\r\nTo: a@x.example", False),
    ],
)
def test_a_mail_is_to_whom_its_one_header_names(head: bytes, named: bool) -> None:
    assert mime.is_to(head + b"\r\n\r\nTo: c@x.example\r\n", "a@x.example") is named


BREAKS = ["\r", "\n", "\r\n", "\x00", "\x0b", "\x0c", "\x1c", "\x85", "\u2028", "\u2029", "\x7f"]


@pytest.mark.parametrize("broken", BREAKS)
@pytest.mark.parametrize("field", ["subject", "recipient_name", "recipient", "rfc_message_id",
                                   "in_reply_to", "unsubscribe_url"])  # fmt: skip
def test_no_value_can_end_its_header(field: str, broken: str) -> None:
    before = {"unsubscribe_url": "https://x.example/", "recipient": "ola@prospect.example",
              "rfc_message_id": "<a@b.example>", "in_reply_to": "<a@b.example>"}  # fmt: skip
    value = before.get(field, "Hei") + broken + "Bcc: eva@x.example"
    with pytest.raises(ValueError, match=r"."):
        mime.build(SENDER, SETTINGS, draft(**{field: value}))


def test_an_invitation_is_inline_and_attached() -> None:
    _, parsed = built(attachments=(INVITE,), automatic=True)
    assert parsed.get_content_type() == "multipart/mixed"
    alternative, attached = parsed.iter_parts()
    kinds = [part.get_content_type() for part in alternative.iter_parts()]
    assert kinds == ["text/plain", "text/html", "text/calendar"]
    inline = list(alternative.iter_parts())[2]
    assert inline.get_param("method") == "REQUEST"
    assert inline.get_payload(decode=True) == ICS
    assert attached.get_filename() == "invite.ics"
    assert attached.get_content_disposition() == "attachment"
    assert attached.get_payload(decode=True) == ICS
    assert parsed["Auto-Submitted"] == "auto-generated"


def test_outreach_can_be_unsubscribed_from_in_one_click() -> None:
    _, parsed = built(unsubscribe_url="https://avtale.example/u/token")
    assert parsed["List-Unsubscribe"] == "<https://avtale.example/u/token>"
    assert parsed["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    assert parsed["Auto-Submitted"] is None


def test_a_follow_up_is_threaded() -> None:
    ids = tuple(f"<{number}@sender.example>" for number in range(30))
    _, parsed = built(in_reply_to=ids[-1], references=ids)
    assert parsed["In-Reply-To"] == ids[-1]
    kept = str(parsed["References"]).split()
    assert (kept[0], kept[-1], len(kept)) == (ids[0], ids[-1], 20)


def test_the_same_draft_gives_the_same_bytes() -> None:
    assert built(attachments=(INVITE,))[0] == built(attachments=(INVITE,))[0]


def test_text_alone_is_a_plain_mail() -> None:
    _, parsed = built(html=None)
    assert parsed.get_content_type() == "text/plain"


def test_a_name_too_long_for_a_tag_goes_without() -> None:
    local = "k" * 40
    assert mime.tagged(f"{local}@x.example", "r." + "a" * 42) == f"{local}@x.example"


@pytest.mark.parametrize("name", ["../x.ics", 'a".ics', "a\r\nb", "", "påskrift.pdf"])
def test_a_file_name_is_plain(name: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        built(attachments=(Attachment(name, "application/pdf", b"x"),))
