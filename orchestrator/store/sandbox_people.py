"""Who is behind an address of a channel, for the pages of the sandbox."""

from typing import Any

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection


async def by_address(conn: AsyncConnection, channel: str) -> dict[str, dict[str, Any]]:
    """Prospects by their address on `channel`: name, company, language."""
    rows = await conn.execute(
        text(
            """
            select i.address, trim(p.first_name || ' ' || p.last_name) as name, p.language,
                   coalesce(c.name, '') as company
            from identities i join prospects p on p.id = i.prospect_id
            left join companies c on c.id = p.company_id where i.channel = :channel
            """
        ),
        {"channel": channel},
    )
    return {row["address"]: dict(row) for row in rows.mappings()}
