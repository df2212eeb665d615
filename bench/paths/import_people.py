"""Importing a file of people beside psql's `\\copy` of the same file into one table.

The file: ten columns (address, names, title, company, country, language, zone, a fact of research
and one attribute), accents, quoted cells; of its rows 2 % have no address that can be read, 5 % are
about somebody further up, and 5 % of its people are known before. The table of `\\copy`: the
columns and indexes of `prospects`, and a text column for each cell that has no column there; ids by
the server's uuidv7() or gen_random_uuid(). It checks nothing, finds nobody again, and writes one
row where the import writes a person, an address, a fact and a line of history, with nine indexes
and three foreign keys more. What these rows cost without any import is the arm "its own rows".
"""

import asyncio
import csv
import shutil
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

import asyncpg

from bench.crowd import vacuum, without_triggers
from bench.measure import Comparison, Growth, Measure, Size, path
from bench.place import Clock, product
from orchestrator.clock import database_now
from orchestrator.db import transaction
from orchestrator.embedded import postgres_bin
from orchestrator.flows.import_prospects import ImportReport, import_prospects
from orchestrator.wiring import App, require_urls

HEADER = ("email", "first_name", "last_name", "title", "company", "country", "language", "zone",
          "fact.pain", "employees")  # fmt: skip
FLAT = "email, first_name, last_name, title, company, country, language, zone, pain, employees"
_PLACES = (("Norge", "norsk", "Oslo"), ("Sverige", "svenska", "Stockholm"), ("DK", "da", "Danmark"))
_FIRST = ("Ola", "Kari", "Åse", "Jörgen", "Håkon", "Märta", "Øyvind", "Anna")
_LAST = ("Hansen", "Ødegård", "Åkesson", "Lindström", "Dahl", "Sørensen", "Nilsson")
_TITLES = ("CFO", "Daglig leder", "Ekonomichef", "Regnskapssjef, konsern")
_COPIED = {
    "companies": "id, key, name, domain, country",
    "prospects": "id, company_id, first_name, last_name, title, language, country, zone,"
    " attributes, created_at, updated_at",
    "identities": "id, prospect_id, channel, address, address_hash",
    "facts": "id, prospect_id, name, value, source, found_on, recorded_at",
    "history": "at, kind, prospect_id, detail",
}  # of the rows that an import writes, what is not a default


def write_file(place: Path, rows: int, *, first: int = 0) -> Path:
    """`rows` rows about people from number `first` on, four to a company."""
    random = Random(rows)
    with place.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(HEADER)
        for number in range(first, first + rows):
            who = number if number % 20 else random.randint(first, number)
            firm = who // 4
            mail = f"{who} at firm {firm}" if number % 50 == 7 else f"p{who}.x@firm{firm}.example"
            writer.writerow(
                (mail, random.choice(_FIRST), random.choice(_LAST), random.choice(_TITLES),
                 f"Firm {firm} AS", *random.choice(_PLACES),
                 f'They key in "bilag" {who % 97} by hand', str(who % 300))
            )  # fmt: skip
    return place


@dataclass
class _Office:
    """One database, the files, and the ways to bring them in."""

    app: App
    home: Path
    files: dict[int, Path] = field(default_factory=dict)

    @property
    def copier(self) -> str:
        """What copies: psql, or asyncpg where psql is missing."""
        return "psql \\copy" if self._psql() else "asyncpg copy of the same bytes"

    def _psql(self) -> str | None:
        embedded = postgres_bin("psql")
        return str(embedded) if embedded.exists() else shutil.which("psql")

    def file(self, rows: int) -> Path:
        """The file of so many rows, written once."""
        if rows not in self.files:
            self.files[rows] = write_file(self.home / f"{rows}.csv", rows)
        return self.files[rows]

    async def product(self, rows: int) -> float:
        """Rows a second by the product's own flow, into tables that know every twentieth person."""
        known = write_file(self.home / "known.csv", max(1, rows // 20))
        await self._clear()
        await self._import(known)
        await vacuum(self.app, *_COPIED)
        clock = Clock()
        report = await self._import(self.file(rows))
        took = clock.seconds
        if report.taken + report.rejected != rows or not report.updated:
            raise RuntimeError(f"the import lost rows: {report}")
        return rows / took

    async def _import(self, file: Path) -> ImportReport:
        async with transaction(self.app.engine) as conn:
            now = await database_now(conn)
        return await import_prospects(self.app, file, now=now)

    async def _clear(self) -> None:
        await without_triggers(self.app, "truncate history", "truncate companies cascade")
        await without_triggers(self.app, "truncate flat", "truncate prospects cascade")

    async def flat(self, rows: int) -> float:
        """Rows a second of `\\copy` into one table."""
        await self._clear()
        await vacuum(self.app, "flat")
        return rows / await self._copy([("flat", FLAT, self.file(rows), True)])

    async def own_rows(self, rows: int) -> float:
        """Rows of the file a second where `\\copy` writes what the import of it wrote, no more."""
        made = {name: self.home / f"{name}-{rows}.copy" for name in _COPIED}
        if not all(one.exists() for one in made.values()):
            await self.product(rows)
            conn = await asyncpg.connect(self._url())
            for name, place in made.items():
                words = f"select {_COPIED[name]} from {name}"
                await conn.copy_from_query(words, output=place)
            await conn.close()
        await self._clear()
        await vacuum(self.app, *_COPIED)
        return rows / await self._copy(
            [(name, _COPIED[name], place, False) for name, place in made.items()]
        )

    def _url(self) -> str:
        return require_urls(self.app.settings)[0]

    async def _copy(self, sources: list[tuple[str, str, Path, bool]]) -> float:
        """Seconds to copy into each table the columns of a file, which is CSV or PostgreSQL's own
        text, one after the other."""
        psql = self._psql()
        clock = Clock()
        if psql is None:
            conn = await asyncpg.connect(self._url())
            for table, columns, place, is_csv in sources:
                form = {"format": "csv", "header": True} if is_csv else {}
                await conn.copy_to_table(table, source=place, columns=columns.split(", "), **form)
            await conn.close()
            return clock.seconds
        orders = []
        for table, columns, place, is_csv in sources:
            kind = "csv header" if is_csv else ""
            orders += ["-c", f"\\copy {table} ({columns}) from '{place}' {kind}"]
        child = await asyncio.create_subprocess_exec(
            psql, "-qXv", "ON_ERROR_STOP=1", "-d", self._url(), *orders
        )
        if await child.wait():
            raise RuntimeError("psql failed")
        return clock.seconds


@asynccontextmanager
async def _office() -> AsyncIterator[_Office]:
    home = Path(await asyncio.to_thread(tempfile.mkdtemp, prefix="avtale-bench-people-"))
    try:
        async with product() as app:
            conn = await asyncpg.connect(require_urls(app.settings)[0])
            newest = conn.get_server_version().major >= 18
            more = ", ".join(f"{name} text" for name in ("email", "company", "pain", "employees"))
            await conn.execute(f"create table flat (like prospects including all, {more})")
            make_id = "uuidv7()" if newest else "gen_random_uuid()"
            await conn.execute(f"alter table flat alter id set default {make_id}")
            await conn.close()
            yield _Office(app, home)
    finally:
        await asyncio.to_thread(shutil.rmtree, home, ignore_errors=True)


@path("import")
@asynccontextmanager
async def import_people(size: Size) -> AsyncIterator[list[Measure]]:
    """The whole import, everything on, at two sizes; and its cost as the file grows."""
    quick = size == "quick"
    async with _office() as office:

        def compared(rows: int, rounds: int | None) -> Comparison:
            other = office.copier
            return Comparison(
                f"import of {rows:,} rows", "product", other, "rows/s",
                {"product": lambda: office.product(rows), other: lambda: office.flat(rows),
                 "its own rows": lambda: office.own_rows(rows)},
                0.25, 0.4, rounds=rounds,
            )  # fmt: skip

        async def seconds(rows: int) -> float:
            return rows / await office.product(rows)

        sizes = [500, 2_000] if quick else [10_000, 100_000, 1_000_000]
        yield [
            compared(2_000 if quick else 100_000, None),
            *([] if quick else [compared(500_000, 1)]),
            Growth("import of a file", "s", sizes, seconds),
        ]
