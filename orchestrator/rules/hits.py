"""What is stored of one hit, as JSON and back: enough to judge it again, and no address. Pure.

Of the address are kept the kinds of the lists that knew it, and a keyed hash of its network and the
user agent that differs for every message (`Keys.fetcher`): it tells whether two hits on one message
were the same program, and follows nobody from one message to the next.
"""

import json
from typing import Any

from orchestrator.rules.opens import Hit

_WORDS = ("method", "user_agent", "purpose", "mode", "robot_header", "fetcher")


def encode(hit: Hit) -> bytes:
    """The raw payload of a hit's provider event."""
    told: dict[str, Any] = {name: value for name in _WORDS if (value := getattr(hit, name))}
    if hit.networks:
        told["networks"] = sorted(hit.networks)
    told["language"] = hit.language
    return json.dumps(told).encode()


def decode(raw: bytes) -> Hit:
    """A stored hit; what an older version did not note is not known. Never raises."""
    try:
        told = json.loads(raw)
    except ValueError:
        told = {}
    told = told if isinstance(told, dict) else {}
    language = told.get("language")
    return Hit(
        method=str(told.get("method", "GET")),
        user_agent=str(told.get("user_agent", "")),
        purpose=str(told.get("purpose", "")),
        language=language if isinstance(language, bool) else None,
        mode=str(told.get("mode", "")),
        robot_header=told.get("robot_header") is True,
        networks=frozenset(map(str, told.get("networks") or ())),
        fetcher=str(told.get("fetcher", "")),
    )
