"""List people: by what somebody types, by an expression as `enroll --where` takes it, or both."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement
from sqlalchemy.ext.asyncio import AsyncConnection

from orchestrator import acting
from orchestrator.errors import BadInput
from orchestrator.models.people import prospects
from orchestrator.rules.where import BadWhere, parse
from orchestrator.store import finding, listing, ownership, people_where


@dataclass(frozen=True, slots=True)
class People:
    """Some people, newest first, with what belongs to each by id. `rows` has one more than asked
    for where there are more."""

    rows: list[dict[str, Any]]
    identities: dict[UUID, list[dict[str, Any]]]


async def list_people(
    conn: AsyncConnection,
    *,
    typed: str = "",
    where: str = "",
    conditions: Sequence[ColumnElement[bool]] = (),
    after: UUID | None = None,
    limit: int = 50,
) -> People:
    """The newest who fit everything, at most `limit` + 1 of them; only their own for whoever
    reaches no others. Two queries. Raises BadInput for an expression that cannot be read."""
    fit = list(conditions)
    owner = acting.only_own()
    if owner is not None:
        own = ownership.belongs_to(prospects, owner)
        assert own is not None  # prospects are people
        fit.append(own)
    if where.strip():
        try:
            fit.append(people_where.clause(parse(where)))
        except BadWhere as error:
            raise BadInput(f"where: {error}", field="where") from None
    if typed.strip():
        found = finding.named(typed, fit, after=after, limit=limit)
        if found is None:
            return People([], {})
        fit = [found]
    rows = await listing.page(
        conn, listing.PROSPECTS, prospects.c.id, *fit, after=after, limit=limit
    )
    shown = [row["id"] for row in rows[:limit]]
    return People(rows, await listing.identities_by_prospect(conn, shown))
