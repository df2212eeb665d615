"""Reading what others wrote: every function takes anything and raises nothing. Pure."""

import html
import math
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final
from uuid import UUID

from channels.slack.address import canonical

_ID: Final = re.compile(r"[A-Z][A-Z0-9]{1,40}", re.ASCII)
_TS: Final = re.compile(r"[0-9]{1,12}\.[0-9]{1,9}", re.ASCII)
_PRINTABLE: Final = re.compile(r"[\x21-\x7e]{1,120}")
_MARKUP: Final = re.compile(r"<([^<>|]{0,3000})(?:\|([^<>]{0,3000}))?>")
_LONGEST: Final = 40_000


def obj(value: object, name: str) -> Mapping[str, Any]:
    """The object `name` of `value`; empty where there is none."""
    found = value.get(name) if isinstance(value, Mapping) else None
    return found if isinstance(found, Mapping) else {}


def items(value: object, name: str) -> list[Mapping[str, Any]]:
    """The objects of the list `name` of `value`."""
    found = value.get(name) if isinstance(value, Mapping) else None
    return [each for each in found if isinstance(each, Mapping)] if isinstance(found, list) else []


def token(value: object, name: str) -> str | None:
    """A word of printable ASCII, such as a type or an event's id."""
    found = value.get(name) if isinstance(value, Mapping) else None
    return found if isinstance(found, str) and _PRINTABLE.fullmatch(found) else None


def ident(value: object, name: str) -> str | None:
    """An id of Slack's: a user, a channel, a workspace."""
    found = token(value, name)
    return found if found is not None and _ID.fullmatch(found) else None


def ts(value: object, name: str) -> str | None:
    """A message's timestamp, which is its id within the conversation."""
    found = token(value, name)
    return found if found is not None and _TS.fullmatch(found) else None


def moment(value: object) -> datetime | None:
    """Seconds since 1970, as a number or in digits."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        seconds = float(value) if len(str(value)) < 40 else math.nan
        return datetime.fromtimestamp(seconds, UTC) if seconds > 0 else None
    except (ValueError, OverflowError, OSError):
        return None


def uuid(value: object) -> UUID | None:
    """An id of ours."""
    try:
        return UUID(value) if isinstance(value, str) and len(value) == 36 else None
    except ValueError:
        return None


def mailbox(value: object) -> str | None:
    """An email address in its canonical form."""
    try:
        return canonical(value) if isinstance(value, str) and "@" in value[:255] else None
    except ValueError:
        return None


def person(team: str | None, user: str | None) -> str | None:
    """`workspace:user`."""
    return f"{team}:{user}" if team and user else None


def place(channel: str | None, at: str | None) -> str | None:
    """`channel:ts`, our reference of a message."""
    return f"{channel}:{at}" if channel and at else None


def plain(value: object) -> str:
    """What a person typed, out of Slack's markup, and fit to be stored."""
    if not isinstance(value, str):
        return ""
    text = _MARKUP.sub(lambda found: found[2] or found[1], value[:_LONGEST])
    text = html.unescape(text) if "&" in text else text
    return text.encode("utf-8", "replace").decode().replace("\0", "")
