"""Whether a person or a machine may have opened, clicked or looked: never more than `ambiguous`.

Mail passes scanners that fetch every link, proxies that fetch every picture and clients that fetch
before anybody reads. No rule finds them all, and so nothing here ever earns a call (L1): a verdict
may branch a sequence, and the landing page asks for the one tap that makes it human.

All hits on one message are judged together (`judge_message`), since a scanner's first link looks
like a person's until its second. Who came is known by a `fetcher` (`Keys.fetcher`), never by an
address. User agents tell little (B1): timing, networks, the hidden link and "every link within
seconds" carry what they cannot.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

Grade = Literal["machine", "ambiguous"]
Kind = Literal["open", "click", "trap", "page_view"]

# No mail is shown within this time of being handed over, and no person reads it, decides and
# follows a link within the other one.
TOO_FAST = timedelta(seconds=2)
TOO_FAST_TO_CLICK = timedelta(seconds=6)
# Nor follows several links of one message within this. An open and a click of one instant are no
# sign: clients load pictures when a person asks for the mail (B-W412).
TOGETHER = timedelta(seconds=5)
# Whoever comes this close to a visit of the hidden link is the same scanner by another address.
AROUND_TRAP = timedelta(seconds=30)
# A robot asks for the head of a link before it takes the whole.
AFTER_PROBE = timedelta(seconds=10)
_NOW = timedelta(0)

_ROBOTS = re.compile(
    r"(?<!cu)bot\b|(?<!cu)bot[/;) ]|crawl|spider|slurp|scan|preview|prefetch|monitor|headless"
    r"|phantomjs|selenium|puppeteer|playwright|unfurl|linkexpand|skypeuri|curl|wget|python|aiohttp"
    r"|httpx|urllib|go-http-client|java/|okhttp|libwww|perl|ruby|axios"
    r"|node-fetch|undici|http-?client|winhttp|facebookexternalhit|whatsapp|embedly|favicon"
    r"|barracuda|mimecast|proofpoint|safelinks|fireeye|trellix|trend ?micro|symantec|messagelabs"
    r"|forcepoint|websense|zscaler|cloudmark|sophos|ironport|avanan|checkpoint|urldefense|vade"
    r"|google-safety|googleother|bitdefender|kaspersky|antivirus|virustotal|urlscan",
    re.IGNORECASE,
)
# Apple's Mail Privacy Protection fetches every picture with this and nothing behind it.
_APPLE_PREFETCH = re.compile(r"Mozilla/5\.0( \([^)]*\))?")
# These fetch a picture because a person looks at it, and hide that person's own program.
_PROXIES = re.compile(r"GoogleImageProxy|YahooMailProxy", re.IGNORECASE)
_BROWSERS = re.compile(r"Chrome/|Firefox/|Safari/|Edg/", re.IGNORECASE)
_PREFETCH_WORDS = ("prefetch", "preview", "prerender")


@dataclass(frozen=True, slots=True)
class Hit:
    """One request: what it said of itself, and what is known of where it came from."""

    method: str
    user_agent: str
    purpose: str = ""  # Sec-Purpose, Purpose and X-Moz, joined
    language: bool | None = None  # whether it named languages; None: nobody looked
    mode: str = ""  # Sec-Fetch-Mode
    robot_header: bool = False  # From (RFC 9110, 10.1.2), which robots send
    networks: frozenset[str] = frozenset()  # kinds of the lists that know its address
    fetcher: str = ""  # who it was, among the hits on one message


@dataclass(frozen=True, slots=True)
class Trace:
    """One hit on one message. `link` is the address that it followed, "" for the open pixel."""

    kind: Kind
    link: str
    at: datetime
    hit: Hit


@dataclass(frozen=True, slots=True)
class Verdict:
    """A grade and the reasons for it, for `why`."""

    grade: Grade
    reasons: tuple[str, ...]


def judge_message(traces: Sequence[Trace], *, handed_at: datetime | None) -> list[Verdict]:
    """The verdict on each hit on one message, in the light of all of them. `handed_at` is when the
    message passed the point of no return, None when it has not: then nobody can have it."""
    trapped = [trace for trace in traces if trace.kind == "trap"]
    probes = [trace for trace in traces if trace.hit.method != "GET"]
    clicks = [trace for trace in traces if trace.kind == "click"]
    return [
        _verdict(
            trace.hit,
            [
                *_alone(trace, handed_at),
                *_in_company(trace, trapped=trapped, probes=probes, clicks=clicks),
            ],
        )
        for trace in traces
    ]


def judge_open(hit: Hit, *, handed_at: datetime | None, now: datetime) -> Verdict:
    """The verdict on a fetched open pixel, with nothing else known of its message."""
    return judge_message([Trace("open", "", now, hit)], handed_at=handed_at)[0]


def judge_click(hit: Hit, *, handed_at: datetime | None, now: datetime) -> Verdict:
    """The verdict on a followed link, with nothing else known of its message."""
    return judge_message([Trace("click", "?", now, hit)], handed_at=handed_at)[0]


def judge_view(hit: Hit) -> Verdict:
    """The verdict on a look at the prospect's page."""
    return _verdict(hit, [*_machine_signs(hit), *_signs_of_a_follower(hit)])


def _alone(trace: Trace, handed_at: datetime | None) -> Iterator[str]:
    """What a hit tells by itself."""
    hit = trace.hit
    yield from _machine_signs(hit)
    if trace.kind == "open":
        if _APPLE_PREFETCH.fullmatch(hit.user_agent.strip()):
            yield "prefetch_proxy"
        elif "prefetch" in hit.networks:
            yield "prefetch_network"
    else:
        yield from _signs_of_a_follower(hit)
    if trace.kind == "trap":
        yield "hidden_link"
    yield from _too_fast(trace, handed_at)


def _machine_signs(hit: Hit) -> Iterator[str]:
    if hit.method != "GET":
        yield "not_a_get"
    if not hit.user_agent.strip():
        yield "no_user_agent"
    elif _ROBOTS.search(hit.user_agent):
        yield "known_robot"
    if hit.robot_header:
        yield "says_robot"
    if any(word in hit.purpose.lower() for word in _PREFETCH_WORDS):
        yield "declared_prefetch"
    if "scanner" in hit.networks:
        yield "scanner_network"
    if "datacentre" in hit.networks and not _is_proxy(hit):
        yield "datacentre_network"


def _signs_of_a_follower(hit: Hit) -> Iterator[str]:
    """What gives away a program that poses as a browser. Every browser names its reader's
    languages, and says `navigate` when it follows a link, if it says anything at all."""
    if hit.language is False and _BROWSERS.search(hit.user_agent):
        yield "browser_without_languages"
    if hit.mode and hit.mode != "navigate":
        yield "not_a_navigation"


def _too_fast(trace: Trace, handed_at: datetime | None) -> Iterator[str]:
    if handed_at is None:
        yield "before_it_left"
    elif trace.at - handed_at < (TOO_FAST if trace.kind == "open" else TOO_FAST_TO_CLICK):
        yield "too_fast"


def _in_company(
    trace: Trace, *, trapped: Sequence[Trace], probes: Sequence[Trace], clicks: Sequence[Trace]
) -> Iterator[str]:
    """What only the other hits on the message tell, those that came later among them."""
    fetcher, at = trace.hit.fetcher, trace.at
    if trace.kind != "trap" and any(_same(one, fetcher) for one in trapped):
        yield "fetcher_of_hidden_link"
    elif _could_be_swept(trace) and any(abs(one.at - at) <= AROUND_TRAP for one in trapped):
        yield "beside_hidden_link"
    if trace.kind != "click":
        return
    if any(one.link != trace.link and abs(one.at - at) <= TOGETHER for one in clicks):
        yield "several_links_at_once"
    before = (one for one in probes if one.link == trace.link and one is not trace)
    if any(_same(one, fetcher) and _NOW <= at - one.at <= AFTER_PROBE for one in before):
        yield "same_as_a_probe"


def _could_be_swept(trace: Trace) -> bool:
    """A person may look by way of their proxy while their gateway is at work."""
    return trace.kind == "click" or (trace.kind == "open" and not _is_proxy(trace.hit))


def _same(one: Trace, fetcher: str) -> bool:
    return bool(fetcher) and one.hit.fetcher == fetcher


def _is_proxy(hit: Hit) -> bool:
    return "proxy" in hit.networks or _PROXIES.search(hit.user_agent) is not None


def _verdict(hit: Hit, found: Sequence[str]) -> Verdict:
    if found:
        return Verdict("machine", tuple(dict.fromkeys(found)))
    return Verdict("ambiguous", ("proxied_for_a_person" if _is_proxy(hit) else "no_machine_sign",))
