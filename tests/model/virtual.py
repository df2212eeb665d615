"""Who the simulation is about: people of many zones and tempers, sequences, senders."""

import random
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from functools import lru_cache
from typing import Any
from zoneinfo import ZoneInfo

import holidays

from orchestrator.rules.gate import Meaning
from orchestrator.rules.program import Program
from orchestrator.rules.window import OFFICE, Window
from orchestrator.rules.zones import plausible_zones
from tests.make import PROGRAM

START = datetime(2026, 10, 12, 6, 0, tzinfo=UTC)  # before the clocks change, on both sides

# Where people live; whether it is told, and if not, what else of them is known.
PLACES: tuple[tuple[str, str, bool], ...] = (
    ("Europe/Oslo", "NO", True),
    ("Europe/Stockholm", "SE", True),
    ("America/New_York", "US", True),
    ("America/Los_Angeles", "US", False),
    ("Asia/Kolkata", "IN", True),
    ("Australia/Lord_Howe", "AU", True),
    ("Australia/Perth", "AU", False),
    ("America/Sao_Paulo", "BR", True),
    ("Asia/Jerusalem", "IL", True),
    ("Asia/Riyadh", "SA", True),
    ("Pacific/Auckland", "NZ", True),
    ("Africa/Casablanca", "MA", True),
)


def _program(name: str, steps: list[dict[str, Any]], window: dict[str, str]) -> Program:
    made = {"sequence": name, "first": steps[0]["id"], "steps": steps, "window": window}
    return Program.model_validate(PROGRAM | made)


def _send(name: str, after: str, *channels: str, **more: Any) -> dict[str, Any]:
    words = {"en": {"subject": name, "text": name}}
    made = {"kind": "send", "id": name, "next": after, "channels": channels, "wordings": words}
    return made | more


_OFFER = {"kind": "call", "id": "offer", "host": "sales", "minutes": 20,
          "wordings": {"en": {"text": "Pick a time"}}}  # fmt: skip


def _wait(name: str, after: str, amount: int, unit: str) -> dict[str, Any]:
    return {
        "kind": "wait",
        "id": name,
        "next": after,
        "duration": {"amount": amount, "unit": unit},
    }


def _until(name: str, amount: int, otherwise: str) -> dict[str, Any]:
    within = {"amount": amount, "unit": "business_days"}
    return {
        "kind": "until",
        "id": name,
        "within": within,
        "then": "offer",
        "otherwise": otherwise,
    }


PROGRAMS = (
    _program(
        "plain",
        [
            _send("hello", "rest", "email", needs=["fact.pain"]),
            _wait("rest", "more", 3, "business_days"),
            _send("more", "listen", "email", "chat"),
            _until("listen", 10, "bye"),
            _OFFER,
            _send("bye", "end", "email"),
        ],
        {"days": "mon-fri", "hours": "08:00-16:00"},
    ),
    _program(
        "branches",
        [
            _send("first", "rest", "chat", "email"),
            _wait("rest", "fork", 2, "days"),
            {
                "kind": "branch",
                "id": "fork",
                "cases": [{"when": "clicked", "go": "warm"}, {"when": "fact.pain", "go": "listen"}],
                "otherwise": "cold",
            },
            _send("warm", "listen", "email"),
            {"kind": "task", "id": "cold", "next": "listen", "title": "Look them up"},
            _until("listen", 5, "last"),
            _OFFER,
            _send("last", "end", "email", "chat"),
        ],
        {"days": "mon-sat", "hours": "07:00-12:00"},
    ),
    _program(
        "short",
        [
            _send("once", "pause", "email"),
            _wait("pause", "listen", 36, "hours"),
            _until("listen", 2, "end"),
            _OFFER,
        ],
        {"days": "tue, thu", "hours": "09:30-10:30"},
    ),
)
WINDOWS = {
    "plain": (range(5), (8, 0), (16, 0)),
    "branches": (range(6), (7, 0), (12, 0)),
    "short": ((1, 3), (9, 30), (10, 30)),
}


@dataclass
class Post:
    """One message."""

    step: str
    kind: str
    channel: str
    lane: int
    state: str = "pending"
    due: datetime = START
    attempt: int = 0
    handed_at: datetime | None = None


@dataclass
class Run:
    """One enrollment."""

    program: Program
    state: str = "active"
    step: str = ""
    due: datetime | None = START
    entered: datetime = START
    reason: str | None = None
    answered: bool = False
    unlocked: bool = False
    posts: dict[str, Post] = field(default_factory=dict)
    clicked: bool = False
    opened: bool = False

    @property
    def posts_channel(self) -> str:
        """The channel of what was said last."""
        return [post.channel for post in self.posts.values()][-1]


@dataclass
class Human:
    """A prospect: what is known of them, and what only they know."""

    number: int
    lives: str
    country: str
    zones: frozenset[str]
    temper: float  # how likely a message makes them do something
    wrong_address: bool
    away: tuple[datetime, datetime] | None
    usable: dict[str, bool]
    fact: bool
    run: Run
    opted_out: bool = False
    not_before: datetime | None = None
    paused: bool = False
    heard: set[str] = field(default_factory=set)  # events that are stored
    said: list[tuple[datetime, Meaning]] = field(default_factory=list)  # what was read, by its time
    truly_interested: bool = False  # they pressed it or wrote it: only the law knows
    answered_truly: bool = False
    said_no_more: bool = False  # an opt-out or complaint that was accepted


@dataclass
class LaneState:
    """One sender account."""

    channel: str
    zone: str
    cap: int
    gap: int
    hours: Window = OFFICE
    day: date | None = None
    used: int = 0
    free: datetime = START
    sent: dict[date, int] = field(default_factory=dict)


def lanes() -> list[LaneState]:
    """Two mailboxes and a chat app, far from each other."""
    always = Window.model_validate({"days": "mon-sun", "hours": "00:00-24:00"})
    return [
        LaneState("email", "Europe/Oslo", 300, 30, always),
        LaneState("email", "America/New_York", 200, 10, always),
        LaneState("chat", "Europe/London", 400, 1, always),
    ]


def human(number: int, dice: random.Random, begins: datetime) -> Human:
    """Somebody, with an enrollment that begins at `begins`."""
    lives, country, told = dice.choice(PLACES)
    zones = plausible_zones(zone=lives if told else None, country=country)
    away = None
    if dice.random() < 0.2:
        leaves = begins.timestamp() + dice.random() * 20 * 86400
        back = leaves + dice.randint(3, 20) * 86400
        away = (datetime.fromtimestamp(leaves, UTC), datetime.fromtimestamp(back, UTC))
    program = dice.choice(PROGRAMS)
    return Human(
        number=number,
        lives=lives,
        country=country,
        zones=zones,
        temper=dice.choice((0.0, 0.1, 0.3, 0.8)),
        wrong_address=dice.random() < 0.05,
        away=away,
        usable={"email": True, "chat": dice.random() < 0.5},
        fact=dice.random() < 0.8,
        run=Run(program, step=program.first, due=begins, entered=begins),
    )


@lru_cache(maxsize=4096)
def _free_days(country: str, year: int) -> frozenset[date]:
    return frozenset(holidays.country_holidays(country, years=year))


@lru_cache(maxsize=256)
def _weekend(country: str) -> frozenset[int]:
    return frozenset(holidays.country_holidays(country, years=2026).weekend)


def may_read(person: Human, sequence: str, at: datetime) -> bool:
    """L5 once more, from the place where they truly live and without the rules."""
    days, first, last = WINDOWS[sequence]
    local = at.astimezone(ZoneInfo(person.lives))
    wall = (local.hour, local.minute)
    if local.date() in _free_days(person.country, local.year):
        return False
    names_weekend = 5 in days or 6 in days
    if not names_weekend and local.weekday() in _weekend(person.country):
        return False
    return local.weekday() in days and first <= wall < last
