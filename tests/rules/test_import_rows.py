"""Headers in three languages, rows taken whole or not at all, cells that are no formulas."""

import contextlib
import unicodedata
from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.rules.import_columns import BadHeader, Columns, match, sniff
from orchestrator.rules.import_rows import PersonRow, Reject, parse_date, read_row
from orchestrator.rules.spreadsheet import original_cell, safe_cell


def taken(header: list[str], cells: list[str], **overrides: str) -> PersonRow:
    row = read_row(match(header, overrides), cells, 2)
    assert isinstance(row, PersonRow), row
    return row


def refused(header: list[str], cells: list[str]) -> Reject:
    row = read_row(match(header, {}), cells, 7)
    assert isinstance(row, Reject), row
    assert row.line == 7
    return row


@pytest.mark.parametrize(
    ("header", "delimiter"),
    [
        ("Email,First Name,Last Name,Company,Job Title,Country", ","),
        ("E-post;Fornavn;Etternavn;Bedrift;Stilling;Land", ";"),
        ("E-postadress\tFörnamn\tEfternamn\tFöretag\tBefattning\tLand", "\t"),
    ],
)
def test_columns_match_in_three_languages(header: str, delimiter: str) -> None:
    assert sniff(header) == delimiter
    assert match(header.split(delimiter), {}).fields == (
        "email", "first_name", "last_name", "company.name", "title", "country",
    )  # fmt: skip


def test_a_row_is_normalised() -> None:
    row = taken(
        ["E-post", "Navn", "Språk", "Land", "Tlf", "Tidssone", "fact.Pain", "fact.pain.source",
         "fact.pain.on", "Num employees", "Company"],
        ["Ola@ACME.no", "Ola Nordmann Hansen", "Norsk", "Norge", "22 33 44 55", "Oslo",
         "bilag for hånd", "https://acme.no", "31.03.2026", "40", "Acme AS"],
    )  # fmt: skip
    assert row.identities == (("email", "ola@acme.no"),)
    assert (row.first_name, row.last_name) == ("Ola Nordmann", "Hansen")
    assert (row.language, row.country, row.zone) == ("nb", "NO", "Europe/Oslo")
    assert row.phone == "+4722334455"
    assert row.facts[0].found_on == date(2026, 3, 31)
    assert row.attributes == {"Num employees": "40"}
    assert (row.company_key, row.company_name) == ("acme.no", "Acme AS")


def test_a_freemail_domain_makes_no_company() -> None:
    assert taken(["email"], ["ola@gmail.com"]).company_key is None
    named = taken(["email", "company"], ["ola@gmail.com", "Rør  og Bad"])
    assert (named.company_key, named.company_domain) == ("rør og bad", None)


def test_overrides_name_ignore_and_keep_columns() -> None:
    header = ["Kontakt", "Email", "Note"]
    row = taken(
        header, ["ola@acme.no", "x", "y"], Kontakt="email", Email="ignore", Note="fact.note"
    )
    assert row.identities == (("email", "ola@acme.no"),)
    assert row.facts[0].name == "note"


@pytest.mark.parametrize(
    ("header", "overrides", "says"),
    [
        (["Navn"], {}, "No column is an address"),
        (["Email", "E-post"], {}, "would both be email"),
        (["Email"], {"Mail": "email"}, "the file has the columns `Email`"),
        (["Email", "X"], {"X": "shoe"}, "there is no field `shoe`"),
        (["Email", "fact.items"], {}, "no name that a template can use"),
        (["Email", "fact.!"], {}, "no name that a template can use"),
    ],
)
def test_headers_that_cannot_be_read(
    header: list[str], overrides: dict[str, str], says: str
) -> None:
    with pytest.raises(BadHeader, match=says):
        match(header, overrides)


def test_every_fault_of_a_row_is_named_by_its_column() -> None:
    row = refused(
        ["E-post", "Land", "Språk", "Tidssone", "fact.pain", "fact.pain.on"],
        ["a@b.no, c@d.no", "Utopia", "Gibberish", "Mars", "x", "03/31/2026"],
    )
    assert set(row.reasons) == {"E-post", "Land", "Språk", "Tidssone", "fact.pain.on"}


@pytest.mark.parametrize(
    ("cells", "says"),
    [
        (["ola@acme.no"], "has 1 cells where the header has 2"),
        (["ola@acme.no", "Ola", "x"], "has 3 cells"),
        (["", "Ola"], "a person needs an address"),
        (["ola@acme.no", "O\0la"], "NUL"),
        (["ola@acme.no", "O\r\nBcc: x"], "line break"),
        (["ola@acme.no", "x" * 201], "longer than 200"),
    ],
)
def test_bad_rows(cells: list[str], says: str) -> None:
    assert says in refused(["email", "first_name"], cells).why()


def test_empty_rows_and_empty_tails_are_fine() -> None:
    columns = match(["email", "first_name"], {})
    assert read_row(columns, ["", ""], 3) is None
    assert read_row(columns, [], 3) is None
    assert isinstance(read_row(columns, ["ola@acme.no", "Ola", "", " "], 3), PersonRow)


def test_a_mended_rejects_file_can_be_imported() -> None:
    header = ["email", "title", "avtale.line", "avtale.reasons"]
    assert match(header, {}).fields == ("email", "title", None, None)
    assert taken(header, ["ola@acme.no", "'=CFO", "2", "x"]).title == "=CFO"


@pytest.mark.parametrize(
    "text", ["2026-02-30", "30.02.2026", "1/2/2026", "20260101", "", "2026-W01"]
)
def test_what_is_no_date(text: str) -> None:
    with pytest.raises(ValueError, match="no date"):
        parse_date(text)


WIDE = match(
    ["email", "slack", "first_name", "language", "country", "zone", "phone", "company",
     "company.domain", "fact.a", "fact.a.on", "free"], {},
)  # fmt: skip


@given(st.lists(st.text(max_size=60), max_size=14))
def test_no_row_crashes(cells: list[str]) -> None:
    read_row(WIDE, cells, 1)


@given(st.lists(st.text(max_size=30), max_size=6))
def test_no_header_crashes(header: list[str]) -> None:
    sniff(",".join(header))
    with contextlib.suppress(BadHeader):
        assert isinstance(match(header, {}), Columns)


DANGEROUS = st.text(alphabet="=+-@＝＋－＠\t\r\n \u00a0\u200b\x00\x01ax1'", max_size=8)


@given(DANGEROUS | st.text())
def test_no_cell_starts_a_formula(text: str) -> None:
    shown = safe_cell(text)
    assert shown in (text, "'" + text)
    if shown != text:
        assert original_cell(shown) == text
    seen = "".join(c for c in shown if not c.isspace() and unicodedata.category(c)[0] not in "CZ")
    assert unicodedata.normalize("NFKC", seen[:1])[:1] not in set("=+-@")
    assert shown[:1] not in set("\t\r\n")
