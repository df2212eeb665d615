"""Text as the plain HTML of a person's mail program: paragraphs, line breaks, links. Pure."""

import re
from collections.abc import Callable, Iterator
from html import escape

_URL = re.compile(r"https?://[^\s<>\"']+")
_BLANK = re.compile(r"\n{2,}")
_TRAILING = ".,;:!?)]}»”’"


def split_urls(text: str) -> Iterator[tuple[bool, str]]:
    """`text` in pieces: (True, an http address) and (False, what stands between)."""
    at = 0
    for found in _URL.finditer(text):
        url = _trimmed(found[0])
        yield False, text[at : found.start()]
        yield True, url
        at = found.start() + len(url)
    yield False, text[at:]


def _trimmed(url: str) -> str:
    """Without the punctuation that belongs to the sentence; a bracket it opened itself stays."""
    while (
        url and url[-1] in _TRAILING and not (url[-1] == ")" and url.count("(") >= url.count(")"))
    ):
        url = url[:-1]
    return url


def map_urls(text: str, change: Callable[[str], str]) -> str:
    """`text` with every http address put through `change`."""
    return "".join(change(piece) if is_url else piece for is_url, piece in split_urls(text))


def html_of_text(text: str) -> str:
    """What a mail program makes of typed text: no fonts, no tables, no images."""
    # No address spans a paragraph, so that each is made once for the whole and not once for each.
    made = "".join(
        f'<a href="{escape(piece)}">{escape(_shown(piece))}</a>' if is_url else escape(piece)
        for is_url, piece in split_urls(text.strip("\n"))
    )
    parts = _BLANK.split(made) if "\n\n\n" in made else made.split("\n\n")  # a tenth of the time
    paragraphs = [part.replace("\n", "<br>\n") for part in parts if part.strip()]
    return "\n".join([f"<p>{part}</p>" for part in paragraphs])


def _shown(url: str) -> str:
    """An address as people read it: no scheme, no slash at the end."""
    return url.split("://", 1)[1].removesuffix("/")


def document(body: str, language: str) -> str:
    """A whole HTML document around `body`."""
    return (
        f'<!DOCTYPE html>\n<html lang="{escape(language)}">\n<head><meta charset="utf-8"></head>\n'
        f"<body>\n{body}\n</body>\n</html>\n"
    )
