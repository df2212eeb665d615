"""Score the reader on mails that were written from knowledge of mail systems, not from a corpus.

python -m tests.corpus.fresh [NAME...] [--misses]

A NAME is a file of `tests/corpus/fresh/` without its ending. A mail begins with
`@@ name | verdict[ verdict...] | recipients | options`: the first verdict is the strict one, the
others are allowed where two careful people would differ. `%%report`, `%%status`, `%%original
ADDRESS` and `%%part TYPE` begin the parts of a multipart mail; in a mail without parts `%%original`
puts our message below. Options: `cs=CHARSET`, `enc=base64|quoted-printable`,
`mixed=yes` where not every address is gone.
"""

import argparse
import base64
import quopri
from collections import Counter
from dataclasses import dataclass, field
from email.header import Header
from pathlib import Path

from orchestrator.rules import mail_reading
from orchestrator.rules.mail_reading import Reading

FOLDER = Path(__file__).parent / "fresh"
MACHINE = ("bounce", "delayed", "complaint")
DEFAULTS = {
    "From": "Mail Delivery System <mailer-daemon@mx.host.example>",
    "To": "kari@vaar.example",
    "Date": "Tue, 10 Nov 2026 09:12:33 +0100",
    "Subject": "Undelivered Mail Returned to Sender",
    "MIME-Version": "1.0",
}
ORIGINAL = """Return-Path: <kari@vaar.example>
Message-ID: <20261110.7f3a@send.vaar.example>
From: Kari Nordmann <kari@vaar.example>
To: {to}
Subject: A short question
Date: Tue, 10 Nov 2026 09:10:00 +0100
MIME-Version: 1.0
Content-Type: text/plain; charset=utf-8

Hi, could you spare ten minutes next week for a talk on route planning?

Kari Nordmann, Vaar
Not interested? Answer "stop", or unsubscribe: https://vaar.example/u/1
"""


@dataclass(frozen=True, slots=True)
class Fresh:
    """One mail and what is true of it."""

    name: str
    verdicts: tuple[str, ...]
    recipients: frozenset[str]
    raw: bytes
    mixed: bool = False  # one of them is not gone: no address may be suppressed


def load(name: str) -> list[Fresh]:
    """The mails of one file."""
    blocks = (FOLDER / f"{name}.txt").read_text("utf-8").split("\n@@ ")
    return [_mail(block.removeprefix("@@ ")) for block in blocks if block.strip()]


def _mail(block: str) -> Fresh:
    first, _, rest = block.partition("\n")
    name, verdicts, recipients, options = ([*first.split("|"), "", ""])[:4]
    chosen = dict(one.split("=") for one in options.split())
    head, _, body = rest.partition("\n\n") if rest[:1] != "\n" else ("", "", rest[1:])
    headers = dict(line.split(": ", 1) for line in head.replace("\n ", " ").splitlines() if line)
    named = frozenset(recipients.lower().split())
    raw = _build(headers, body.rstrip("\n") + "\n", chosen, named)
    return Fresh(name.strip(), tuple(verdicts.split()), named, raw, "mixed" in chosen)


def _build(
    headers: dict[str, str], body: str, options: dict[str, str], named: frozenset[str]
) -> bytes:
    charset = options.get("cs", "utf-8")
    to = sorted(named)[0] if named else "ola@firma.example"
    parts, kind = _parts(body, to)
    fields = {**DEFAULTS, **headers}
    fields.setdefault("Message-ID", "<m1@mx.host.example>")
    if len(parts) == 1:
        of = parts[0][0] if "charset" in parts[0][0] else f"{parts[0][0]}; charset={charset}"
        fields.setdefault("Content-Type", of)
        text, how = _coded(parts[0][1], charset, options.get("enc", ""))
        fields.setdefault("Content-Transfer-Encoding", how)
    else:
        fields["Content-Type"] = f'{fields.get("Content-Type", kind)}; boundary="=_b1"'
        text = b"".join(_part(of, part, charset, options.get("enc", "")) for of, part in parts)
        text += b"--=_b1--\n"
    lines = [f"{name}: {_word(value, charset)}" for name, value in fields.items()]
    return "\n".join(lines).encode("utf-8") + b"\n\n" + text


def _parts(body: str, to: str) -> tuple[list[tuple[str, str]], str]:
    parts: list[tuple[str, list[str]]] = [("text/plain", [])]
    kind = "multipart/mixed"
    whole = "%%report" in body or "%%part" in body
    for line in body.splitlines():
        mark, _, said = line.partition(" ")
        if mark == "%%report":
            kind = "multipart/report; report-type=" + (said or "delivery-status")
        elif mark == "%%status":
            parts.append((f"message/{said or 'delivery-status'}", []))
        elif mark == "%%part":
            parts.append((said, []))
        elif mark == "%%original" and whole:
            parts.append(("message/rfc822", [ORIGINAL.format(to=said or to)]))
        elif mark == "%%original":
            parts[-1][1].append(ORIGINAL.format(to=said or to))
        else:
            parts[-1][1].append(line)
    kept = [(of, "\n".join(lines) + "\n") for of, lines in parts]
    return (kept[1:] if whole and not kept[0][1].strip() else kept), kind


def _part(of: str, text: str, charset: str, enc: str) -> bytes:
    if of.startswith("text/") and "charset" not in of:
        coded, how = _coded(text, charset, enc)
        of += f"; charset={charset}"
    else:
        coded, how = text.encode("utf-8"), "8bit"
    return f"--=_b1\nContent-Type: {of}\nContent-Transfer-Encoding: {how}\n\n".encode() + coded


def _coded(text: str, charset: str, enc: str) -> tuple[bytes, str]:
    if enc == "base64":
        return base64.encodebytes(text.encode(charset)), enc
    if enc:
        return quopri.encodestring(text.encode(charset)), enc
    return text.encode(charset), "7bit" if charset.startswith("iso-2022") else "8bit"


def _word(value: str, charset: str) -> str:
    if value.isascii():
        return value
    shown, _, address = value.partition(" <")
    return Header(shown, charset, maxlinelen=900).encode() + (f" <{address}" if address else "")


def said(found: Reading) -> str:
    """A reading as a verdict: kind/class."""
    return f"{found.kind}/{found.class_}" if found.class_ else found.kind


@dataclass(slots=True)
class Score:
    """Counts of one file."""

    mails: int = 0
    strict: int = 0
    wide: int = 0
    kinds: int = 0
    named: int = 0
    recipients: int = 0
    confused: Counter[str] = field(default_factory=Counter)
    misses: list[str] = field(default_factory=list)


def score(mails: list[Fresh]) -> Score:
    """Read every mail and compare."""
    result = Score()
    for mail in mails:
        _one(result, mail, mail_reading.read(mail.raw))
    return result


def _one(result: Score, mail: Fresh, found: Reading) -> None:
    verdict, kinds = said(found), {one.partition("/")[0] for one in mail.verdicts}
    result.mails += 1
    result.strict += verdict == mail.verdicts[0]
    result.wide += verdict in mail.verdicts
    result.kinds += found.kind in kinds
    if verdict not in mail.verdicts:
        result.misses.append(f"{mail.name}: {verdict}, not {mail.verdicts} {found.reasons}")
    for what in _confused(found, verdict, kinds) if verdict not in mail.verdicts else ():
        result.confused[what] += 1
        result.misses.append(f"{mail.name}: {what} {found.reasons}")
    if found.hard and (mail.mixed or "bounce/hard" not in mail.verdicts):
        result.confused["hard that is not"] += 1
        result.misses.append(f"{mail.name}: hard that is not {found.reasons}")
    if mail.recipients:
        right = frozenset(one.lower() for one in found.recipients) == mail.recipients
        result.named += 1
        result.recipients += right
        if not right:
            result.misses.append(f"{mail.name}: {found.recipients}, not {sorted(mail.recipients)}")


def _confused(found: Reading, verdict: str, kinds: set[str]) -> list[str]:
    if "reply" in kinds:
        return (
            ["human as report"]
            if found.kind in MACHINE
            else (["human as automatic"] if found.kind == "auto_reply" else [])
        )
    reports = bool(kinds & set(MACHINE))
    wrong = []
    if found.kind == "reply":
        wrong.append("report as human" if reports else "automatic as human")
    if reports and verdict == "auto_reply/out_of_office":
        wrong.append("report as absence")
    if not reports and found.kind in MACHINE:
        wrong.append("automatic as report")
    return wrong


def report(name: str, found: Score, *, misses: bool) -> None:
    """Print one file's figures."""
    line = f"{name:12} {found.mails:4} mails"
    for what, right, of in (
        ("kind", found.kinds, found.mails),
        ("verdict", found.strict, found.mails),
        ("verdict, doubtful both ways", found.wide, found.mails),
        ("recipients", found.recipients, found.named),
    ):
        line += f"; {what} {right}/{of} ({100 * right / of:.1f} %)" if of else ""
    print(line, "; confused:", dict(found.confused))
    for miss in found.misses if misses else ():
        print("   ", miss)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", default=[])
    parser.add_argument("--misses", action="store_true")
    asked = parser.parse_args()
    for name in asked.names or sorted(path.stem for path in FOLDER.glob("*.txt")):
        report(name, score(load(name)), misses=asked.misses)


if __name__ == "__main__":
    main()
