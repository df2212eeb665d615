"""What every provider's parser needs: JSON that cannot hurt, times, addresses, our references."""

import base64
import binascii
import hmac
import json
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from functools import lru_cache
from hashlib import sha256
from typing import Any, NoReturn
from uuid import UUID

from channels.base import BounceClass, ChannelEvent, EventKind
from channels.email.address import canonical_address

TAG = "avtale_message"  # the tag, metadata key or custom argument that holds our message's id
_DEPTH = 32
_MESSAGE_ID = re.compile(r"<?([^\s<>@]{1,400}@[^\s<>@]{1,400})>?")
_UUID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.ASCII)


def _refuse(name: str) -> NoReturn:
    raise ValueError(f"{name} is no JSON")


_DECODER = json.JSONDecoder(parse_constant=_refuse)


@lru_cache(maxsize=1)  # `verify` and `parse` read the same body, one after the other
def read_json(body: bytes) -> Any:
    """The body as JSON, not to be changed. Raises ValueError, and nothing else, for what is
    none or nests deeper than any provider's."""
    try:
        value = _DECODER.decode(body.decode("utf-8"))
    except RecursionError:
        raise ValueError("it nests too deep") from None
    waiting = [(value, 1)]
    while waiting:
        one, depth = waiting.pop()
        if isinstance(one, dict | list):
            if depth > _DEPTH:
                raise ValueError("it nests too deep")
            inner = one.values() if isinstance(one, dict) else one
            waiting += [(child, depth + 1) for child in inner if isinstance(child, dict | list)]
    return value


def decode_base64(text: str) -> bytes | None:
    """The bytes of base64 in its one right spelling; None for any other (RFC 4648, 3.5)."""
    try:
        raw = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return None
    return raw if base64.b64encode(raw).decode() == text else None


def same(one: str, other: str) -> bool:
    """Compared in constant time, whatever characters they hold."""
    return hmac.compare_digest(
        one.encode("utf-8", "surrogatepass"), other.encode("utf-8", "surrogatepass")
    )


def is_of_now(timestamp: str, now: datetime, tolerance: int) -> bool:
    """Whether a Unix time in seconds, as digits, is within `tolerance` seconds of `now`."""
    plain = timestamp.isascii() and timestamp.isdigit() and len(timestamp) <= 12
    return plain and abs(now.timestamp() - int(timestamp)) <= tolerance


def mapping(value: Any) -> Mapping[str, Any]:
    """`value` if it is a JSON object, else an empty one."""
    return value if isinstance(value, dict) else {}


def items(value: Any) -> list[Any]:
    """`value` if it is a list, else an empty one."""
    return value if isinstance(value, list) else []


def word(value: Any, most: int = 1000) -> str:
    """`value` if it is text, cut to `most` characters, else an empty one."""
    return value[:most] if isinstance(value, str) else ""


def instant(value: Any) -> datetime | None:
    """A time as Unix seconds or ISO 8601, in UTC; None for what is none."""
    try:
        if isinstance(value, int | float) and not isinstance(value, bool):
            return datetime.fromtimestamp(value, UTC)
        if isinstance(value, str) and value:
            found = datetime.fromisoformat(value)
            return (found if found.tzinfo else found.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, OverflowError, OSError):
        pass
    return None


def address(value: Any) -> str | None:
    """The canonical address in `Ola <ola@x.example>` or `ola@x.example`."""
    text = word(value, 400).strip()
    if text.endswith(">") and "<" in text:
        text = text[text.rindex("<") + 1 : -1]
    try:
        return canonical_address(text) if text else None
    except ValueError:
        return None


def message_id(value: Any) -> str | None:
    """A Message-ID in its angle brackets, which some providers leave out."""
    found = _MESSAGE_ID.fullmatch(word(value).strip())
    return f"<{found[1]}>" if found else None


def tag(value: Any) -> UUID | None:
    """Our message's id, from a tag that we put on it. A list has it as its first."""
    if isinstance(value, list):
        value = value[0] if value else None
    text = word(value, 40).lower()
    return UUID(text) if _UUID.fullmatch(text) else None


def digest(*parts: Any) -> str:
    """An id where the provider gives none: the same for the same event, however often it comes."""
    text = json.dumps(parts, sort_keys=True, ensure_ascii=True, default=str)
    return sha256(text.encode()).hexdigest()[:40]


def event(
    kind: EventKind,
    external_id: str,
    part: Any,
    *,
    at: Any = None,
    to: Any = None,
    ours: Any = None,
    rfc: Any = None,
    ref: Any = None,
    bounce: BounceClass | None = None,
    ip: Any = None,
    agent: Any = None,
    **detail: Any,
) -> ChannelEvent:
    """One event of values as the provider wrote them. `part` is its own piece of the body."""
    said = {name: value for name, value in detail.items() if value not in (None, "", False)}
    return ChannelEvent(
        kind=kind,
        external_id=external_id,
        occurred_at=instant(at),
        address=address(to),
        provider_ref=word(ref) or None,
        message_id=tag(ours),
        rfc_message_id=message_id(rfc),
        bounce=bounce if kind == "bounced" else None,
        ip=word(ip, 60) or None,
        user_agent=word(agent) or None,
        detail={"raw": part} | said,
    )
