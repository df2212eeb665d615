"""Column by column or row by row: the same people, the same reasons."""

from collections.abc import Sequence

from hypothesis import given
from hypothesis import strategies as st

from orchestrator.rules.import_columns import Columns, match
from orchestrator.rules.import_read import read_table
from orchestrator.rules.import_rows import Canonical, PersonRow, Reject, read_row
from orchestrator.rules.import_table import Table

HEADER = [
    "email", "slack", "first_name", "name", "language", "country", "zone", "phone", "company",
    "company.domain", "company.country", "fact.a", "fact.a.source", "fact.a.on", "fact.b", "free",
    "Score", "avtale.line",
]  # fmt: skip
PLAIN = match(HEADER[:-1], {"Score": "ignore"})
MENDED = match(HEADER, {})
ONE = match(["email"], {})

EMAILS = st.sampled_from(
    ["ola@acme.no", "Ola@ACME.no", "per@gmail.com", "åse@acme.no", "a@b", "a@b.no, c@d.no",
     "ola@blåbær.no", "a..b@c.no", "\u212aari@acme.no", "x@" + "y" * 260 + ".no",
     "a" * 65 + "@x.no", "q@ab--c.no", " ola@acme.no ", "a@x.no@y.no", "@x.no", "ola@acme.no."]
)  # fmt: skip
CELLS = st.one_of(
    st.just(""),
    st.text(max_size=12),
    EMAILS,
    st.sampled_from(
        ["Norge", "NO", "Utopia", "norsk", "sv", "Gibberish", "Oslo", "Mars", "2026-03-31",
         "31.02.2026", "22 33 44 55", "+47 22 33 44 55", "Acme  AS", "www.acme.no", "x" * 201,
         "y" * 4001, "a\0b", "a\nb", "'=1", "'", "Ola Nordmann Hansen", "\\N", "\ufeff", "a\u00a0b"]
    ),
)  # fmt: skip


def rows_of(columns: Columns) -> st.SearchStrategy[list[list[str]]]:
    width = len(columns.fields)
    good = st.tuples(EMAILS, st.lists(CELLS, min_size=width - 1, max_size=width - 1)).map(
        lambda pair: [pair[0], *pair[1]]
    )
    return st.lists(good | st.lists(CELLS, max_size=width + 2), max_size=8)


def by_row(
    columns: Columns, rows: Sequence[Sequence[str]], canonical: dict[str, Canonical]
) -> list[PersonRow | Reject]:
    found = [read_row(columns, row, 2 + n, canonical) for n, row in enumerate(rows)]
    return [one for one in found if one is not None]


def by_column(
    columns: Columns, rows: Sequence[Sequence[str]], canonical: dict[str, Canonical], cut: int
) -> list[PersonRow | Reject]:
    whole = Table()
    found: list[PersonRow | Reject] = []
    for at in range(0, len(rows), cut):
        part = rows[at : at + cut]
        lines = range(2 + at, 2 + at + len(part))
        table, odd, rejects = read_table(columns, part, lines, canonical)
        found += [*odd, *rejects]
        if not whole.lines:
            whole = table
        elif table.lines:
            whole.extend(table)
    found += [whole.row(n) for n in range(len(whole.lines))]
    return sorted(found, key=lambda one: one.line)


@given(
    st.sampled_from([PLAIN, MENDED, ONE]).flatmap(
        lambda columns: st.tuples(st.just(columns), rows_of(columns))
    ),
    st.sampled_from([1, 3, 100]),
    st.booleans(),
)
def test_a_column_says_what_its_rows_say(
    block: tuple[Columns, list[list[str]]], cut: int, installed: bool
) -> None:
    columns, rows = block
    canonical: dict[str, Canonical] = {"slack": str.upper} if installed else {}
    one, other = by_row(columns, rows, canonical), by_column(columns, rows, canonical, cut)
    assert other == one
    for mine, theirs in zip(one, other, strict=True):
        assert mine.cells == theirs.cells
        if isinstance(mine, Reject) and isinstance(theirs, Reject):
            assert mine.why() == theirs.why()
