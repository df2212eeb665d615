"""How the sandbox's pages are made: templates, headers, and what each page shows."""

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from pathlib import Path
from typing import Any

import nh3
from fastapi.responses import HTMLResponse
from icalendar import Calendar
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup, escape

from orchestrator.sandbox.mailbox import Mail

TEMPLATES = Path(__file__).parents[2] / "templates" / "sandbox"
_PAGE_POLICY = (
    "default-src 'none'; style-src 'self'; img-src 'self' data:; frame-src 'self';"
    " form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
# The HTML of a mail stands in a frame of its own that may load, run and send nothing.
_MAIL_POLICY = (
    "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none';"
    " frame-ancestors 'self'; sandbox"
)
_COMMON = {
    "x-content-type-options": "nosniff",
    # Not "no-referrer": with it browsers send `Origin: null` from our own buttons, too.
    "referrer-policy": "same-origin",
    "cache-control": "no-store",
}
_ADDRESS = re.compile(r"https?://[^\s<>\"']*[^\s<>\"'.,;:!?)]")
SUGGESTIONS = {
    "en": ("Yes, tell me more", "Not now, try me again in the autumn", "Stop"),
    "nb": ("Ja, fortell gjerne mer", "Ikke nå, prøv igjen til høsten", "Stopp"),
    "sv": ("Ja, berätta gärna mer", "Inte nu, hör av dig i höst", "Sluta"),
}


@lru_cache(maxsize=1)
def _templates() -> Environment:
    made = Environment(
        loader=FileSystemLoader(TEMPLATES), autoescape=True, undefined=StrictUndefined
    )
    made.filters["time"] = lambda at: f"{at:%H:%M}"
    made.filters["moment"] = lambda at: f"{at:%a %d %b %H:%M}"
    made.filters["ago"] = ago
    made.filters["linked"] = linked
    made.filters["slack_time"] = lambda ts: datetime.fromtimestamp(float(ts), UTC)
    return made


def page(template: str, *, status: int = 200, **values: Any) -> HTMLResponse:
    """A page of the sandbox."""
    html = _templates().get_template(template).render(**values)
    return HTMLResponse(html, status, headers={"content-security-policy": _PAGE_POLICY, **_COMMON})


def mail_frame(mail: Mail) -> HTMLResponse:
    """The HTML part of a mail, cleaned, for the frame that shows it."""
    cleaned = nh3.clean(
        mail.html,
        tags=nh3.ALLOWED_TAGS - {"img"},  # images load by the button, as in a careful program
        attributes={**nh3.ALLOWED_ATTRIBUTES, "*": {"style", "class", "dir", "lang"}},
        link_rel="noopener noreferrer",
        filter_style_properties={
            *("color", "background-color", "font-size", "font-family", "font-weight", "margin"),
            *("padding", "text-align", "line-height", "max-width", "border", "border-left"),
        },
    )
    document = f"<!doctype html><meta charset=utf-8><title>Mail</title>{cleaned}"
    return HTMLResponse(document, headers={"content-security-policy": _MAIL_POLICY, **_COMMON})


def linked(words: str) -> Markup:
    """Plain text with its web addresses as links."""
    made, end = Markup(""), 0
    for found in _ADDRESS.finditer(words):
        made += escape(words[end : found.start()])
        made += Markup('<a href="{0}" target="_blank" rel="noopener noreferrer">{0}</a>').format(
            found[0]
        )
        end = found.end()
    return made + escape(words[end:])


def ago(delta: timedelta) -> str:
    """`3 days 4 h`, `12 min`, `8 s`: how long, in the two largest units."""
    seconds = int(delta.total_seconds())
    parts = (
        (seconds // 86400, "day" if seconds // 86400 == 1 else "days"),
        (seconds // 3600 % 24, "h"),
        (seconds // 60 % 60, "min"),
        (seconds % 60, "s"),
    )
    named = [f"{number} {unit}" for number, unit in parts if number]
    return " ".join(named[:2]) or "0 s"


@dataclass(frozen=True)
class Invitation:
    """What a calendar program would show of an iCalendar object."""

    method: str
    title: str
    start: datetime
    end: datetime
    uid: str
    sequence: int
    location: str


def invitations(mail: Mail) -> list[Invitation]:
    """Every event of every iCalendar object in the mail."""
    found = []
    for text in mail.calendars:
        calendar = Calendar.from_ical(text)
        for event in calendar.walk("VEVENT"):
            found.append(
                Invitation(
                    method=str(calendar.get("METHOD", "PUBLISH")),
                    title=str(event.get("SUMMARY", "")),
                    start=event.decoded("DTSTART"),
                    end=event.decoded("DTEND"),
                    uid=str(event["UID"]),
                    sequence=int(event.get("SEQUENCE", 0)),
                    location=str(event.get("LOCATION", "")),
                )
            )
    return found


def suggestions(language: str | None) -> tuple[str, ...]:
    """Answers to begin with, in the prospect's language."""
    return SUGGESTIONS.get((language or "en")[:2], SUGGESTIONS["en"])


def sentence(line: dict[str, Any]) -> str:
    """A line of the history as a person would say it: `message sent · hello`."""
    detail = line["detail"] or {}
    words = [str(line["kind"]).replace(".", " ").replace("_", " ")]
    words += [
        str(detail[name]) for name in ("step", "reason", "meaning", "kind") if detail.get(name)
    ]
    if line["kind"] == "clock.moved":
        words.append(ago(timedelta(seconds=detail["seconds"])))
    return " · ".join(dict.fromkeys(words))


def _named(step: str) -> str:
    """A step's name; that of a notice about a booking (`booking:<id>:<revision>:host`) in words."""
    return f"invitation to the {step.rpartition(':')[2]}" if step.startswith("booking:") else step
