"""Following a message: its links and its open pixel, where that is wanted. Pure.

Off unless the sequence asks for it, and off again for a sender or a country that is excepted. The
links under our own roof (the prospect's page, unsubscribe) are never followed: saying no leaves no
trace but the no.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from html import escape, unescape
from typing import Any

from orchestrator.rules.letter import map_urls
from orchestrator.rules.program import Tracking

_HREF = re.compile(r"(<a\b[^>]*?\bhref\s*=\s*)(\"([^\"]*)\"|'([^']*)')", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is followed in one message."""

    opens: bool
    clicks: bool


_NOTHING = Wanted(opens=False, clicks=False)


def wanted(tracking: Tracking, sender_settings: Mapping[str, Any], country: str | None) -> Wanted:
    """Whether opens and clicks are followed for a prospect in `country` (ISO 3166 alpha-2).

    A sequence that excepts countries excepts a prospect whose country is unknown too: not knowing
    narrows.
    """
    if not (tracking.opens or tracking.clicks):
        return _NOTHING
    excepted = {code.upper() for code in tracking.except_countries}
    here = bool(excepted) and (country is None or country.upper() in excepted)
    off = here or sender_settings.get("tracking") is False
    return Wanted(tracking.opens and not off, tracking.clicks and not off)


def follow_links(
    text: str, html: str, token_url: Callable[[str], str], *, own: str
) -> tuple[str, str]:
    """`text` and `html` with every http address put through `token_url`, but for those under `own`
    (our base URL). `token_url` gives the same for the same address, so both parts share one link.
    """

    def change(url: str) -> str:
        return token_url(url) if _is_sound(url) and not _is_own(url, own) else url

    def change_href(found: re.Match[str]) -> str:
        url = unescape(found[3] if found[3] is not None else found[4]).strip()
        changed = change(url) if url.lower().startswith(("http://", "https://")) else url
        return found[0] if changed == url else f'{found[1]}"{escape(changed)}"'

    return map_urls(text, change), _HREF.sub(change_href, html)


def _is_own(url: str, own: str) -> bool:
    return url == own or url.startswith((own + "/", own + "?"))


def _is_sound(url: str) -> bool:
    """No control characters and no credentials: such a link is left as it is, and not followed."""
    host = url.split("://", 1)[1].split("/", 1)[0]
    return url.isprintable() and "@" not in host and " " not in url


def with_trap(html: str, trap_url: str) -> str:
    """`html` with a link at its end that no person meets: without a text it has no place on the
    screen, and it is hidden from who listens or moves by keys. Only a program that takes every
    address of a mail follows it. Nothing is styled away, which is what spam filters punish."""
    link = f'<a href="{escape(trap_url)}" rel="nofollow" aria-hidden="true" tabindex="-1"></a>'
    return f"{html}\n{link}"


def with_pixel(html: str, pixel_url: str) -> str:
    """`html` with the open pixel at its end."""
    return (
        f'{html}\n<img src="{escape(pixel_url)}" width="1" height="1" alt="" style="display:none">'
    )
