"""A provider of the tests: a source that is signed in the simplest way, and senders to post to."""

import hmac
import json
from collections.abc import Sequence
from datetime import datetime
from hashlib import sha256
from typing import Any, Literal
from uuid import UUID

from sqlalchemy import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from channels.base import Account, ChannelEvent, InboundRequest, Rejected, Verified
from orchestrator.ids import uuid7
from orchestrator.keys import Keys
from orchestrator.models.messages import lanes, senders

SECRET = "a secret of the test provider"


class Signed:
    """`x-signature`: HMAC-SHA256 of the body in hex. The body is a list of {id, kind}."""

    name = "testing"
    channel = "email"
    trust: Literal["signed", "weak"] = "signed"
    secrets: tuple[str, ...] = ("testing_secret",)

    def __init__(self) -> None:
        self.parsed = 0

    def verify(
        self, request: InboundRequest, account: Account, now: datetime
    ) -> Verified | Rejected:
        wanted = sign(request.body, account.secrets["testing_secret"])
        given = request.headers.get("x-signature", "")
        if not hmac.compare_digest(given.encode(), wanted.encode()):
            return Rejected(401, "the signature is wrong")
        if request.body == b"handshake":
            return Verified(answer=("text/plain", b"hello yourself"))
        try:
            json.loads(request.body)
        except (ValueError, RecursionError):
            return Rejected(400, "the body is no JSON")
        return Verified()

    def parse(self, request: InboundRequest, account: Account) -> list[ChannelEvent]:
        self.parsed += 1
        return [
            ChannelEvent(one["kind"], one["id"], detail={"raw": one, "n": one.get("n")})
            for one in json.loads(request.body)
        ]


def sign(body: bytes, secret: str = SECRET) -> str:
    """The header of `body`."""
    return hmac.new(secret.encode(), body, sha256).hexdigest()


def body_of(events: Sequence[dict[str, Any]]) -> tuple[bytes, dict[str, str]]:
    """A body with these events, and its headers."""
    body = json.dumps(events).encode()
    return body, {"x-signature": sign(body), "content-type": "application/json"}


async def add_sender(
    conn: AsyncConnection,
    keys: Keys,
    name: str,
    *,
    channel: str = "email",
    settings: dict[str, Any] | None = None,
    secrets: dict[str, str] | None = None,
) -> UUID:
    """A sender whose events may come in."""
    made = uuid7()
    await conn.execute(
        insert(senders).values(
            id=made,
            name=name,
            channel=channel,
            address=f"{made.hex}@sender.example",
            display_name="Kari Nordmann",
            settings=settings or {},
            secrets=keys.seal({"testing_secret": SECRET} if secrets is None else secrets),
            daily_cap=10,
            gap_seconds=0,
            gap_jitter_seconds=0,
            hours={"days": "mon-sun", "hours": "00:00-24:00"},
        )
    )
    await conn.execute(insert(lanes).values(sender_id=made))
    return made
