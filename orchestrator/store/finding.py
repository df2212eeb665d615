"""Finding people by what somebody types: the beginnings of words, at any number of people."""

import re
from collections import defaultdict
from collections.abc import Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, Select, any_, func, select, union
from sqlalchemy.ext.asyncio import AsyncConnection

from orchestrator.models.people import (
    WORDS_OF_COMPANY,
    WORDS_OF_PERSON,
    companies,
    identities,
    prospects,
)
from orchestrator.models.sequences import enrollments, sequences

_WORD = re.compile(r"[^\W_]+")
_MOST = 8  # words; what comes after them narrows nothing


def named(
    typed: str, conditions: Sequence[ColumnElement[bool]], *, after: UUID | None, limit: int
) -> ColumnElement[bool] | None:
    """The condition that a prospect is one of the newest `limit` + 1 before `after` who fit what
    was typed: each word begins one of their name and title, each one of their company, or all of it
    begins an address. None: nothing that could be looked for was typed.

    One search for each of the three, since no index answers an `or` over three tables.
    """
    words = _WORD.findall(typed)[:_MOST]
    address = typed.strip().lower()
    if not words:
        return None
    query = func.to_tsquery("simple", " & ".join(f"'{word}':*" for word in words))
    escaped = address.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
    holds = select(identities.c.prospect_id).where(identities.c.address.like(f"{escaped}%"))
    there = select(companies.c.id).where(WORDS_OF_COMPANY.op("@@")(query))
    by_word = (
        WORDS_OF_PERSON.op("@@")(query),
        # As an array: else the planner looks up the company of one prospect after the other.
        prospects.c.company_id == any_(func.array(there.scalar_subquery())),
    )
    ways = [_fitting(way, conditions, after).offset(0) for way in by_word]
    ways.append(_fitting(prospects.c.id.in_(holds), conditions, after))
    return prospects.c.id.in_(union(*(_newest(way, limit) for way in ways)))


def _fitting(
    way: ColumnElement[bool], conditions: Sequence[ColumnElement[bool]], after: UUID | None
) -> Select[tuple[UUID]]:
    query = select(prospects.c.id).where(way, *conditions)
    return query if after is None else query.where(prospects.c.id < after)


def _newest(fit: Select[tuple[UUID]], limit: int) -> Select[tuple[UUID]]:
    """The newest of those who fit. `offset(0)` in `fit` has them all found before any is chosen:
    how many begin with a word the planner guesses badly, and with a limit in sight it reads
    everybody by id (1.3 s of 500,000, for a name of three)."""
    all_of_them = fit.subquery()
    newest = select(all_of_them.c.id).order_by(all_of_them.c.id.desc()).limit(limit + 1).subquery()
    return select(newest.c.id)


async def sequences_of(
    conn: AsyncConnection, prospect_ids: Sequence[UUID]
) -> dict[UUID, list[dict[str, Any]]]:
    """The enrollments of each of these people, oldest first: sequence, state, answered_at."""
    rows = await conn.execute(
        select(
            enrollments.c.prospect_id,
            enrollments.c.state,
            enrollments.c.answered_at,
            sequences.c.name.label("sequence"),
        )
        .join(sequences, sequences.c.id == enrollments.c.sequence_id)
        .where(enrollments.c.prospect_id.in_(list(prospect_ids)))
        .order_by(enrollments.c.id)
    )
    found: defaultdict[UUID, list[dict[str, Any]]] = defaultdict(list)
    for row in rows.mappings():
        found[row["prospect_id"]].append(dict(row))
    return found
