"""Mail, read: what is automatic is never a person's answer, and no bytes raise."""

from datetime import date
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


def feedback(kind: str, original: str) -> bytes:
    """A feedback report (RFC 5965)."""
    return f"""From: fbl@provider.example
Subject: complaint
Content-Type: multipart/report; report-type=feedback-report; boundary=b

--b
Content-Type: message/feedback-report

Feedback-Type: {kind}
Version: 1
Original-Rcpt-To: <ola@acme.example>

--b
Content-Type: message/rfc822

Message-ID: <{original}>

x
--b--
""".encode()


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
    ("kind", "expected", "class_"),
    [
        ("abuse", "complaint", "abuse"),
        ("fraud", "complaint", "fraud"),
        ("opt-out", "complaint", "opt_out"),
        ("auth-failure", "auto_reply", "other"),
        ("not-spam", "auto_reply", "other"),
    ],
)
def test_feedback_reports(kind: str, expected: str, class_: str) -> None:
    found = read(feedback(kind, "first@sender.example"))
    assert (found.kind, found.class_) == (expected, class_)
    assert found.original_ids == ("<first@sender.example>",)
    assert found.recipients == ("ola@acme.example",)


SENDMAIL = b"""From: Mail Delivery Subsystem <MAILER-DAEMON@mx.example>
Subject: Returned mail: see transcript for details

   ----- The following addresses had permanent fatal errors -----
<ola@acme.example>
    (reason: 550 5.1.1 <ola@acme.example>... User unknown)

   ----- Original message follows -----
Return-Path: <kari@sender.example>
Received: from a by b; Mon, 1 Jan 2026 00:00:00 +0000
To: Ola <ola@acme.example>, eva@acme.example
Message-ID: <first@sender.example>
"""
QMAIL = b"""From: MAILER-DAEMON@mx.example
To: kari@sender.example
Subject: failure notice

Hi. This is the qmail-send program at mx.example.
I'm afraid I wasn't able to deliver your message to the following addresses.
This is a permanent error; I've given up. Sorry it didn't work out.

<ola@acme.example>:
203.0.113.5 does not like recipient.
Remote host said: 552 5.2.2 mailbox is full
Giving up on 203.0.113.5.

--- Below this line is a copy of the message.

Return-Path: <kari@sender.example>
Received: (qmail 1 invoked from network); 1 Jan 2026 00:00:00 -0000
Message-ID: <first@sender.example>
"""
EXCHANGE = b"""From: System Administrator <postmaster@acme.example>
Subject: Undeliverable: Hello
In-Reply-To: <first@sender.example>

Your message

  To:      info@acme.example
  Subject: Hello

did not reach the following recipient(s):

ola@acme.example on Thu, 1 Jan 2026 10:00:00 +0100
    The recipient name is not recognized
"""
EXIM = b"""From: Mail Delivery System <Mailer-Daemon@mx.example>
X-Failed-Recipients: ola@acme.example
Subject: Warning: message 1abc-0001 delayed 24 hours

This message was created automatically by mail delivery software.
A message that you sent has not yet been delivered to one or more of its recipients.
No action is required on your part. Delivery attempts will continue for some time.
  Message-ID: <first@sender.example>
"""
INTERNATIONAL = b"""From: MAILER-DAEMON@mx.example
Content-Type: multipart/report; report-type=delivery-status; boundary=b

--b
Content-Type: message/global-delivery-status; charset=utf-8

Reporting-MTA: dns; mx.example

Final-Recipient: utf-8; ol\\x{E5}@acme.example
Action: failed
Status: 5.1.1
--b
Content-Type: message/global-headers

Message-ID: <first@sender.example>
--b--
"""
SIEVE = b"""From: Mail Delivery Subsystem <postmaster@mx.example>
Subject: Automatically rejected mail
Content-Type: multipart/report; report-type=disposition-notification; boundary=b

--b

Your message to <ola@acme.example> was automatically rejected: mailbox is full
--b
Content-Type: message/disposition-notification

Final-Recipient: rfc822; ola@acme.example
Original-Message-ID: <first@sender.example>
Disposition: automatic-action/MDN-sent-automatically; deleted
--b--
"""
NOTIFICATION = b"""From: AWS <no-reply@sns.example>
Subject: AWS Notification Message

{"notificationType": "Bounce", "bounce": {"bouncedRecipients": [{"emailAddress": "ola@acme.example",
"action": "failed", "status": "5.1.1", "diagnosticCode": "smtp; 550 5.1.1 user unknown"}]},
"mail": {"messageId": "1"}}
"""


@pytest.mark.parametrize(
    ("raw", "kind", "class_", "recipient"),
    [
        (SENDMAIL, "bounce", "hard", "ola@acme.example"),
        (QMAIL, "bounce", "mailbox_full", "ola@acme.example"),
        (EXCHANGE, "bounce", "hard", "ola@acme.example"),
        (EXIM, "delayed", "transient", "ola@acme.example"),
        (INTERNATIONAL, "bounce", "hard", "olå@acme.example"),
        (SIEVE, "bounce", "mailbox_full", "ola@acme.example"),
        (NOTIFICATION, "bounce", "hard", "ola@acme.example"),
    ],
    ids=["sendmail", "qmail", "exchange", "exim", "rfc6533", "rfc5429", "ses"],
)
def test_bounces_as_mail_systems_write_them(
    raw: bytes, kind: str, class_: str, recipient: str
) -> None:
    found = read(raw)
    assert (found.kind, found.class_, found.recipients) == (kind, class_, (recipient,))
    assert found.original_ids == (("<first@sender.example>",) if b"first@" in raw else ())


def test_one_hard_failure_among_others_is_not_hard() -> None:
    full = (
        b"\r\n\r\nFinal-Recipient: rfc822; eva@acme.example\r\nAction: failed\r\nStatus: 5.2.2\r\n"
    )
    raw = report("failed", "5.1.1").replace(b"user unknown\r\n", b"user unknown" + full)
    found = read(raw)
    assert found.recipients == ("ola@acme.example", "eva@acme.example")
    assert (found.class_, found.hard) == ("hard", False)


def test_a_bounce_that_a_person_forwards_is_theirs() -> None:
    raw = b"""From: Ola <ola@acme.example>
Subject: Fwd: your mail
Content-Type: multipart/mixed; boundary=outer

--outer

See what came back to us.
--outer
Content-Type: message/rfc822

""" + report("failed", "5.1.1")
    assert read(raw + b"\n--outer--\n").kind in ("reply", "unknown")
    assert read(raw.replace(b"Ola <ola@acme", b"MAILER-DAEMON <x@acme")).kind == "bounce"


@pytest.mark.parametrize(
    ("subject", "text", "class_"),
    [
        ("Automatic reply: Hello", "I am out of the office.", "out_of_office"),
        ("Re: Hello", "Thank you for contacting our support team.", "ticket"),
        ("Re: Hello", "Vi har mottatt din henvendelse, saksnummer 12345.", "ticket"),
        ("Autosvar", "Jeg er på ferie.", "out_of_office"),
    ],
)
def test_sorts_of_automatic_replies(subject: str, text: str, class_: str) -> None:
    found = read(mail(text, Subject=subject, Auto_Submitted="auto-replied"))
    assert (found.kind, found.class_) == ("auto_reply", class_)
    assert (found.absence is not None) == (class_ == "out_of_office")


def test_an_absence_has_its_date() -> None:
    found = read(
        mail(
            "Jeg er på ferie og tilbake 7. desember.",
            Auto_Submitted="auto-replied",
            Date="Mon, 23 Nov 2026 10:00:00 +0100",
        )
    )
    assert found.absence is not None
    assert found.absence.returns == date(2026, 12, 7)


def test_our_own_follow_up_is_not_an_answer() -> None:
    raw = mail(From="Kari <KARI@sender.example>", Message_ID="<second@sender.example>")
    assert read(raw, own={"kari@sender.example"}).kind == "own"


def test_an_answer_to_an_invitation_is_a_calendar_mail() -> None:
    raw = b"From: ola@acme.example\r\nContent-Type: text/calendar; method=REPLY\r\n\r\nBEGIN:V"
    assert read(raw).kind == "calendar"
    assert read(raw.replace(b"; method=REPLY", b"") + b"\r\nMETHOD:REPLY\r\n").kind == "calendar"


@pytest.mark.parametrize("method", ["REQUEST", "COUNTER", "PUBLISH"])
def test_who_invites_us_has_answered_and_is_read_by_one_of_us(method: str) -> None:
    raw = f"From: ola@acme.example\r\nContent-Type: text/calendar; method={method}\r\n\r\nBEGIN:V"
    assert read(raw.encode()).kind == "unknown"


@pytest.mark.parametrize("subject", ["Takk for din e-post", "Thank you for your email", "Ferie"])
def test_a_subject_that_people_write_too_makes_no_automatic_reply(subject: str) -> None:
    assert read(mail("Please stop writing to me.", Subject=subject)).kind == "unknown"
    away = "I am out of the office. We have received your request, case number 12345."
    assert read(mail(away, Subject=subject)).kind == "auto_reply"


@pytest.mark.parametrize(
    "headers",
    [
        {"X_MS_Exchange_Inbox_Rules_Loop": "kari@sender.example"},
        {"Auto_Submitted": "auto-forwarded"},
        {
            "From": "'Ola Hansen' via Sales <kari@sender.example>",
            "X_Original_From": "Ola Hansen <ola@acme.example>",
        },
    ],
)
def test_an_answer_that_a_mailbox_sent_on_is_not_lost(headers: dict[str, str]) -> None:
    assert read(mail("Please stop.", **headers), own={"kari@sender.example"}).kind == "unknown"


def test_an_administrator_who_names_a_version_is_no_bounce() -> None:
    who = '"Ola Hansen (System Administrator)" <ola@acme.example>'
    assert read(mail("We run 5.1.1 of it.", From=who, Subject="Hello")).kind == "reply"


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
@example(raw="Subject: =?ut‰-8?q?x?=".encode())
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
