"""Settling the people of a batch: who its rows are about, and which companies they name."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection

from orchestrator.ids import uuid7
from orchestrator.keys import Keys
from orchestrator.rules.import_merge import CompanyRow
from orchestrator.rules.import_rows import PersonRow, Reject
from orchestrator.rules.import_split import Holder, People, companies_of, people_of, without
from orchestrator.rules.import_table import Table
from orchestrator.store import people_import as store
from orchestrator.store.direct import plan_anew

Hashes = dict[str, dict[str, bytes]]  # channel -> address -> its suppression key


@dataclass(slots=True)
class Added:
    """What became of rows. `created` and `updated` are prospects."""

    created: list[UUID] = field(default_factory=list)
    updated: list[UUID] = field(default_factory=list)
    taken: int = 0  # rows
    repeated: int = 0  # rows about somebody who had another row in the same batch
    facts: int = 0
    opted_out: list[Reject] = field(default_factory=list)

    def __iadd__(self, other: "Added") -> "Added":
        self.created += other.created
        self.updated += other.updated
        self.facts += other.facts
        self.taken += other.taken
        self.repeated += other.repeated
        self.opted_out += other.opted_out
        return self


@dataclass(slots=True)
class Settled:
    """The people of a batch, as the database knew them under the lock of the imports."""

    people: People
    hashes: Hashes
    free: dict[str, set[str]]  # addresses that nobody has, by channel
    companies: dict[str, CompanyRow]
    opted_out: list[Reject]
    of_company: dict[str, UUID] = field(default_factory=dict)


async def settle(
    conn: AsyncConnection, keys: Keys, table: Table, odd: Sequence[PersonRow]
) -> Settled:
    """Find who the rows are about. Writes nothing; call it under `lock_imports`."""
    await plan_anew(conn)
    hashes = _hashes(keys, table, odd)
    known: dict[str, dict[str, Holder]] = {}
    refused: dict[str, set[str]] = {}
    said_no = await store.suppressed_people(
        conn, [one for of_channel in hashes.values() for one in of_channel.values()]
    )
    for channel, of_channel in hashes.items():
        found = await store.owners(conn, channel, list(of_channel))
        known[channel] = {
            one.address: Holder(one.prospect_id, one.employed, one.opted_out) for one in found
        }
        refused[channel] = {
            address for address, holder in known[channel].items() if holder.opted_out
        }
        if said_no:
            refused[channel] |= {one for one, key in of_channel.items() if key in said_no}
    await plan_anew(conn, anew=False)
    table, odd, opted_out = without(table, odd, refused)
    people = people_of(replace(table, cells=[]), odd, known)  # only a refused row shows its cells
    employed = {one.owner for of in known.values() for one in of.values() if one.employed}
    return Settled(
        people,
        hashes,
        {channel: of.keys() - known[channel].keys() for channel, of in hashes.items()},
        companies_of(people, employed),
        opted_out,
    )


def _hashes(keys: Keys, table: Table, odd: Iterable[PersonRow]) -> Hashes:
    found: Hashes = {}
    for channel, column in table.channels.items():
        addresses = dict.fromkeys(address for address in column if address is not None)
        found[channel] = {one: keys.address_hash(channel, one) for one in addresses}
    for row in odd:
        for channel, address in row.identities:
            found.setdefault(channel, {})[address] = keys.address_hash(channel, address)
    return found


async def save_companies(conn: AsyncConnection, settled: Settled) -> None:
    """Add the companies that are new, and fill in those of which more is known now."""
    wanted = settled.companies
    there = await store.companies_by_key(conn, wanted)
    new = [(uuid7(), row) for key, row in wanted.items() if key not in there]
    if new:
        await store.add_companies(conn, new)
        there |= await store.companies_by_key(conn, [row.key for _, row in new])
    changes = []
    for key in sorted(wanted):
        row, old = wanted[key], there[key]
        unnamed = old["name"] == old["domain"] and row.name != old["name"]
        if unnamed or (old["country"] is None and row.country is not None):
            changes.append((old["id"], row.name, row.country))
    if changes:
        await store.fill_companies(conn, changes)
    settled.of_company = {key: row["id"] for key, row in there.items()}
