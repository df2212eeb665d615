"""What the person wrote: without quotes, without their signature, and without what we sent."""

import re
from collections.abc import Iterable

from orchestrator.rules.mail import quote_marks as marked

_LIMIT = 60_000
_WORD = re.compile(r"\w+")
_STRANGE = re.compile("[\ufeff\u200b-\u200f\u2060\u00ad\u034f]")
_LINE = re.compile(r"\s*(?:--|_{2,}|—+|–+)\s*")
_RULE = re.compile(r"\s*(?:-{3,}|={3,}|\*{3,})\s*")  # also between one's own paragraphs
_POSTSCRIPT = re.compile(r"(?i)\s*p\.? ?s\.?\b")
_DETAILS = re.compile(
    r"\+?\d[\d ()./-]{6,}\d|@|www\.|https?:|\b[a-z0-9-]+\.(?:com|no|se|dk|de|net)\b|\|"
)
# A quote that is not marked, without knowledge of what we sent, may end in our footer.
_FOOTER = re.compile(
    r"(?i)https?:|unsubscribe|opt[- ]?out|avmeld|meld deg av|avregistrer|avprenumerera|afmeld"
    r"|abmelden|abbestellen"
)

_PASSED_ON = re.compile(
    r"(?i)forward|videresend|vidaresend|vidarebefordra|weitergeleitet|transf[ée]r|reenviad"
    r"|encaminhad|inoltrat|doorgestuurd|przekazan|välitetty|edelleenlähet|přeposl|пересла|пересыла"
)


def written(text: str, sent: Iterable[str] = ()) -> str:
    """The person's own words. `sent`: texts of ours that they may quote, in any shape.

    Prefers to lose a line of theirs over keeping one of ours: our footer says how to opt out.
    """
    lines = _STRANGE.sub("", text[:_LIMIT].replace("\u00a0", " ")).splitlines()
    sent = list(sent)
    lines = _subtract(lines, sent)
    own, behind = _split(lines)
    kept = _unsigned_parts(own)
    if _WORD.search(kept) or not behind:
        return kept
    # Nothing above the quote: what is neither marked nor ours is an answer below or between it.
    below = [one for at, one in enumerate(behind) if not marked.is_quoted(behind, at)]
    heads = marked.attributions(below)
    gone = {at for first, last in heads.items() for at in range(first, last + 1)}
    rest = [one for at, one in enumerate(below) if at not in gone and not marked.is_field(one)]
    forwarded = marked.separates(behind, 0)
    if forwarded and _PASSED_ON.search(behind[0]):
        return ""  # somebody else's words, which they passed on without one of their own
    known = bool(sent) or len(below) < len(behind)
    if known or not (forwarded or _FOOTER.search("\n".join(rest))):
        return _unsigned_parts([[one for one in rest if not marked.separates([one], 0)]])
    return ""


def unquoted(text: str) -> str:
    """A text without what it quotes; the whole where nothing else is left."""
    own, _ = _split(text.splitlines())
    kept = "\n".join(line for part in own for line in part)
    return kept if _WORD.search(kept) else text


def _split(lines: list[str]) -> tuple[list[list[str]], list[str]]:
    """The stretches of own lines, between quotes that are marked; and what is behind the first
    quote that is not marked, up to the end."""
    heads = marked.attributions(lines)
    own: list[list[str]] = [[]]
    at = 0
    while at < len(lines):
        if at in heads:
            end = heads[at]
            following = next((n for n in range(end + 1, len(lines)) if lines[n].strip()), None)
            if following is None or not marked.is_quoted(lines, following):
                return own, lines[at:]
            at = end + 1
            own.append([])
        elif marked.is_quoted(lines, at):
            own.append([])
            at += 1
        elif _continues(lines, at):
            at += 1
        elif marked.separates(lines, at):
            return own, lines[at:]
        else:
            own[-1].append(lines[at])
            at += 1
    return own, []


def _continues(lines: list[str], at: int) -> bool:
    """Whether this is the end of a marked line that some program broke: short, in the middle."""
    return (
        0 < at < len(lines) - 1
        and bool(lines[at].strip())
        and marked.is_quoted(lines, at - 1)
        and marked.is_quoted(lines, at + 1)
        and len(lines[at - 1]) > 62
        and len(lines[at]) < 30
        and lines[at].strip()[0].islower()
    )


def _key(line: str) -> str:
    """What stays the same when a mail program wraps, marks and links a line."""
    return "".join(_WORD.findall(line.casefold()))


def _subtract(lines: list[str], sent: list[str]) -> list[str]:
    """Without lines of ours, also rewrapped ones: runs of lines that stand so in a text of ours."""
    if not sent:
        return lines
    whole = "\n".join(_key(one) for one in sent)
    ours = {key for one in sent for line in one.splitlines() if len(key := _key(line)) > 10}
    keys = [_key(line) for line in lines]
    dropped: set[int] = set()
    at = 0
    while at < len(lines):
        run, end = keys[at], at + 1
        if not run or run not in whole:
            at += 1
            continue
        while end < len(lines) and end - at < 400 and run + keys[end] in whole:
            run += keys[end]
            end += 1
        if len(run) >= 20 or keys[at] in ours:
            dropped.update(range(at, end))
            at = end
        else:
            at += 1
    return [line for at, line in enumerate(lines) if at not in dropped]


def _unsigned_parts(parts: list[list[str]]) -> str:
    texts = [_unsigned(part, first=number == 0) for number, part in enumerate(parts)]
    text = "\n\n".join(one.strip("\n") for one in texts if _WORD.search(one))
    return re.sub(r"\n(?:[ \t]*\n){2,}", "\n\n", text).rstrip().strip("\n")


def _unsigned(lines: list[str], *, first: bool) -> str:
    """Without signature, contact details and small print. What stands under the delimiter alone is
    kept in the first part: it is somebody's odd way to rule a line."""
    kept: list[str] = []
    closed: int | None = None  # lines since the greeting
    fenced = said = False
    for at, line in enumerate(lines):
        folded = marked.fold(line)
        fenced ^= folded.startswith("```")
        said = said or bool(kept and _WORD.search(kept[-1]))
        if not fenced and folded and (said or not first):
            ruled = _RULE.fullmatch(line) and _details(lines[at + 1 :])
            if ruled or _LINE.fullmatch(line):
                break
        if len(folded) < 160 and marked.marks().signed.fullmatch(folded):
            if said:
                break
            continue
        if marked.marks().disclaimer.match(folded) or marked.marks().disclaimer.match(
            marked.fold(" ".join(lines[at : at + 4])) if folded else ""
        ):
            break
        if closed is not None and folded and not _POSTSCRIPT.match(line):
            closed += 1
            if closed > 1 and _details(lines[at:]):
                break
        elif closed is not None and folded:
            closed = None
        if said and len(folded) < 60 and marked.marks().closing.fullmatch(folded):
            closed = 0
        kept.append(line)
    return "\n".join(kept)


def _details(lines: list[str]) -> bool:
    """Whether the lines under a name are a card: short, with a number or an address among them."""
    card = [line for line in lines if line.strip()][:10]
    return any(_DETAILS.search(line) for line in card) and not any(
        _POSTSCRIPT.match(line) or line.rstrip().endswith("?") for line in card
    )
