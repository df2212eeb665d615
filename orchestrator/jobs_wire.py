"""How a doorbell looks on the wire: JSON, ids only. Never pickle: whoever writes Redis would run
code."""

import json
from typing import Any, Literal

Bell = Literal["plan", "send", "read", "seen"]
QUEUE = "avtale:bells:1"
_CANARY = "canary"
# Every worker takes from one queue: a canary that another one took is put back, this often at most.
HOPS = 40


def canary(worker: str, hops: int = HOPS) -> str:
    """The bell by which `worker` shows that its doorbells work."""
    return f"{_CANARY}:{hops}:{worker}"


def read_canary(what: str) -> tuple[str, int] | None:
    """(worker, hops that are left) of a canary; None for any other bell."""
    kind, _, rest = what.partition(":")
    hops, _, worker = rest.partition(":")
    if kind != _CANARY or not hops.isdecimal() or not worker:
        return None
    return worker, int(hops)


def serialize(value: dict[str, Any]) -> bytes:
    """A job as JSON. Results are not kept, and an exception becomes its name."""
    return json.dumps(value, default=lambda other: type(other).__name__).encode()


def deserialize(raw: bytes) -> dict[str, Any]:
    """A job from JSON."""
    value: dict[str, Any] = json.loads(raw)
    return value
