"""Whether a person or a machine may have opened, clicked or looked: never more than `ambiguous`.

Mail passes scanners that fetch every link, proxies that fetch every picture and clients that fetch
before anybody reads. No rule finds them all, and so nothing here ever earns a call (L1): a verdict
may branch a sequence, and the landing page asks for the one tap that makes it human.
"""

import re
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

Grade = Literal["machine", "ambiguous"]

# No person reads, decides and follows within this time of the message being handed over, nor
# follows several links of one message.
TOO_FAST = timedelta(seconds=2)

_ROBOTS = re.compile(
    r"bot\b|bot[/;) ]|crawl|spider|slurp|scan|preview|prefetch|monitor|headless|phantomjs|selenium"
    r"|curl|wget|python|aiohttp|httpx|urllib|go-http-client|java/|okhttp|libwww|perl|ruby|axios"
    r"|node-fetch|undici|http-?client|winhttp|facebookexternalhit|whatsapp|embedly|favicon"
    r"|barracuda|mimecast|proofpoint|safelinks|fireeye|trellix|trend ?micro|symantec|messagelabs"
    r"|forcepoint|websense|zscaler|cloudmark|sophos|ironport|avanan|checkpoint|urldefense|vade"
    r"|google-safety|googleother|bitdefender|kaspersky|antivirus|virustotal|urlscan",
    re.IGNORECASE,
)
# Apple's Mail Privacy Protection fetches every picture with this and nothing behind it.
_APPLE_PREFETCH = re.compile(r"Mozilla/5\.0( \([^)]*\))?")
_PREFETCH_WORDS = ("prefetch", "preview", "prerender")


@dataclass(frozen=True, slots=True)
class Hit:
    """One request: what it said of itself."""

    method: str
    user_agent: str
    purpose: str = ""  # Sec-Purpose, Purpose and X-Moz, joined


@dataclass(frozen=True, slots=True)
class Verdict:
    """A grade and the reasons for it, for `why`."""

    grade: Grade
    reasons: tuple[str, ...]


def judge_open(hit: Hit, *, handed_at: datetime | None, now: datetime) -> Verdict:
    """The verdict on a fetched open pixel. `handed_at` is when the message passed the point of no
    return, None when it has not: then nobody can have it."""
    found = _machine_signs(hit)
    if _APPLE_PREFETCH.fullmatch(hit.user_agent.strip()):
        found.append("prefetch_proxy")
    found += _too_fast(handed_at, now)
    return _verdict(found)


def judge_click(
    hit: Hit, *, handed_at: datetime | None, other_links_just_now: int, now: datetime
) -> Verdict:
    """The verdict on a followed link. `other_links_just_now` counts the other links of the same
    message that were followed within TOO_FAST."""
    found = _machine_signs(hit) + _too_fast(handed_at, now)
    if other_links_just_now:
        found.append("several_links_at_once")
    return _verdict(found)


def judge_view(hit: Hit) -> Verdict:
    """The verdict on a look at the prospect's page."""
    return _verdict(_machine_signs(hit))


def _machine_signs(hit: Hit) -> list[str]:
    found = []
    if hit.method != "GET":
        found.append("not_a_get")
    if not hit.user_agent.strip():
        found.append("no_user_agent")
    elif _ROBOTS.search(hit.user_agent):
        found.append("known_robot")
    if any(word in hit.purpose.lower() for word in _PREFETCH_WORDS):
        found.append("declared_prefetch")
    return found


def _too_fast(handed_at: datetime | None, now: datetime) -> list[str]:
    if handed_at is None:
        return ["before_it_left"]
    return ["too_fast"] if now - handed_at < TOO_FAST else []


def _verdict(found: list[str]) -> Verdict:
    return Verdict("machine" if found else "ambiguous", tuple(found))
