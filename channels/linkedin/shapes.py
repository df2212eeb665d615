"""Reading JSON of a provider whose fields come under several names. Nothing here raises."""

import math
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

_LONGEST_REF = 300
Json = Mapping[str, Any]


def part(value: object, *names: str) -> Json:
    """The first of `names` in `value` that is a map; an empty one when there is none."""
    if isinstance(value, Mapping):
        for name in names:
            if isinstance(found := value.get(name), Mapping):
                return found
    return {}


def word(value: object, *names: str) -> str | None:
    """The first of `names` in `value` that is a reference: a short text or a number."""
    if not isinstance(value, Mapping):
        return None
    for name in names:
        found = value.get(name)
        if isinstance(found, int) and not isinstance(found, bool) and abs(found) < 2**63:
            return str(found)
        if isinstance(found, str) and 0 < len(found) <= _LONGEST_REF and found.isprintable():
            return found
    return None


def text(value: object, *names: str) -> str:
    """The first of `names` in `value` that is a text, or ""."""
    if isinstance(value, Mapping):
        for name in names:
            if isinstance(found := value.get(name), str):
                return found
    return ""


def truth(value: object, *names: str) -> bool | None:
    """The first of `names` in `value` that is a yes or no (also as 1 or 0)."""
    if isinstance(value, Mapping):
        for name in names:
            found = value.get(name)
            if found in (0, 1) and isinstance(found, bool | int):
                return bool(found)
    return None


def instant(value: object, *names: str) -> datetime | None:
    """The first of `names` in `value` that is a time: ISO 8601, or seconds or milliseconds since
    1970."""
    if isinstance(value, Mapping):
        for name in names:
            if (found := moment(value.get(name))) is not None:
                return found
    return None


def moment(value: object) -> datetime | None:
    """A time in any of the spellings of `instant`, aware, UTC."""
    try:
        if isinstance(value, str) and value:
            if not value.isascii() or len(value) > 40:
                return None
            if not value.replace(".", "", 1).isdigit():
                made = datetime.fromisoformat(value)
                return (made if made.tzinfo else made.replace(tzinfo=UTC)).astimezone(UTC)
            value = float(value)
        if isinstance(value, bool) or not isinstance(value, int | float):
            return None
        number = float(value)
        if not math.isfinite(number) or number <= 0:
            return None
        return datetime.fromtimestamp(number / 1000 if number > 1e11 else number, UTC)
    except (ValueError, OverflowError, OSError):
        return None


def items(value: object) -> Iterator[Json]:
    """The maps in a list, or in the list that an answer holds."""
    if isinstance(value, Mapping):
        found = (value.get(name) for name in ("items", "data", "list", "results"))
        value = next((one for one in found if isinstance(one, list)), [])
    if isinstance(value, list):
        yield from (one for one in value if isinstance(one, Mapping))
