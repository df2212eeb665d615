"""Mail, read: what is automatic is never a person's answer, and no bytes raise."""

from email.message import EmailMessage
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from orchestrator.ids import uuid7
from orchestrator.keys import Keys
from orchestrator.rules.mail import parts
from orchestrator.rules.mail.quotes import written
from orchestrator.rules.mail_reading import Reading, _read, read
from tests.conftest import SECRET

CORPORA = Path(__file__).parents[3] / "shared" / "corpora"
present = pytest.mark.skipif(not CORPORA.exists(), reason="../shared/corpora is not here")
FOOTER = "You get this because we think of you. Unsubscribe: https://a.example/u/x"


def mail(text: str = "Yes, tell me more.", **headers: str) -> bytes:
    """A mail from a prospect to a sender."""
    made = EmailMessage()
    fields = {
        "From": "Ola Hansen <Ola@Acme.example>",
        "To": "kari@sender.example",
        "Subject": "Re: Hello",
        "Message-ID": "<answer@acme.example>",
        "In-Reply-To": "<first@sender.example>",
    } | {name.replace("_", "-"): value for name, value in headers.items()}
    for name, value in fields.items():
        if value:
            made[name] = value
    made.set_content(text)
    return bytes(made)


def report(
    action: str, status: str, said: str = "user unknown", *, auto: str = "auto-replied"
) -> bytes:
    """A delivery report as Postfix writes it."""
    return f"""From: MAILER-DAEMON@mx.example
To: kari@sender.example
Subject: Undelivered Mail Returned to Sender
Auto-Submitted: {auto}
Content-Type: multipart/report; report-type=delivery-status; boundary=b

--b
Content-Type: text/plain

I'm sorry.
--b
Content-Type: message/delivery-status

Reporting-MTA: dns; mx.example

Final-Recipient: rfc822; ola@acme.example
Action: {action}
Status: {status}
Diagnostic-Code: smtp; 550 {status} {said}

--b
Content-Type: message/rfc822

From: kari@sender.example
To: ola@acme.example
Message-ID: <first@sender.example>
Subject: Hello

Hello
--b--
""".replace("\n", "\r\n").encode()


def test_a_reply() -> None:
    found = read(mail("Ja gjerne!\n\nHilsen Ola\n"))
    assert found == Reading(
        kind="reply",
        text="Ja gjerne!\n\nHilsen Ola",
        subject="Re: Hello",
        sender="ola@acme.example",
        sender_name="Ola Hansen",
        message_id="<answer@acme.example>",
        in_reply_to=("<first@sender.example>",),
        to=("kari@sender.example",),
    )


@pytest.mark.parametrize(
    ("action", "status", "said", "kind", "class_"),
    [
        ("failed", "5.1.1", "user unknown", "bounce", "hard"),
        ("failed", "5.0.0", "no such user here", "bounce", "hard"),
        ("failed", "5.1.1", "", "bounce", "hard"),
        ("failed", "5.7.1", "rejected for policy reasons", "bounce", "policy"),
        ("failed", "5.2.2", "mailbox is full", "bounce", "mailbox_full"),
        ("failed", "4.2.2", "over quota", "bounce", "mailbox_full"),
        ("failed", "5.1.1", "the mailbox is over quota", "bounce", "mailbox_full"),
        ("failed", "4.4.7", "delivery time expired", "bounce", "transient"),
        ("failed", "5.3.4", "message too large", "bounce", "other"),
        ("failed", "5.0.0", "", "bounce", "other"),
        ("delayed", "4.4.1", "connection timed out", "delayed", "transient"),
        ("delayed", "4.2.2", "mailbox full", "delayed", "mailbox_full"),
        ("delivered", "2.0.0", "", "auto_reply", "other"),
    ],
)
def test_a_delivery_report_comes_before_auto_submitted(
    action: str, status: str, said: str, kind: str, class_: str
) -> None:
    found = read(report(action, status, said))
    assert (found.kind, found.class_, found.status) == (kind, class_, status)
    assert found.hard == (class_ == "hard")
    assert found.recipients == ("ola@acme.example",)
    assert found.original_ids == ("<first@sender.example>",)
    assert found.text == ""


@pytest.mark.parametrize(
    "headers",
    [
        {"Auto_Submitted": "auto-replied"},
        {"Auto_Submitted": "auto-generated; owner"},
        {"X_Autoreply": "yes"},
        {"Precedence": "auto_reply"},
        {"Subject": "Automatic reply: Hello"},
        {"Subject": "Autosvar: Hello"},
        {"Subject": "Fravær: Hello"},
        {"Subject": "Frånvarande: Hello"},
        {"Subject": "Abwesenheitsnotiz: Hello"},
        {"Subject": "Réponse automatique : Hello"},
    ],
)
def test_automatic_replies(headers: dict[str, str]) -> None:
    assert read(mail("Yes, tell me more", **headers)).kind == "auto_reply"


@pytest.mark.parametrize(
    ("text", "headers"),
    [
        ("I am out of the office until Monday.", {}),
        ("Jeg er på ferie og tilbake mandag.", {}),
        ("Takk", {"Return_Path": "<>"}),
        ("Takk", {"From": "noreply@acme.example"}),
        ("Takk", {"From": ""}),
        ("Takk", {"List_Id": "<friends.acme.example>"}),
        ("550 5.1.1 no such user here", {}),
    ],
)
def test_what_may_be_automatic_is_unknown_and_not_a_reply(
    text: str, headers: dict[str, str]
) -> None:
    assert read(mail(text, **headers)).kind == "unknown"


@pytest.mark.parametrize(
    "headers",
    [
        {"Subject": "Re: Automatic reply: Hello"},
        {"Auto_Submitted": "no"},
        {"X_Auto_Response_Suppress": "All"},
        {"Return_Path": "<ola@acme.example>"},
    ],
)
def test_people_are_not_taken_for_machines(headers: dict[str, str]) -> None:
    assert read(mail(**headers)).kind == "reply"


def test_a_null_sender_does_not_mean_a_bounce() -> None:
    found = read(mail("Jeg er på ferie", Return_Path="<>", Auto_Submitted="auto-replied"))
    assert found.kind == "auto_reply"


@pytest.mark.parametrize(
    ("kind", "expected"), [("abuse", "complaint"), ("auth-failure", "auto_reply")]
)
def test_feedback_reports(kind: str, expected: str) -> None:
    raw = f"""From: fbl@provider.example
Subject: complaint
Content-Type: multipart/report; report-type=feedback-report; boundary=b

--b
Content-Type: message/feedback-report

Feedback-Type: {kind}
Version: 1
Original-Rcpt-To: <ola@acme.example>

--b
Content-Type: message/rfc822

Message-ID: <first@sender.example>

x
--b--
""".encode()
    found = read(raw)
    assert found.kind == expected
    assert found.original_ids == ("<first@sender.example>",)


def test_our_own_follow_up_is_not_an_answer() -> None:
    raw = mail(From="Kari <KARI@sender.example>", Message_ID="<second@sender.example>")
    assert read(raw, own={"kari@sender.example"}).kind == "own"


def test_an_answer_to_an_invitation_is_a_calendar_mail() -> None:
    raw = b"From: ola@acme.example\r\nContent-Type: text/calendar; method=REPLY\r\n\r\nBEGIN:V"
    assert read(raw).kind == "calendar"


def test_tokens_in_addresses_are_found_wherever_the_recipient_stands() -> None:
    token = Keys(SECRET).mail_token(uuid7())
    plus = f"kari+r.{token}@sender.example"
    assert read(mail(To=f"Kari <{plus.upper()}>")).tokens == (token,)
    assert read(mail(Delivered_To=plus)).tokens == (token,)
    assert read(mail(Received=f"from a by b for <{plus}>; Mon, 1 Jan 2026 00:00:00 +0000")).tokens
    assert read(mail(), envelope_to=[plus]).tokens == (token,)
    assert read(mail(To="kari+r.tooshort@sender.example")).tokens == ()


@pytest.mark.parametrize(
    "quoted",
    [
        f"On Tue, 24 Nov 2026 at 10:00, Kari <kari@sender.example> wrote:\n> Hello\n> {FOOTER}",
        f"Den 24. nov. 2026 kl. 10.00 skrev Kari <kari@sender.example>:\n\n  Hello\n  {FOOTER}",
        f"Den tis 24 nov. 2026 kl 10:00 skrev Kari <\nkari@sender.example>:\n> {FOOTER}",
        f"Am 24.11.2026 um 10:00 schrieb Kari:\n> {FOOTER}",
        f"-----Opprinnelig melding-----\nFra: Kari\nSendt: 24. november 2026\n\n{FOOTER}",
        f"From: Kari <kari@sender.example>\nSent: Tuesday\nTo: Ola\nSubject: Hello\n\n{FOOTER}",
        f"Fra: Kari <kari@sender.example>\nDato: tirsdag\nTil: Ola\nEmne: Hello\n\n{FOOTER}",
        f"________________________________\nVon: Kari\nGesendet: Dienstag\n\n{FOOTER}",
        f"-- \nOla\n{FOOTER}",
    ],
)
def test_what_we_wrote_is_never_theirs(quoted: str) -> None:
    assert written(f"Ja takk\n\n{quoted}\n") == "Ja takk"


def test_answers_below_and_between_the_quote_are_found() -> None:
    text = f"On Tue, 24 Nov 2026, Kari wrote:\n> Hello\n> {FOOTER}\n\nYes, please.\n"
    assert written(text) == "Yes, please."
    unmarked = f"On Tue, 24 Nov 2026, Kari wrote:\nHello there, Ola\n{FOOTER}\nYes, please.\n"
    assert written(unmarked) == ""
    assert written(unmarked, sent=[f"Hello there, Ola\n{FOOTER}"]) == "Yes, please."


def test_rewrapped_lines_of_ours_are_subtracted() -> None:
    assert written("Ja\nUnsubscribe:\nhttps://a.example/u/x", sent=[FOOTER]) == "Ja"


def test_html_alone_is_read_as_text() -> None:
    made = EmailMessage()
    made["From"] = "ola@acme.example"
    made.set_content(
        "<p>Ja <b>takk</b></p><blockquote>Hello<br>Unsubscribe</blockquote>", subtype="html"
    )
    assert read(bytes(made)).text == "Ja takk"


@given(raw=st.binary(max_size=2000))
@example(raw=b"Content-Type: multipart/mixed; boundary=\r\n\r\n--\r\n")
@example(raw=b"From: =?utf-8?q?=ff=\r\nContent-Type: text/plain; charset=unheard\r\n\r\n\xff")
def test_no_bytes_raise(raw: bytes) -> None:
    _read(parts.parse(raw), (), (), ())


@given(data=st.data())
@settings(max_examples=150)
def test_no_mutation_of_a_report_raises(data: st.DataObject) -> None:
    raw = bytearray(report("failed", "5.1.1"))
    for _ in range(data.draw(st.integers(1, 12))):
        raw[data.draw(st.integers(0, len(raw) - 1))] = data.draw(st.integers(0, 255))
    cut = data.draw(st.integers(0, len(raw)))
    _read(parts.parse(bytes(raw[:cut])), (), (), ())


@pytest.mark.corpus
@present
def test_no_bounce_complaint_or_vacation_of_the_corpus_is_a_persons_answer() -> None:
    kinds = {path.name: read(path.read_bytes()).kind for path in CORPORA.glob("bounces/*.eml")}
    assert len(kinds) > 200
    assert {name: kind for name, kind in kinds.items() if kind in ("reply", "own")} == {}


@pytest.mark.corpus
@present
def test_every_reply_of_the_corpus_is_a_persons_answer() -> None:
    head = b"From: ola@acme.example\nTo: kari@sender.example\nSubject: Re: hello\n"
    head += b"Content-Type: text/plain; charset=utf-8\n\n"
    paths = sorted(CORPORA.glob("replies/emails/*.txt"))
    kinds = {path.name: read(head + path.read_bytes()).kind for path in paths}
    assert len(kinds) > 20
    assert {name: kind for name, kind in kinds.items() if kind != "reply"} == {}


@pytest.mark.corpus
@present
def test_no_mutation_of_the_corpus_raises() -> None:
    for number, path in enumerate(sorted(CORPORA.glob("bounces/*.eml"))):
        raw = path.read_bytes()
        for cut in (number * 37 % len(raw), len(raw) // 2, len(raw) - 7):
            changed = raw[:cut] + bytes([number % 256, 0, 255]) + raw[cut + 11 :]
            _read(parts.parse(changed), (), (), ())
            _read(parts.parse(raw[:cut]), (), (), ())
