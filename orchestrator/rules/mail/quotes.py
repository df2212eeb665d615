"""What the person wrote: without quotes, without their signature, and without what we sent."""

import re
from collections.abc import Iterable

import quotequail

_LIMIT = 60_000
_SEPARATOR = re.compile(
    r"(?im)^[>\s*_-]*(?:original message|opprinnelig melding|oprindelig meddelelse"
    r"|ursprungligt meddelande|ursprüngliche nachricht|videresendt melding|message d'origine"
    r"|forwarded message|_{20,})[\s*_-]*$"
)
_WROTE = (
    r"(?:skrev|wrote|schrieb|schreef|a écrit|ha scritto|escribió|escreveu|napisał(?:\(a\))?"
    r"|написал\(?а?\)?)"
)
# A block of at least two header lines, as Outlook writes it, in several languages.
_FROM = r"(?:from|fra|från|von|van|de|da|od)"
_SENT = (
    r"(?:sent|sendt|skickat|gesendet|date|dato|datum|to|til|till|an|emne|ämne|betreff|subject"
    r"|reply-to)"
)
_BLOCK = re.compile(rf"(?im)^[>\s*]*{_FROM}\s*:\*?[^\n]*\n(?:[^\n]*\n)?[>\s*]*{_SENT}\s*:")
_SIGNATURE = re.compile(
    r"(?im)^(?:--\s*|__+|—)$|^\s*(?:sent from (?:my|outlook|mail)|get outlook for|sendt fra min"
    r"|sendt fra outlook|sendt fra mail|skickat från min|skickat från outlook|hämta outlook"
    r"|få outlook"
    r"|envoyé depuis|von meinem \w+ gesendet|gesendet von|gesendet mit der"
    r"|diese nachricht wurde von meinem)\b"
)
_WORD = re.compile(r"\w+")


def written(text: str, sent: Iterable[str] = ()) -> str:
    """The person's own words. `sent`: texts of ours that they may quote, in any shape.

    Prefers to lose a line of theirs over keeping one of ours: our footer says how to opt out.
    """
    text = text[:_LIMIT].replace("\r\n", "\n").replace("\u00a0", " ")
    ours = {key for one in sent for key in map(_key, one.splitlines()) if key}
    first = _cut(text)
    top = _subtract(_unintroduced(_unquote(text[:first])), ours)
    if _WORD.search(top):
        return _unsigned(top)
    if first < len(text):
        # Answered below or between the quote: every line that is neither marked nor ours. Where
        # we do not know what we sent, unmarked quotes cannot be told apart, and nothing is kept.
        rest = text[first:]
        marked = any(line.lstrip().startswith(">") for line in rest.splitlines())
        if ours or marked:
            lines = [line for line in rest.splitlines() if not _heads(line)]
            return _unsigned(_subtract(_unquote("\n".join(lines)), ours))
    return ""


def _cut(text: str) -> int:
    """Where the quoted conversation begins; the length of the text when it does not."""
    starts = [found.start() for p in (_SEPARATOR, _BLOCK) if (found := p.search(text))]
    starts += [start for start in [_intro(text)] if start is not None]
    try:
        shown = quotequail.quote(text)
    except Exception:  # noqa: BLE001 - a library's guess about other people's text: optional
        shown = []
    if len(shown) > 1 and shown[0][0] and not shown[1][0]:
        starts.append(len(shown[0][1]))
    return min(starts, default=len(text))


def _intro(text: str) -> int | None:
    """The start of `On ... somebody wrote:`, which may run over three lines."""
    lines = text.splitlines(keepends=True)
    at = 0
    for number, line in enumerate(lines):
        joined = " ".join(one.strip() for one in lines[number : number + 4])[:400]
        head = joined.lstrip("> *")
        if (
            re.match(
                rf"(?i)(?:on|den|am|le|op|il|el|em|dnia|\w{{2,10}}[,.]? ?\d|\d{{1,4}}[.\s/-])"
                rf"(?=.{{0,200}}[\d@]).{{3,240}}?\b{_WROTE}\b[^:]{{0,140}}:",
                head,
            )
            and len(line.strip()) > 3
        ):
            return at
        at += len(line)
    return None


def _unintroduced(text: str) -> str:
    """Without the `somebody wrote:` that the quote behind it left at the end."""
    lines = text.rstrip().splitlines()
    for count in range(1, 4):
        tail = " ".join(lines[-count:]).strip()
        if re.search(rf"(?i)\b{_WROTE}\b[^:]{{0,80}}(?::\d\d)?[^:]{{0,20}}:$", tail) and re.search(
            r"\d|@", tail
        ):
            before = lines[:-count]
            while before and re.search(r"(?i)[<@]|\d{4}.*\d:\d\d", before[-1]):
                before.pop()
            return "\n".join(before)
    return re.sub(r"\n[^\n]*\d{4}[^\n]*<[^\n<>]*@[^\n<>]*>?\s*$", "", text.rstrip())


def _heads(line: str) -> bool:
    return bool(re.search(rf"(?i)\b{_WROTE}\b.*:\s*$|^\s*{_FROM}\s*:|^\s*{_SENT}\s*:", line))


def _unquote(text: str) -> str:
    return "\n".join(line for line in text.splitlines() if not re.match(r"\s*>", line))


def _key(line: str) -> str:
    """What stays the same when a mail program wraps, marks and links a line."""
    return "".join(_WORD.findall(line.casefold()))


def _subtract(text: str, ours: set[str]) -> str:
    """Without lines of ours, also rewrapped ones: a line inside one of ours is ours."""
    if not ours:
        return text
    long = "\n".join(sorted(ours))
    kept = []
    for line in text.splitlines():
        key = _key(line)
        if key and (key in ours or (len(key) > 10 and key in long)):
            continue
        kept.append(line)
    return "\n".join(kept)


def _unsigned(text: str) -> str:
    found = _SIGNATURE.search(text)
    if found and _WORD.search(text[: found.start()]):
        text = text[: found.start()]
    return re.sub(r"\n{3,}", "\n\n", text).strip()
