"""Add rows of people: find who they are, write what is new, leave who said no alone."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import RowMapping
from sqlalchemy.ext.asyncio import AsyncConnection

from orchestrator.ids import uuid7
from orchestrator.keys import Keys
from orchestrator.rules.import_merge import VALUES, Address, CompanyRow, Merged, merge
from orchestrator.rules.import_rows import PersonRow, Reject
from orchestrator.store import people_import as store

OPTED_OUT = "this person opted out; nothing was changed"
_IMPORTED = ("id", "company_id", *VALUES, "attributes", "created_at", "updated_at")
_IDENTITY = ("id", "prospect_id", "channel", "address", "address_hash")
_HISTORY = ("at", "kind", "prospect_id", "detail")


@dataclass(slots=True)
class Added:
    """What became of the rows. `created` and `updated` are prospects, by line of the file."""

    created: dict[UUID, int] = field(default_factory=dict)
    updated: list[UUID] = field(default_factory=list)
    taken: int = 0  # rows
    repeated: int = 0  # rows about somebody who had another row in the same batch
    facts: int = 0
    opted_out: list[Reject] = field(default_factory=list)


async def add_people(
    conn: AsyncConnection,
    keys: Keys,
    rows: Sequence[PersonRow],
    *,
    now: datetime,
    import_id: UUID | None = None,
) -> Added:
    """Write `rows`; the same rows again change nothing. Values replace, empty cells leave.

    Rows about somebody who opted out come back in `opted_out`, untouched. Raises asyncpg's
    UniqueViolationError when an address was taken meanwhile by another door: try again.
    """
    await store.lock_imports(conn)
    done = Added()
    hashes = {one: keys.address_hash(*one) for row in rows for one in row.identities}
    known = {
        (one["channel"], one["address"]): one for one in await store.owners(conn, list(hashes))
    }
    suppressed = await store.suppressed_people(conn, list(hashes.values()))
    people = merge(
        list(_willing(rows, known, {a for a, h in hashes.items() if h in suppressed}, done)),
        {address: one["prospect_id"] for address, one in known.items()},
    )
    done.taken = sum(person.rows for person in people)
    done.repeated = done.taken - len(people)
    of_company = await _companies(conn, people, known.values())
    found = [(uuid7() if one.owner is None else one.owner, one) for one in people]
    await _create(conn, [pair for pair in found if pair[1].owner is None], of_company, now, done)
    await _update(conn, [pair for pair in found if pair[1].owner], of_company, now, done)
    await _append(conn, found, hashes, now, done, import_id)
    return done


def _willing(
    rows: Iterable[PersonRow],
    known: dict[Address, RowMapping],
    suppressed: set[Address],
    done: Added,
) -> Iterator[PersonRow]:
    """The rows of people who did not say no; the others go to `done.opted_out`."""
    for row in rows:
        no = next(
            (
                channel
                for channel, address in row.identities
                if (channel, address) in suppressed
                or ((one := known.get((channel, address))) is not None and one["opted_out"])
            ),
            None,
        )
        if no is None:
            yield row
        else:
            done.opted_out.append(Reject(row.line, row.cells, {no: OPTED_OUT}))


async def _companies(
    conn: AsyncConnection, people: Sequence[Merged], known: Iterable[RowMapping]
) -> dict[str, UUID]:
    """Company ids by key, after adding those that are new."""
    employed = {one["prospect_id"] for one in known if one["company_id"] is not None}
    wanted: dict[str, CompanyRow] = {}
    for person in people:
        if person.company and (person.company_stated or person.owner not in employed):
            row = wanted.setdefault(person.company.key, person.company)
            if row.name == row.domain or (row.country is None and person.company.country):
                wanted[row.key] = CompanyRow(
                    row.key,
                    person.company.name if row.name == row.domain else row.name,
                    row.domain,
                    row.country or person.company.country,
                )
    there = await store.companies_by_key(conn, wanted)
    new = [(uuid7(), row) for key, row in wanted.items() if key not in there]
    if new:
        await store.add_companies(conn, new)
        there |= await store.companies_by_key(conn, [row.key for _, row in new])
    for key in sorted(wanted):
        row, old = wanted[key], there[key]
        unnamed = old["name"] == old["domain"] and row.name != old["name"]
        if unnamed or (old["country"] is None and row.country is not None):
            await store.fill_company(conn, old["id"], name=row.name, country=row.country)
    return {key: row["id"] for key, row in there.items()}


Found = Sequence[tuple[UUID, Merged]]


def _company_id(person: Merged, of_company: dict[str, UUID]) -> UUID | None:
    return of_company.get(person.company.key) if person.company else None


async def _create(
    conn: AsyncConnection, found: Found, of_company: dict[str, UUID], now: datetime, done: Added
) -> None:
    if not found:
        return
    done.created = {made: person.line for made, person in found}
    await store.copy_rows(
        conn,
        "prospects",
        _IMPORTED,
        [
            (
                made,
                _company_id(person, of_company),
                person.values.get("first_name", ""),
                person.values.get("last_name", ""),
                *(person.values.get(name) for name in VALUES[2:]),
                store.to_json(person.attributes),
                now,
                now,
            )
            for made, person in found
        ],
    )


async def _update(
    conn: AsyncConnection, found: Found, of_company: dict[str, UUID], now: datetime, done: Added
) -> None:
    changes: list[dict[str, Any]] = [
        {
            "id": owner,
            "company_id": _company_id(person, of_company),
            "company_stated": person.company_stated,
            "attributes": person.attributes,
        }
        | person.values
        for owner, person in found
    ]
    if changes:
        done.updated = await store.update_prospects(conn, changes, now)


async def _append(
    conn: AsyncConnection,
    found: Found,
    hashes: dict[Address, bytes],
    now: datetime,
    done: Added,
    import_id: UUID | None,
) -> None:
    """Identities, facts and history of everybody in `found`."""
    identities = [
        (uuid7(), made, channel, address, hashes[channel, address])
        for made, person in found
        for channel, address in person.identities
    ]
    if identities:
        await store.copy_rows(conn, "identities", _IDENTITY, identities)
    # A microsecond a line: of two facts without a date, the one further down is the newer.
    new = [
        (uuid7(), made, fact.name, fact.value, fact.source, fact.found_on,
         now + timedelta(microseconds=line))
        for made, person in found
        for fact, line in person.facts.items()
    ]  # fmt: skip
    fresh = [row for row in new if row[1] in done.created]
    if fresh:
        await store.copy_rows(conn, "facts", store.FACT_COLUMNS, fresh)
    rest = [row for row in new if row[1] not in done.created]
    done.facts = len(fresh) + (await store.append_facts(conn, rest) if rest else 0)
    by = {"import": str(import_id)} if import_id else {}
    history = [
        (now, "prospect.created", made, store.to_json(by | {"line": line}))
        for made, line in done.created.items()
    ] + [(now, "prospect.updated", changed, store.to_json(by)) for changed in done.updated]
    if history:
        await store.copy_rows(conn, "history", _HISTORY, history)
