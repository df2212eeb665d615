"""Which command of SMTP was refused, as mail systems say it (RFC 5321, 3.3).

It tells what a refusal is about, whatever its words: nobody is unknown before he was named. What is
refused at the greeting, HELO or MAIL is us; in reply to RCPT the recipient; in reply to DATA the
message, and then "user unknown" is how some servers say that they filtered it.
"""

import re
from typing import Literal

Stage = Literal["greeting", "helo", "mail", "rcpt", "data"]

_MOST = 4000
_LEAD = r"(?:in reply to|response to|rejected command|after|smtp command|\bsent:)\W{0,9}"
_STAGES: dict[Stage, str] = {
    "greeting": rf"{_LEAD}initial (?:server greeting|connection)|but greeting failed"
    r"|refused to talk to (?:me|us)",
    "helo": rf"{_LEAD}(?:helo|ehlo)\b|but my name was rejected",
    "mail": rf"{_LEAD}(?:pipelined )?mail from\b|but sender was rejected",
    "rcpt": rf"{_LEAD}(?:pipelined )?rcpt to\b|does not like recipient",
    "data": rf"{_LEAD}(?:pipelined )?(?:end of )?data\b|failed on data command"
    r"|failed after i sent the message|\bsent: \.\s",
}
_PATTERNS = {name: re.compile(f"(?i){pattern}") for name, pattern in _STAGES.items()}
# A transcript: the command, and the first thing that was said to it.
_TRANSCRIPT = re.compile(
    r"(?im)^[ \t]*>>> (helo|ehlo|mail|rcpt|data)\b.*\n[ \t]*<<< [45]\d\d[ -].*"
)
_SAID: dict[str, Stage] = {
    "helo": "helo", "ehlo": "helo", "mail": "mail", "rcpt": "rcpt", "data": "data"
}  # fmt: skip
# RCPT was sent ahead of DATA (RFC 2920): what stands below DATA answers RCPT.
_PIPELINED = re.compile(r"(?m)\b503\b|^[ \t]*<<< 554 .{0,20}no valid recipients")


def refused_at(diagnostic: str, text: str) -> Stage | None:
    """The command that was refused; None when it is not said, or not the same for everybody in the
    report. `diagnostic`: of this recipient; `text`: of the whole report."""
    found = _named(diagnostic[:_MOST]) or _named(text[:_MOST]) | _transcribed(text[:_MOST])
    if len(found) != 1:
        return None
    stage = found.pop()
    pipelined = stage == "data" and _PIPELINED.search(text[:_MOST])
    return "rcpt" if pipelined and not _named(diagnostic[:_MOST]) else stage


def _named(text: str) -> set[Stage]:
    return {name for name, pattern in _PATTERNS.items() if pattern.search(text)}


def _transcribed(text: str) -> set[Stage]:
    return {_SAID[found.lower()] for found in _TRANSCRIPT.findall(text)}
