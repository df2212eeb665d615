"""People at eleven mail programs: how a message is shown to them, and what they follow."""

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from tests.simulator.acts import CHROME, Act, browser, on_grid

_SAFARI = (
    "Mozilla/5.0 (iPhone; CPU iPhone OS 18_{} like Mac OS X) AppleWebKit/605.1.15"
    " (KHTML, like Gecko) Version/18.{} Mobile/15E148 Safari/604.1"
)
_ANDROID = (
    "Mozilla/5.0 (Linux; Android 15; {}) AppleWebKit/537.36 (KHTML, like Gecko)"
    " Chrome/{}.0.0.0 Mobile Safari/537.36"
)
_GMAIL = "Mozilla/5.0 (Windows NT 5.1; rv:11.0) Gecko Firefox/11.0 (via ggpht.com GoogleImageProxy)"
_YAHOO = "YahooMailProxy; https://help.yahoo.com/kb/yahoo-mail-proxy-SLN28749.html"


@dataclass(frozen=True)
class Client:
    """A mail program. `shows`: the user agent that loads pictures, None for the browser's own;
    `loads`: how often pictures are loaded at all; `by`: who loads them."""

    name: str
    shows: str | None
    by: str = "person"  # person | google | yahoo | apple
    loads: float = 0.9
    browses: str = "desktop"  # desktop | iphone | android | relay


CLIENTS = (
    Client("Apple Mail, protected", "Mozilla/5.0", by="apple", loads=1.0, browses="iphone"),
    Client("Apple Mail, iCloud relay", "Mozilla/5.0", by="apple", loads=1.0, browses="relay"),
    Client("Apple Mail, open", None, browses="iphone"),
    Client("Gmail on the web", _GMAIL, by="google"),
    Client("Gmail app", _GMAIL, by="google", browses="android"),
    Client("Outlook for Windows", "Microsoft Office/16.0 (Windows NT 10.0; Outlook 16.0)"),
    Client("Outlook on the web", None, loads=0.7),
    Client("Outlook mobile", None, browses="android"),
    Client("Yahoo Mail", _YAHOO, by="yahoo"),
    Client("Thunderbird", "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Thunderbird/140.0", loads=0.4),
    Client("Samsung Email", None, browses="android"),
)


def home(rng: random.Random) -> str:
    """Somebody's address: of the block for benchmarks (RFC 2544)."""
    return f"198.{rng.randrange(18, 20)}.{rng.randrange(256)}.{rng.randrange(1, 255)}"


def person(rng: random.Random, client: Client, links: int, apple: Sequence[str]) -> Iterator[Act]:
    """What one reader and their mail program fetch of one message, and the tap at the end."""
    address, source = home(rng), f"person: {client.name}"
    headers = browser(_agent(rng, client))
    if client.by == "apple":  # fetched whether or not anybody reads
        yield Act(
            *(on_grid(rng.expovariate(1 / 1200)), "open", "Apple privacy proxy", "machine"),
            *(rng.choice(apple), {"user-agent": "Mozilla/5.0"}),
        )
    if rng.random() < 0.45:
        return  # never read
    read = on_grid(_reads_after(rng))
    if client.by == "person" and rng.random() < client.loads:
        shown = {"user-agent": client.shows or headers["user-agent"]}
        yield Act(read, "open", source, "person", address, shown)
    elif client.by in ("google", "yahoo"):
        proxy = f"Image proxy of {client.by.title()}"
        where = "192.0.2.7" if client.by == "google" else "192.0.2.130"
        yield Act(read, "open", proxy, "proxy", where, {"user-agent": client.shows or ""})
    if rng.random() < 0.5:
        return  # read, and let be
    if client.browses == "relay":
        address = rng.choice(apple)
    at = read + on_grid(rng.lognormvariate(3.2, 0.8) + 4)
    followed = [rng.randrange(links)]
    if links > 1 and rng.random() < 0.06:  # one more, most of them after a look at the first
        followed.append((followed[0] + 1) % links)
    for number, link in enumerate(followed):
        at += number * on_grid(rng.lognormvariate(3.0, 1.0))
        yield Act(at, "click", source, "person", address, headers, link)
    if rng.random() < 0.5:
        yield Act(at + on_grid(rng.uniform(3, 60)), "tap", source, "person", address, headers)
    elif rng.random() < 0.1:
        yield Act(at + on_grid(40), "page", source, "person", address, headers)


def _reads_after(rng: random.Random) -> float:
    """Seconds: two hours in the middle, one in fifty at the desk as it comes in."""
    return rng.uniform(8, 40) if rng.random() < 0.02 else rng.lognormvariate(8.9, 1.3) + 20


def _agent(rng: random.Random, client: Client) -> str:
    if client.browses in ("iphone", "relay"):
        return _SAFARI.format(rng.randrange(1, 6), rng.randrange(1, 6))
    if client.browses == "android":
        phone = rng.choice(["SM-S921B", "Pixel 9", "CUBOT P80"])
        return _ANDROID.format(phone, rng.randrange(120, 140))
    agent = CHROME.format(rng.randrange(120, 140))
    return rng.choice([agent, agent + " Edg/131.0.0.0", "Mozilla/5.0 (X11) Gecko Firefox/140.0"])
