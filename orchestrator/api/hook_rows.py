"""Channel events as rows of the inbox."""

import json
from hashlib import sha256
from typing import Any

from channels.base import Account, ChannelEvent, EventSource
from orchestrator.rules import event_json
from orchestrator.store.arrivals import Arrival

_ENCODER = json.JSONEncoder(separators=(",", ":"), default=str)
_ID = 200  # characters of an external id that are stored as they are


def rows_of(
    door: EventSource, account: Account, events: list[ChannelEvent], body: bytes
) -> list[Arrival]:
    """A row for each event, as PostgreSQL can hold it whatever the provider says."""
    made = []
    for number, event in enumerate(events):
        detail = dict(event.detail)
        raw = _raw(detail.pop("raw", None))
        if raw is None:  # the source gave no part of its own: the first has the body for all
            raw = body if number == 0 else b""
        made.append(
            Arrival(
                source=f"{door.name}:{account.name}",
                external_id=_external_id(event.external_id),
                kind=event.kind,
                trust=door.trust,
                sender_id=account.id,
                raw=raw,
                detail={"event": event_json.encode(event, detail)},
            )
        )
    return made


def _raw(part: Any) -> bytes | None:
    """The event's own part of the body, where the source gave it."""
    if part is None or isinstance(part, bytes):
        return part
    if isinstance(part, str):
        return part.encode("utf-8", "surrogatepass")
    try:
        return _ENCODER.encode(part).encode()
    except (ValueError, RecursionError):
        return None


def _external_id(given: str) -> str:
    """Short enough for the unique index, and the same for the same event."""
    plain = event_json.clean(given)
    if plain == given and len(given) <= _ID:
        return given
    return f"{plain[:60]}#{sha256(given.encode('utf-8', 'surrogatepass')).hexdigest()}"
