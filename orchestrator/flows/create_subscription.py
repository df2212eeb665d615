"""Subscribe a receiver to events; its secret is told once and stored sealed."""

import base64
import secrets
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

from orchestrator import egress
from orchestrator.db import transaction
from orchestrator.errors import BadInput
from orchestrator.ids import uuid7
from orchestrator.rules import outbound_events
from orchestrator.rules.egress import Refused
from orchestrator.store import history, subscriptions
from orchestrator.wiring import App


@dataclass(frozen=True)
class NewSubscription:
    """A subscription with its secret: show it once."""

    id: UUID
    secret: str = field(repr=False)


def new_secret() -> str:
    """A Standard Webhooks secret of 32 random bytes."""
    return "whsec_" + base64.b64encode(secrets.token_bytes(32)).decode()


def known_kinds(kinds: Sequence[str]) -> list[str]:
    """Kinds without doubles. Raises BadInput for one that does not exist."""
    try:
        return outbound_events.check(kinds)
    except ValueError as error:
        raise BadInput(str(error)) from None


async def reachable(app: App, url: str, *, resolver: egress.Resolve = egress.resolve) -> str:
    """`url` in its one spelling. Raises BadInput when it must not be reached or does not resolve.

    It is checked again at every connection: this only tells the person who typed it.
    """
    try:
        where = await egress.check_url(url, egress.allowed(app.settings), resolver=resolver)
    except Refused as error:
        raise BadInput(str(error)) from None
    return where.url


async def create_subscription(
    app: App, *, url: str, kinds: Sequence[str], about: str = "", now: datetime
) -> NewSubscription:
    """A subscription to what happens from now on: everything that begins after this returns.

    Raises BadInput for a receiver that must not be reached and for unknown kinds.
    """
    wanted = known_kinds(kinds)
    spelt = await reachable(app, url)
    made = NewSubscription(uuid7(), new_secret())
    async with transaction(app.engine) as conn:
        last, _ = await subscriptions.newest_history(conn)
        await subscriptions.add(
            conn,
            {
                "id": made.id,
                "url": spelt,
                "about": about,
                "kinds": wanted,
                "secrets": app.keys.seal({"current": made.secret, "previous": None}),
                "after_history": last,
                "created_at": now,
            },
        )
        await history.append(
            conn, "subscription.added", at=now, subscription=str(made.id), kinds=wanted
        )
    return made
