"""How a doorbell looks on the wire: JSON, ids only. Never pickle: whoever writes Redis would run
code."""

import json
from typing import Any, Literal

Bell = Literal["plan", "send", "read", "canary"]
QUEUE = "avtale:bells:1"


def serialize(value: dict[str, Any]) -> bytes:
    """A job as JSON. Results are not kept, and an exception becomes its name."""
    return json.dumps(value, default=lambda other: type(other).__name__).encode()


def deserialize(raw: bytes) -> dict[str, Any]:
    """A job from JSON."""
    value: dict[str, Any] = json.loads(raw)
    return value
