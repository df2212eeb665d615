"""Find one prospect by what a person types: an id or an address."""

from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection

from orchestrator.errors import NotFound
from orchestrator.rules import addresses
from orchestrator.store import identities_of


async def find_person(conn: AsyncConnection, person: str) -> UUID:
    """The prospect with this id or address. Raises NotFound in words that help."""
    try:
        return UUID(person)
    except ValueError:
        pass
    try:
        found = await identities_of.by_address(conn, [addresses.email(person)])
    except ValueError as error:
        raise NotFound(f"{str(error).rstrip('.')}. Give an address or an id.") from None
    if not found:
        raise NotFound("Nobody has that address: `avtale prospects list` shows who there is.")
    who: UUID = found[0]["prospect_id"]
    return who
