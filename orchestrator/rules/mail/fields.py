"""The fields of a delivery report (RFC 3464, 6533), one record for each recipient."""

import re
from collections.abc import Iterable
from dataclasses import dataclass

from orchestrator.rules.mail.parts import ADDRESS

_MOST = 30_000  # characters of one report
_MOST_RECIPIENTS = 100
_FIELD = re.compile(r"([A-Za-z][A-Za-z0-9-]{1,40})[ \t]*:[ \t]*(.*)")
# An address may also be quoted, or in angle brackets, or of RFC 6533 (utf-8; jos\x{E9}@...).
QUOTED = re.compile(r'"[^"\s]{1,100}"@[A-Za-z0-9-]{1,63}(?:\.[A-Za-z0-9-]{1,63}){1,10}')
_ESCAPED = re.compile(r"\\x\{([0-9A-Fa-f]{2,6})\}")
STATUS = re.compile(r"(?<![\d.])([245])[.](\d{1,3})[.](\d{1,3})(?![\d.]\d)")
_ACTIONS = ("failed", "delayed", "delivered", "relayed", "expanded", "expired")


@dataclass(frozen=True, slots=True)
class Record:
    """What a report says of one recipient. `action` is folded and empty when it is missing."""

    recipient: str | None
    original: str | None = None
    action: str = ""
    status: str | None = None
    diagnostic: str = ""


def records(text: str) -> list[Record]:
    """The records in the text of a report part, or of a mail that writes its fields as prose."""
    groups: list[dict[str, str]] = [{}]
    name = ""
    for line in text[:_MOST].splitlines():
        if not line.strip():
            if _told(groups[-1]):
                groups.append({})
            name = ""
            continue
        found = _FIELD.match(line if name else line.lstrip())
        if found is None or (line[:1] in " \t" and name):
            if name:  # folded, or by those who do not fold
                groups[-1][name] = f"{groups[-1][name]} {line.strip()}"[:4000]
            continue
        name = found.group(1).lower()
        if name in ("final-recipient", "action", "status") and name in groups[-1]:
            groups.append({})
        groups[-1].setdefault(name, found.group(2))
    return [_record(one) for one in _merged(groups)[:_MOST_RECIPIENTS]]


def _told(group: dict[str, str]) -> bool:
    """Whether a group says of a recipient what happened, so that a blank line ends it."""
    return "final-recipient" in group and ("action" in group or "status" in group)


def _merged(groups: Iterable[dict[str, str]]) -> list[dict[str, str]]:
    """The groups that speak of a recipient; a lone half is put to the one before it."""
    kept: list[dict[str, str]] = []
    for group in groups:
        who = {"final-recipient", "original-recipient"} & group.keys()
        what = {"action", "status", "diagnostic-code"} & group.keys()
        if who or (what and not kept):
            kept.append(dict(group))
        elif what:
            for name, value in group.items():
                kept[-1].setdefault(name, value)
    return kept


def _record(group: dict[str, str]) -> Record:
    action = re.match(r"[a-z]+", group.get("action", "").strip().lower())
    word = action.group() if action else ""
    status = STATUS.search(group.get("status", ""))
    final = address(group.get("final-recipient", ""))
    original = address(group.get("original-recipient", "")) or address(
        group.get("x-actual-recipient", "")
    )
    return Record(
        recipient=final or original,
        original=original if final else None,
        action="failed" if word.startswith("fail") else word if word in _ACTIONS else "",
        status=status.group() if status else None,
        diagnostic=re.sub(r"^\s*[\w.-]{1,30}\s*;", "", group.get("diagnostic-code", "")).strip(),
    )


def address(value: str) -> str | None:
    """The address in a recipient field, `type; address` (RFC 3464, 2.3.1), folded."""
    value = _ESCAPED.sub(lambda found: _letter(found.group(1)), value[:1000])
    value = value.partition(";")[2] or value
    value = re.sub(r"\s*@\s*", "@", value)
    value = re.sub(r"^[\s<]*@[^\s:]+:", "", value)  # a route (RFC 5321, 4.1.2)
    found = QUOTED.search(value) or ADDRESS.search(value)
    return tidy(found.group()) if found else None


def _letter(number: str) -> str:
    code = int(number, 16)
    return chr(code) if 0x20 < code < 0xD800 or 0xDFFF < code < 0x110000 else "?"


def tidy(found: str) -> str:
    """An address without what clung to it, folded."""
    found = found.strip().strip("<>'").rstrip(".")
    found = re.sub(r"(?i)^(?:mailto:|(?:dda:)?smtp[:=]|rfc822[;=])", "", found)
    return found.lower()
