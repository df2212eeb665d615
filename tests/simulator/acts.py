"""One labelled fetch of something in a message, and what it says of itself."""

import random
from dataclasses import dataclass, field
from typing import Literal

from orchestrator.rules.networks import Lists, neighbourhood
from orchestrator.rules.opens import Hit

Kind = Literal["open", "click", "trap", "page", "unsubscribe", "tap"]
Truth = Literal["person", "proxy", "machine"]

CHROME = (
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko)"
    " Chrome/{}.0.0.0 Safari/537.36"
)
STEP, OFFSET = 0.7, 0.2  # seconds: no distance of two acts is near a threshold of the rules


@dataclass(frozen=True)
class Act:
    """Something that was fetched `at` seconds after the message was handed over."""

    at: float
    kind: Kind
    source: str
    truth: Truth
    address: str
    headers: dict[str, str] = field(default_factory=dict)
    link: int = 0
    method: str = "GET"

    def hit(self, lists: Lists) -> Hit:
        """As pages/tracking.py takes it from the request."""
        return Hit(
            method=self.method,
            user_agent=self.headers.get("user-agent", ""),
            purpose=self.headers.get("sec-purpose", ""),
            language=bool(self.headers.get("accept-language")),
            mode=self.headers.get("sec-fetch-mode", ""),
            robot_header="from" in self.headers,
            networks=lists.kinds(self.address),
            fetcher=f"{neighbourhood(self.address)} {self.headers.get('user-agent', '')}",
        )


def on_grid(seconds: float) -> float:
    """`seconds`, moved to the grid of the simulation."""
    return round(max(seconds, 0.0) / STEP) * STEP + OFFSET


def browser(agent: str) -> dict[str, str]:
    """The headers of a person's browser that follows a link."""
    return {
        "user-agent": agent,
        "accept-language": "nb-NO,nb;q=0.9,en;q=0.6",
        "sec-fetch-mode": "navigate",
    }


def posing(rng: random.Random, careful: float) -> dict[str, str]:
    """The headers of a scanner that poses as Chrome; `careful`: how often it poses well."""
    agent = CHROME.format(rng.randrange(110, 140))
    if rng.random() < careful:
        return browser(agent) | {"accept-language": "en-US,en;q=0.9"}
    return {"user-agent": agent, "accept": "*/*"}
