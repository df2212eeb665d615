"""The filter language: what it reads, where it points when it cannot, and that it is no way in."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import select
from sqlalchemy.dialects import postgresql

from orchestrator.models.people import prospects
from orchestrator.rules.where import BadWhere, Both, Comparison, Either, Not, parse
from orchestrator.store.people_where import clause


def test_the_example_of_the_manual() -> None:
    node = parse(
        "country = Norge and language in (norsk, sv) and fact.pain exists"
        ' and company.name ~ "rør" and not tag = x'
    )
    assert node == Both(
        (
            Comparison("country", "is", ("NO",)),
            Comparison("language", "is", ("nb", "sv")),
            Comparison("fact.pain", "exists"),
            Comparison("company.name", "contains", ("rør",)),
            Not(Comparison("tag", "is", ("x",))),
        )
    )


def test_and_binds_tighter_than_or() -> None:
    a, b, c = (Comparison("title", "is", (letter,)) for letter in "abc")
    assert parse("title = a or title = b and title = c") == Either((a, Both((b, c))))
    assert parse("(title=a or title=b) and title=c") == Both((Either((a, b)), c))
    assert parse("not (title = a) and title != b") == Both((Not(a), Not(b)))
    assert parse("title not in (a, 'b')") == Not(Comparison("title", "is", ("a", "b")))
    assert parse("opted_out or paused") == Either(
        (Comparison("opted_out", "exists"), Comparison("paused", "exists"))
    )
    assert parse(r"""title = "say \"no\"" """) == Comparison("title", "is", ('say "no"',))
    assert parse('"attributes.Num employees" missing') == Not(
        Comparison("attributes.Num employees", "exists")
    )


@pytest.mark.parametrize(
    ("text", "column", "says"),
    [
        ("", 1, "expected a field"),
        ("shoe = 1", 1, "no field `shoe`"),
        ("country = Utopia", 11, "no country"),
        ("country = NO language = nb", 14, "expected `and` or `or`"),
        ("country", 8, "expected =, !="),
        ("country in NO", 12, "expected `(`"),
        ("(country = NO", 14, "expected `)`"),
        ("title = 'open", 9, "quote that is not closed"),
        ("title = a and", 14, "expected a field"),
        ("title < 3", 7, "cannot read `<`"),
        ("not " * 60 + "title = a", 205, "too many"),
    ],
)
def test_faults_point_at_their_column(text: str, column: int, says: str) -> None:
    with pytest.raises(BadWhere, match="column") as caught:
        parse(text)
    assert caught.value.column == column
    assert says in str(caught.value)


PIECES = st.sampled_from(
    ["country", "=", "NO", "and", "or", "not", "(", ")", ",", "in", "~", "'", '"', "fact.x",
     "attributes.x", "exists", "; drop table prospects", "--", "\\", "\0", "%", "_", "' or 1=1 --",
     "title", "!=", "tag", "sequence", "email", ":x", "%(x)s"]
)  # fmt: skip


@given(st.text(max_size=80) | st.lists(PIECES, max_size=25).map(" ".join))
def test_nothing_but_bad_where_is_raised(text: str) -> None:
    column = 1
    try:
        clause(parse(text))
    except BadWhere as error:
        column = error.column
    assert 1 <= column <= len(text) + 1


@given(
    st.sampled_from(
        ["title", "fact.{}", "attributes.{}", "company.name", "tag", "email", "sequence"]
    ),
    st.sampled_from(["= {}", "~ {}", "in ({}, {})", "!= {}"]),
    st.text(min_size=3).filter(lambda text: "\0" not in text),
)
def test_values_and_names_never_become_sql(field: str, rest: str, text: str) -> None:
    marked = "zq" + text
    quoted = '"' + marked.replace("\\", "\\\\").replace('"', '\\"') + '"'
    name = '"' + field.replace("{}", marked.replace("\\", "\\\\").replace('"', '\\"')) + '"'
    query = select(prospects.c.id).where(clause(parse(f"{name} {rest.replace('{}', quoted)}")))
    assert "zq" not in str(query.compile(dialect=postgresql.dialect()))
