"""Suppress an address or its holder by hand: whoever it belongs to, now or later (L4)."""

from collections.abc import Mapping
from datetime import datetime
from typing import Literal

from sqlalchemy.ext.asyncio import AsyncConnection

from channels.base import Channel
from orchestrator.errors import BadInput
from orchestrator.flows.stop_person import stop_person
from orchestrator.flows.suppress_address import suppress_address
from orchestrator.keys import Keys
from orchestrator.store import history, identities_of, suppressions


async def suppress(
    conn: AsyncConnection,
    keys: Keys,
    channels: Mapping[str, Channel],
    *,
    channel: str,
    address: str,
    scope: Literal["person", "address"],
    reason: str,
    now: datetime,
) -> bool:
    """Suppress `address`; False when it was suppressed in this scope before.

    Scope `person` opts its holder out of everything, on every channel. Raises BadInput for what is
    no address of the channel.
    """
    if channel not in channels:
        raise BadInput(f"channel: there is no `{channel}`, only {', '.join(sorted(channels))}")
    try:
        canonical = channels[channel].canonical(address)
    except ValueError as error:
        raise BadInput(f"address: {error}") from None
    new = await suppressions.add(
        conn,
        scope=scope,
        channel=channel,
        address_hash=keys.address_hash(channel, canonical),
        reason=reason,
        now=now,
    )
    if new:
        await history.append(conn, "suppression.added", at=now, scope=scope, reason=reason)
    for identity in await identities_of.by_address(conn, [canonical], channel=channel):
        if scope == "person":
            await stop_person(
                conn, prospect_id=identity["prospect_id"], reason="opt_out", now=now, keys=keys
            )
        else:
            await suppress_address(conn, identity_id=identity["id"], reason=reason, now=now)
    return new
