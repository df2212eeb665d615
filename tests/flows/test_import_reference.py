"""The import beside the plainest thing that could be one: row by row, in dicts."""

import csv
import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from orchestrator.db import transaction
from orchestrator.flows import import_prospects as flow
from orchestrator.ids import uuid7
from orchestrator.rules.import_columns import match
from orchestrator.rules.import_rows import PersonRow, Reject, read_row
from orchestrator.wiring import App
from tests import make
from tests.flows.test_import import people

HEADER = ["email", "slack", "first_name", "title", "country", "company", "company.domain",
          "fact.pain", "fact.pain.on", "tags"]  # fmt: skip
COLUMNS = match(HEADER, {})
GONE = "gone@acme.example"  # suppressed as a person before every run


def cells(*values: str) -> st.SearchStrategy[str]:
    return st.sampled_from(["", *values])


ROWS = st.lists(
    st.one_of(
        st.tuples(
            cells("a@acme.example", "B@acme.example", "c@rør.example", "d@gmail.com", "bad", GONE),
            cells("u1", "u2", "u 3"),
            cells("Ola", 'Åse "x", y', "two\nlines", "\\N"),
            cells("CFO", "CEO"),
            cells("Norge", "SE", "Utopia"),
            cells("Acme AS", "Rør og Bad"),
            cells("www.acme.example"),
            cells("bilag", "rot"),
            cells("2026-01-02", "1/2/2026"),
            cells("vip", "æøå\\"),
        ).map(list),
        st.lists(st.text(max_size=4), max_size=3),
    ),
    max_size=14,
)


class Reference:
    """What the promises of the how-to page say, a row at a time."""

    def __init__(self) -> None:
        self.people: list[dict[str, Any]] = []
        self.holder: dict[tuple[str, str], dict[str, Any]] = {}
        self.companies: dict[str, dict[str, Any]] = {}
        self.refused: list[int] = []

    def take(self, row: PersonRow) -> None:
        if ("email", GONE) in row.identities:
            self.refused.append(row.line)
            return
        person = next((self.holder[one] for one in row.identities if one in self.holder), None)
        if person is None:
            person = {"facts": set(), "attributes": {}, "addresses": 0, "company": None}
            self.people.append(person)
        for one in row.identities:
            if self.holder.setdefault(one, person) is person:
                person["addresses"] = sum(holder is person for holder in self.holder.values())
        for name in ("first_name", "title", "country"):
            person[name] = getattr(row, name) or person.get(name)
        person["facts"] |= {(one.name, one.value, one.source, one.found_on) for one in row.facts}
        person["attributes"] |= dict(row.attributes)
        if row.company_key and (row.company_stated or person["company"] is None):
            person["company"] = row.company_key
            self._company(row)

    def _company(self, row: PersonRow) -> None:
        assert row.company_key
        name = row.company_name or row.company_key
        company = self.companies.setdefault(
            row.company_key, {"name": name, "domain": row.company_domain}
        )
        if company["name"] == company["domain"]:
            company["name"] = name

    def everybody(self) -> set[tuple[Any, ...]]:
        return {
            (channel, address, person["first_name"] or "", person["title"], person["country"],
             tuple(sorted(person["attributes"].items())), person["company"],
             self.companies[person["company"]]["name"] if person["company"] else None,
             frozenset(person["facts"]), person["addresses"])
            for (channel, address), person in self.holder.items()
        }  # fmt: skip


async def everybody(engine: AsyncEngine) -> set[tuple[Any, ...]]:
    """The same out of the database."""
    async with engine.connect() as conn:
        rows = await conn.execute(
            text(
                "select i.channel, i.address, p.first_name, p.title, p.country, p.attributes,"
                " c.key, c.name, p.id, (select count(*) from identities x where"
                " x.prospect_id = p.id) from identities i join prospects p on p.id = i.prospect_id"
                " left join companies c on c.id = p.company_id"
            )
        )
        found = [tuple(row) for row in rows]
        facts = await conn.execute(
            text("select prospect_id, name, value, source, found_on from facts")
        )
        of: dict[Any, set[tuple[Any, ...]]] = {}
        for owner, *fact in facts:
            of.setdefault(owner, set()).add(tuple(fact))
        return {
            (*row[:5], tuple(sorted(row[5].items())), *row[6:8], frozenset(of.get(row[8], ())),
             row[9])
            for row in found
        }  # fmt: skip


def expect(rows: Sequence[Sequence[str]]) -> tuple[Reference, list[Reject]]:
    reference, rejects = Reference(), []
    buffer = io.StringIO()
    csv.writer(buffer).writerows([HEADER, *rows])
    reader = csv.reader(io.StringIO(buffer.getvalue(), newline=""))
    next(reader)
    line = reader.line_num + 1
    for row in reader:
        found = read_row(COLUMNS, row, line)
        line = reader.line_num + 1
        if isinstance(found, Reject):
            rejects.append(found)
        elif found is not None:
            reference.take(found)
    return reference, rejects


@settings(
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
    deadline=None,
    max_examples=60,
)
@given(rows=ROWS, size=st.sampled_from([1, 3, 100]), parts=st.booleans())
async def test_the_import_is_its_reference(
    app: App, tmp_path: Path, rows: list[list[str]], size: int, parts: bool
) -> None:
    async with transaction(app.engine) as conn:
        for table in ("facts", "identities", "prospects", "companies", "suppressions"):
            await conn.execute(text("delete from " + table))
        await conn.execute(
            text(
                "insert into suppressions (id, scope, channel, address_hash, reason)"
                " values (:id, 'person', 'email', :hash, 'opt_out')"
            ),
            {"id": uuid7(), "hash": app.keys.address_hash("email", GONE)},
        )
    path = tmp_path / "people.csv"
    with path.open("w", newline="") as file:
        csv.writer(file).writerows([HEADER, *rows])
    reference, faulty = expect(rows)
    refused: list[Reject] = []
    divided, flow._DIVIDED = flow._DIVIDED, 1 if parts else 1000
    try:
        report = await flow.import_prospects(
            app, path, now=make.NOW, on_reject=refused.append, batch_size=size
        )
    finally:
        flow._DIVIDED = divided
    assert await everybody(app.engine) == reference.everybody()
    expected = {one.line: one.why() for one in faulty}
    expected |= dict.fromkeys(
        reference.refused, "email: this person opted out; nothing was changed"
    )
    assert {one.line: one.why() for one in refused} == expected
    assert [one.line for one in refused] == sorted(expected)
    assert report.created == len(reference.people)
    assert report.opted_out == len(reference.refused)
    again = await flow.import_prospects(app, path, now=make.NOW, batch_size=100)
    assert (again.created, again.facts) == (0, 0)
    assert len(await people(app.engine)) == len(reference.holder)
