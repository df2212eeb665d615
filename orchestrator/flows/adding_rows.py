"""Writing people who are settled: COPY for what is new, one UPDATE for the rest."""

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime, timedelta
from itertools import chain, compress, repeat
from typing import Any
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection

from orchestrator.flows.adding import Added, Settled
from orchestrator.ids import uuid7s
from orchestrator.rules.import_merge import Merged
from orchestrator.rules.import_split import People
from orchestrator.rules.import_table import VALUES, Table, Texts
from orchestrator.store import people_import as store
from orchestrator.store.direct import plan_anew

_PROSPECT = ("id", "company_id", *VALUES, "attributes", "created_at", "updated_at")
_IDENTITY = ("id", "prospect_id", "channel", "address", "address_hash")
_HISTORY = ("at", "kind", "prospect_id", "detail")


async def write(
    conn: AsyncConnection, settled: Settled, people: People, now: datetime, import_id: UUID | None
) -> Added:
    """Write `people`, some or all of the settled, whose companies are saved. Raises asyncpg's
    UniqueViolationError when an address was taken meanwhile by another door: settle them anew."""
    part = _Part(settled, people, now)
    if part.made:
        await store.copy_rows(conn, "prospects", _PROSPECT, part.prospects())
    changes = part.changes()
    updated: list[UUID] = []
    if changes["id"]:
        await plan_anew(conn)
        updated = await store.update_prospects(conn, changes, now)
        await plan_anew(conn, anew=False)
    identities = part.identities()
    if identities:
        await store.copy_rows(conn, "identities", _IDENTITY, identities)
    facts = part.facts_of(part.new, part.new_merged, part.made)
    if facts:
        await store.copy_rows(conn, "facts", store.FACT_COLUMNS, facts)
    more = part.facts_of(part.old, part.old_merged, part.owners)
    appended = len(facts) + (await store.append_facts(conn, more) if more else 0)
    history = part.history(updated, import_id)
    if history:
        await store.copy_rows(conn, "history", _HISTORY, history)
    return Added(
        part.made, updated, people.rows, people.rows - len(part.made) - len(part.owners), appended
    )


class _Part:
    """The rows of each table for some people: those that are `new`, and those that are known."""

    def __init__(self, settled: Settled, people: People, now: datetime) -> None:
        self._settled = settled
        self._now = now
        fresh = [owner is None for owner in people.owners]
        self.new = people.table.only(fresh)
        self.old = people.table.only([not one for one in fresh])
        self.new_merged = [one for one in people.merged if one.owner is None]
        self.old_merged = [one for one in people.merged if one.owner is not None]
        self.made = uuid7s(len(self.new.lines) + len(self.new_merged))
        self.owners = [
            owner
            for owner in chain(people.owners, (one.owner for one in self.old_merged))
            if owner is not None
        ]

    def _column(self, name: str, table: Table, merged: Sequence[Merged]) -> Texts:
        column = table.values.get(name) or [None] * len(table.lines)
        return column + [one.values.get(name) for one in merged] if merged else column

    def _company_ids(self, table: Table, merged: Sequence[Merged]) -> list[UUID | None]:
        ids = self._settled.of_company
        keys = chain(table.company_keys, (one.company and one.company.key for one in merged))
        return [ids.get(key) if key else None for key in keys]

    def _attributes(self, table: Table, merged: Sequence[Merged]) -> list[str]:
        return table.json_attributes() + [store.to_json(one.attributes) for one in merged]

    def prospects(self) -> Iterable[Sequence[Any]]:
        """In _PROSPECT."""
        new, merged = self.new, self.new_merged
        return zip(
            self.made,
            self._company_ids(new, merged),
            *([v or "" for v in self._column(name, new, merged)] for name in VALUES[:2]),
            *(self._column(name, new, merged) for name in VALUES[2:]),
            self._attributes(new, merged),
            repeat(self._now, len(self.made)),
            repeat(self._now, len(self.made)),
            strict=True,
        )

    def changes(self) -> dict[str, list[Any]]:
        """What is said of people who are known, as `update_prospects` takes it."""
        old, merged = self.old, self.old_merged
        stated = old.company_stated + [one.company_stated for one in merged]
        named = VALUES if merged else tuple(old.values)
        return {
            "id": self.owners,
            **{name: self._column(name, old, merged) for name in named},
            "company_id": self._company_ids(old, merged),
            "company_stated": stated,
            "attributes": self._attributes(old, merged),
        }

    def identities(self) -> list[tuple[Any, ...]]:
        """In _IDENTITY: the addresses that nobody has yet."""
        found: list[tuple[UUID, str, str]] = []
        for table, merged, ids in (
            (self.new, self.new_merged, self.made),
            (self.old, self.old_merged, self.owners),
        ):
            for channel, column in table.channels.items():
                free = self._settled.free[channel]
                found += [
                    (owner, channel, address)
                    for owner, address in zip(ids, column, strict=False)
                    if address in free
                ]
            for owner, one in zip(ids[len(table.lines) :], merged, strict=True):
                found += [(owner, channel, address) for channel, address in one.identities]
        hashes = self._settled.hashes
        return [
            (made, owner, channel, address, hashes[channel][address])
            for made, (owner, channel, address) in zip(uuid7s(len(found)), found, strict=True)
        ]

    def facts_of(
        self, table: Table, merged: Sequence[Merged], ids: Sequence[UUID]
    ) -> list[store.FactValues]:
        """In FACT_COLUMNS. A microsecond a line: of two without a date, the one further down is
        the newer."""
        found: list[Any] = []
        now = self._now
        for one in table.facts:
            rows = zip(ids, one.values, one.sources, one.dates, table.lines, strict=False)
            found += [
                (owner, one.name, value, source, found_on, now + timedelta(microseconds=line))
                for owner, value, source, found_on, line in compress(rows, one.values)
            ]
        for owner, person in zip(ids[len(table.lines) :], merged, strict=True):
            found += [
                (owner, fact.name, fact.value, fact.source, fact.found_on,
                 now + timedelta(microseconds=line))
                for fact, line in person.facts.items()
            ]  # fmt: skip
        return [(made, *row) for made, row in zip(uuid7s(len(found)), found, strict=True)]

    def history(self, updated: Iterable[UUID], import_id: UUID | None) -> list[tuple[Any, ...]]:
        """In _HISTORY."""
        by = {"import": str(import_id)} if import_id else {}
        begin = store.to_json(by)[:-1] + ("," if by else "")
        lines: Iterator[int] = chain(self.new.lines, (one.line for one in self.new_merged))
        now = self._now
        found = [
            (now, "prospect.created", made, f'{begin}"line":{line}}}')
            for made, line in zip(self.made, lines, strict=True)
        ]
        detail = store.to_json(by)
        return found + [(now, "prospect.updated", changed, detail) for changed in updated]
