"""How well the person's words are found in fresh answers: `python -m tests.corpus.fresh_replies`.

Thirty-one answers of ten languages and clients (`fresh_replies.txt`), each read twice: knowing what
we sent, and not. What stands before `%%%`, and after `%%%+`, is theirs; the rest is not. A mail
*leaks* when a line of the rest shows, and *loses* when a line of theirs is missing.
"""

import html as entities
import re
import sys
from pathlib import Path

from orchestrator.rules import mail_reading
from tests.corpus.fresh import ORIGINAL

SOURCE = Path(__file__).with_suffix(".txt")
SENT = ORIGINAL.partition("\n\n")[2]


def load() -> list[tuple[str, bytes, list[str], list[str]]]:
    """Name, mail, their lines and the others."""
    return [_mail(one) for one in SOURCE.read_text("utf-8").removeprefix("@@ ").split("\n@@ ")]


def _mail(block: str) -> tuple[str, bytes, list[str], list[str]]:
    title, _, body = block.partition("\n")
    quoted = "\n".join(f"> {line}" for line in SENT.strip().splitlines())
    html = "".join(f"<p>{line}</p>" for line in SENT.strip().splitlines() if line)
    pieces = re.split(r"(?m)^%%%(\+?)\n", body)
    filled = [one.format(quoted=quoted, plain=SENT, html=html) for one in pieces[::2]]
    own = [bool(mark) or not n for n, mark in enumerate(["", *pieces[1::2]])]
    kind = "html" if title.endswith(" html") else "plain"
    seen = [
        entities.unescape(re.sub(r"<(?!/?[ab]\b)[^>]*>", "\n", one)) if kind == "html" else one
        for one in filled
    ]
    head = (
        "From: Ola <ola@firma.example>\nTo: kari@vaar.example\nSubject: Re: A short question\n"
        "In-Reply-To: <20261110.7f3a@send.vaar.example>\nMIME-Version: 1.0\n"
        f"Content-Type: text/{kind}; charset=utf-8\nContent-Transfer-Encoding: 8bit\n\n"
    )
    theirs = [key for one, mine in zip(seen, own, strict=True) if mine for key in _keys(one)]
    others = [key for one, mine in zip(seen, own, strict=True) if not mine for key in _keys(one)]
    return title, (head + "".join(filled)).encode(), theirs, others


def _keys(text: str) -> list[str]:
    keys = ("".join(re.findall(r"\w+", line.casefold())) for line in text.splitlines())
    return [key for key in keys if key]


def score(*, knowing: bool) -> tuple[list[str], list[str]]:
    """The names of those that leak, and of those that lose."""
    leaks, losses = [], []
    for name, raw, theirs, others in load():
        found = mail_reading.read(raw, sent=[SENT] if knowing else [])
        shown = _keys(found.text)
        if any(key in others and key not in theirs for key in shown):
            leaks.append(f"{name}: {found.text!r}")
        if any(key not in shown for key in theirs):
            losses.append(f"{name}: {found.kind} {found.text!r}")
    return leaks, losses


def main() -> None:
    for knowing in (True, False):
        leaks, losses = score(knowing=knowing)
        print(
            f"{'knowing' if knowing else 'not knowing'} what we sent: {len(load())} answers,",
            f"{len(leaks)} leak, {len(losses)} lose",
        )
        for miss in (*leaks, *losses) if "--misses" in sys.argv else ():
            print("   ", miss)


if __name__ == "__main__":
    main()
