"""A ChannelEvent as JSON that PostgreSQL can keep, and back."""

import math
from collections.abc import Mapping
from dataclasses import fields
from datetime import UTC, datetime
from typing import Any, get_args
from uuid import UUID

from channels.base import BounceClass, ChannelEvent, EventKind

_KINDS = frozenset(get_args(EventKind))
_BOUNCES = frozenset(get_args(BounceClass))
_CHOICES = frozenset({"more", "later", "never"})
_DEPTH = 40
_LARGE = 2**63
_BLANKS = {field.name: field.default for field in fields(ChannelEvent)} | {"detail": {}}


def encode(event: ChannelEvent, detail: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """What `decode` reads back; fields that say nothing are left out. `detail` instead of the
    event's own, where there is one.

    What jsonb cannot hold (U+0000, half a surrogate pair, infinity) is replaced and not refused,
    since the bytes as they came are kept beside it.
    """
    made: dict[str, Any] = {}
    for name, blank in _BLANKS.items():
        value = getattr(event, name) if name != "detail" or detail is None else detail
        if value != blank:
            made[name] = plain(value)
    return made


def decode(value: Mapping[str, Any]) -> ChannelEvent:
    """The event that `encode` was given. Raises ValueError for what it cannot have made; names of
    a later version are ignored, and its kinds are `unknown`."""
    try:
        known = {name: value[name] for name in _BLANKS if name in value}
        if known["kind"] not in _KINDS:
            known["kind"] = "unknown"
        for name, words in (("bounce", _BOUNCES), ("choice", _CHOICES)):
            if known.get(name) not in words:
                known.pop(name, None)
        if "occurred_at" in known:
            known["occurred_at"] = datetime.fromisoformat(known["occurred_at"])
        if "message_id" in known:
            known["message_id"] = UUID(known["message_id"])
        return ChannelEvent(**known)
    except (KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"this is no channel event: {type(error).__name__}") from None


def plain(value: Any, depth: int = _DEPTH) -> Any:
    """`value` in what jsonb takes: text, numbers, lists and maps, `depth` of them at most."""
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, str):
        return clean(value)
    if isinstance(value, int):
        return value if -_LARGE <= value < _LARGE else hex(value)[:100]
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, datetime):
        return (value if value.tzinfo else value.replace(tzinfo=UTC)).isoformat()
    if depth > 0 and isinstance(value, Mapping):
        return {clean(str(name)): plain(one, depth - 1) for name, one in value.items()}
    if depth > 0 and isinstance(value, list | tuple):
        return [plain(one, depth - 1) for one in value]
    if isinstance(value, UUID):
        return str(value)
    return "…" if isinstance(value, Mapping | list | tuple) else clean(str(value))


def clean(text: str) -> str:
    """Text without U+0000 and halves of surrogate pairs, which PostgreSQL does not take."""
    if text.isascii() and "\0" not in text:
        return text  # nearly all of it
    return (
        text.encode("utf-16", "surrogatepass").decode("utf-16", "replace").replace("\0", "\ufffd")
    )
