"""Which lines of history are told to subscriptions, under which name, and in what words. Pure.

What leaves are ids, states and reasons: enough to look a thing up with an API key, and nothing that
says who a prospect is. A field that is not listed here does not leave.
"""

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

# Public kind -> the kind of history it is read from, where that is another one.
_RENAMED = {"unlock.created": "enrollment.unlocked"}
# Public kind -> fields of `detail` that go along, as "name" or "name:name in detail".
_EVENTS: dict[str, str] = {
    "enrollment.created": "version_id:version sender_id:sender",
    "enrollment.held_back": "sequence_id:sequence reason",
    "enrollment.moved": "step",
    "enrollment.held": "step reason task_kind:task missing",
    "enrollment.resumed": "step",
    "enrollment.answered": "step engagement_id:engagement",
    "enrollment.stopped": "reason",
    "enrollment.finished": "step reason",
    "message.planned": "step due_at:due",
    "message.sent": "step attempt message_kind",
    "message.cancelled": "step reason",
    "message.suppressed": "step reason",
    "message.retry_wait": "step attempt message_kind reason:class",
    "message.failed": "step attempt message_kind reason:class",
    "message.in_doubt": "step attempt message_kind",
    "message.abandoned": "step",
    "engagement.recorded": "engagement_id:engagement kind:engaged_by grade meaning action reason",
    "unlock.created": "unlock_id:unlock engagement_id:engagement step",
    "booking.made": "booking_id:booking unlock_id:unlock engagement_id:engagement",
    "booking.moved": "booking_id:booking revision",
    "booking.cancelled": "booking_id:booking revision by",
    "booking.not_told": "booking_id:booking to reason",
    "task.opened": "task_id:task task_kind step",
    "task.done": "task_id:task task_kind outcome",
}
TEST = "subscription.test"
KINDS = tuple(_EVENTS)
AREAS = tuple(dict.fromkeys(kind.partition(".")[0] for kind in KINDS))
_IDS = ("prospect_id", "enrollment_id", "message_id")

# Reasons are words of ours; one that could hold an address or a number of somebody stays here.
_OURS = re.compile(r"[A-Za-z0-9 _.,:;()/`'-]{1,120}")
_NUMBERS = re.compile(r"\d(?:[ .()/-]?\d){5,}")
_UNSAID = "other"


def check(kinds: Iterable[str]) -> list[str]:
    """`kinds` without doubles. Raises ValueError for one that nothing could ever match."""
    wanted = list(dict.fromkeys(kinds))
    if not wanted:
        raise ValueError("name at least one kind of event, or * for all of them")
    known = {"*", *KINDS, *(f"{area}.*" for area in AREAS)}
    for kind in wanted:
        if kind not in known:
            raise ValueError(
                f"`{kind}` is no kind of event: write *, one of "
                f"{', '.join(f'{area}.*' for area in AREAS)}, or a single kind such as message.sent"
            )
    return wanted


def matches(patterns: Sequence[str], kind: str) -> bool:
    """Whether a subscription to `patterns` gets events of the public kind `kind`."""
    return any(one in ("*", kind, f"{kind.partition('.')[0]}.*") for one in patterns)


def history_kinds(patterns: Sequence[str]) -> list[str]:
    """The kinds of history that a subscription to `patterns` is told of."""
    return [_RENAMED.get(kind, kind) for kind in KINDS if matches(patterns, kind)]


def public_kind(history_kind: str) -> str | None:
    """The name under which a kind of history is told; None when it is not."""
    for public, told in _RENAMED.items():
        if told == history_kind:
            return public
    return history_kind if history_kind in _EVENTS else None


def body(line: Mapping[str, Any]) -> tuple[str, bytes]:
    """The public kind and the JSON of one line of history (id, at, kind, ids, detail).

    Made once and stored: every attempt and every redelivery sends the same bytes.
    """
    kind = public_kind(line["kind"])
    if kind is None:
        raise ValueError(f"{line['kind']} is not told to anybody")
    data = {name: line[name] for name in _IDS if line.get(name) is not None}
    for field in _EVENTS[kind].split():
        name, _, source = field.partition(":")
        value = line["detail"].get(source or name)
        if value is not None:
            data[name] = _value(name, value)
    return kind, encode(line["id"], kind, line["at"], data)


def test_body(history_id: int, at: datetime, subscription_id: UUID) -> bytes:
    """What a test delivery says."""
    return encode(history_id, TEST, at, {"subscription_id": subscription_id})


def encode(history_id: int, kind: str, at: datetime, data: Mapping[str, Any]) -> bytes:
    """The document that is signed. `id` grows with history and is the same to all who get it."""
    document = {
        "id": str(history_id),
        "type": kind,
        "created_at": at.astimezone(UTC).isoformat().replace("+00:00", "Z"),
        "data": dict(data),
    }
    return json.dumps(document, default=str, ensure_ascii=False, separators=(",", ":")).encode()


def _value(name: str, value: Any) -> Any:
    if isinstance(value, list):
        return [_value(name, one) for one in value[:50]]
    if isinstance(value, bool | int):
        return value
    text = str(value)
    if name.endswith(("_id", "_at")):
        return text if len(text) <= 40 and _OURS.fullmatch(text.replace("+", "-")) else _UNSAID
    return text if _OURS.fullmatch(text) and not _NUMBERS.search(text) else _UNSAID
