"""Gateways, unfurlers and prefetchers: what they fetch of a message, and when.

As mail administrators and the threads in shared/reference describe them. Their networks are
documentation ranges (RFC 5737); of Proofpoint's sandboxes and half of Mimecast no list knows any.
"""

import random
from collections.abc import Callable, Iterator, Sequence

from tests.simulator.acts import Act, browser, on_grid, posing

AZURE, AWS, BARRACUDA, UNLISTED = "203.0.113.{}", "192.0.2.{}", "198.51.100.{}", "100.64.9.{}"
Machine = Callable[[random.Random, int, Sequence[Act]], Iterator[Act]]


def _at(rng: random.Random, network: str) -> str:
    return network.format(rng.randrange(140, 250))


def _sweep(
    rng: random.Random,
    source: str,
    links: int,
    start: float,
    *,
    networks: Sequence[str],
    careful: float,
    trap: float,
    unsubscribes: float = 1.0,
    gap: float = 0.5,
    probes: float = 0.0,
) -> Iterator[Act]:
    """Everything in the mail, one after the other, from one address or from many."""
    headers, address = posing(rng, careful), _at(rng, networks[0])
    many = len(networks) > 1
    targets: list[tuple[str, int]] = [("click", link) for link in range(links)]
    targets += [("open", 0)] if rng.random() < 0.4 else []
    targets += [("trap", 0)] if rng.random() < trap else []
    targets += [("unsubscribe", 0), ("page", 0)] if rng.random() < unsubscribes else []
    rng.shuffle(targets)
    at = start
    for kind, link in targets:
        where = _at(rng, rng.choice(networks)) if many else address
        said = posing(rng, careful) if many else headers
        if rng.random() < probes:
            yield Act(on_grid(at), kind, source, "machine", where, said, link, "HEAD")  # type: ignore[arg-type] # a Kind
        yield Act(on_grid(at), kind, source, "machine", where, said, link)  # type: ignore[arg-type] # a Kind
        at += rng.uniform(0, 2 * gap)


def safelinks(rng: random.Random, links: int, person: Sequence[Act]) -> Iterator[Act]:
    """Microsoft: some mails are detonated at delivery; each click is looked at before it is let
    through, from Azure, as Chrome."""
    if rng.random() < 0.4:
        yield from _sweep(
            *(rng, "Outlook SafeLinks, delivery", links, rng.uniform(1, 60)),
            networks=[AZURE, AZURE],
            careful=0.3,
            trap=0.7,
            gap=0.8,
        )
    for act in person:
        if act.kind == "click":
            at = max(act.at - rng.choice([0.7, 1.4]), 0.2)
            said, where = posing(rng, 0.3), _at(rng, AZURE)
            method = "HEAD" if rng.random() < 0.2 else "GET"
            source = "Outlook SafeLinks, time of click"
            yield Act(at, "click", source, "machine", where, said, act.link, method)


def barracuda(rng: random.Random, links: int, person: Sequence[Act]) -> Iterator[Act]:
    """Follows everything within seconds, unsubscribe and all, from its own cloud."""
    start = rng.uniform(2, 30)
    yield from _sweep(
        *(rng, "Barracuda", links, start), networks=[BARRACUDA], careful=0.5, trap=1.0
    )


def mimecast(rng: random.Random, links: int, person: Sequence[Act]) -> Iterator[Act]:
    """Asks for heads first, from addresses of which half are in no list."""
    yield from _sweep(
        *(rng, "Mimecast", links, rng.uniform(5, 120)),
        networks=[rng.choice([AWS, UNLISTED])],
        careful=0.4,
        trap=0.9,
        probes=0.6,
        unsubscribes=0.5,
        gap=1.0,
    )


def proofpoint(rng: random.Random, links: int, person: Sequence[Act]) -> Iterator[Act]:
    """A sandbox much later, in a real browser with every header, from addresses like people's: all
    links, or one of them alone. The one that no rule can find is among these."""
    start = rng.uniform(600, 7200)
    if rng.random() < 0.6:
        yield from _sweep(
            *(rng, "Proofpoint, all links", links, start),
            networks=[UNLISTED],
            careful=1.0,
            trap=0.8,
            unsubscribes=0.3,
            gap=1.5,
        )
        return
    headers, where = posing(rng, 1.0), _at(rng, UNLISTED)
    source = "Proofpoint, one link"
    yield Act(on_grid(start), "click", source, "machine", where, headers, rng.randrange(links))
    if rng.random() < 0.4:
        yield Act(on_grid(start + 90), "trap", source, "machine", where, headers)


def slack(rng: random.Random, links: int, person: Sequence[Act]) -> Iterator[Act]:
    """The link was pasted into a channel."""
    agent = "Slackbot-LinkExpanding 1.0 (+https://api.slack.com/robots)"
    yield from _unfurled(rng, "Slack unfurler", agent, links)


def linkedin(rng: random.Random, links: int, person: Sequence[Act]) -> Iterator[Act]:
    """The link was pasted into a message there."""
    agent = "LinkedInBot/1.0 (compatible; Mozilla/5.0; Apache-HttpClient +http://www.linkedin.com)"
    yield from _unfurled(rng, "LinkedIn unfurler", agent, links)


def previews(rng: random.Random, links: int, person: Sequence[Act]) -> Iterator[Act]:
    """Chats that show a card, and browsers that fetch ahead."""
    agents = (
        "facebookexternalhit/1.1 Facebot Twitterbot/1.0",
        "Mozilla/5.0 (Windows NT 6.1; WOW64) SkypeUriPreview Preview/0.5",
        "WhatsApp/2.24 N",
    )
    if rng.random() < 0.7:
        yield from _unfurled(rng, "Link previews of chats", rng.choice(agents), links)
        return
    headers = browser("Mozilla/5.0 (X11) Gecko Chrome/135.0 Safari/537.36")
    headers |= {"sec-purpose": "prefetch;prerender"}
    at, where = on_grid(rng.uniform(60, 9000)), "198.18.7.7"
    yield Act(at, "click", "Prefetch of a browser", "machine", where, headers)


def _unfurled(rng: random.Random, source: str, agent: str, links: int) -> Iterator[Act]:
    at, where = on_grid(rng.uniform(120, 90_000)), _at(rng, AWS)
    link = rng.randrange(links)
    yield Act(at, "click", source, "machine", where, {"user-agent": agent}, link)


# (machine, how many of the messages meet it)
MACHINES: tuple[tuple[Machine, float], ...] = (
    (safelinks, 0.30),
    (barracuda, 0.08),
    (mimecast, 0.08),
    (proofpoint, 0.08),
    (slack, 0.03),
    (linkedin, 0.02),
    (previews, 0.04),
)
