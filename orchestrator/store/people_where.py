"""A `--where` expression as SQL: every value is a bound parameter, every name one of ours."""

from functools import reduce

from sqlalchemy import ColumnElement, and_, exists, func, not_, or_, select, true
from sqlalchemy.dialects.postgresql import array
from sqlalchemy.sql.expression import ScalarSelect

from orchestrator.models.people import companies, facts, identities, prospects
from orchestrator.models.sequences import enrollments, sequences
from orchestrator.rules.import_columns import CHANNELS
from orchestrator.rules.where import COMPANY, Both, Comparison, Either, Node, Not


def clause(node: Node | None) -> ColumnElement[bool]:
    """A condition on `prospects` that is true or false, never null. None: everybody."""
    match node:
        case None:
            return true()
        case Not(inner):
            return not_(clause(inner))
        case Both(parts):
            return reduce(and_, map(clause, parts))
        case Either(parts):
            return reduce(or_, map(clause, parts))
        case Comparison():
            return func.coalesce(_test(node), False)


def _test(test: Comparison) -> ColumnElement[bool]:
    match test.field:
        case "opted_out":
            return prospects.c.opted_out_at.is_not(None)
        case "paused":
            return prospects.c.paused_at.is_not(None)
        case "company":
            return prospects.c.company_id.is_not(None)
        case "tag":
            return _tagged(test)
        case "sequence":
            in_it = enrollments.join(sequences, sequences.c.id == enrollments.c.sequence_id)
            mine = enrollments.c.prospect_id == prospects.c.id
            return exists().select_from(in_it).where(mine, _compare(test, sequences.c.name))
        case channel if channel in CHANNELS:
            mine = identities.c.prospect_id == prospects.c.id
            return exists().where(
                mine, identities.c.channel == channel, _compare(test, identities.c.address)
            )
        case _:
            return _compare(test, _value(test.field))


def _compare(test: Comparison, value: ColumnElement[str]) -> ColumnElement[bool]:
    if test.operator == "exists":
        return func.coalesce(value, "") != ""
    if test.operator == "contains":
        return value.icontains(test.values[0], autoescape=True)
    return func.lower(value).in_([func.lower(one) for one in test.values])


def _value(field: str) -> ColumnElement[str]:
    """The text that a field holds."""
    kind, _, name = field.partition(".")
    if field in COMPANY:
        column: ColumnElement[str] = companies.c[name]
        return select(column).where(companies.c.id == prospects.c.company_id).scalar_subquery()
    if kind == "fact":
        return _newest_fact(name)
    if kind == "attributes":
        text: ColumnElement[str] = prospects.c.attributes[name].astext
        return text
    known: ColumnElement[str] = prospects.c[field]
    return known


def _newest_fact(name: str) -> ScalarSelect[str]:
    return (
        select(facts.c.value)
        .where(facts.c.prospect_id == prospects.c.id, facts.c.name == name)
        .order_by(
            facts.c.found_on.desc().nulls_last(), facts.c.recorded_at.desc(), facts.c.id.desc()
        )
        .limit(1)
        .scalar_subquery()
    )


def _tagged(test: Comparison) -> ColumnElement[bool]:
    """Tags are the column `tags` (or `tag`) of the file, several with commas or semicolons."""
    tags = func.coalesce(
        prospects.c.attributes["tags"].astext, prospects.c.attributes["tag"].astext
    )
    if test.operator == "is":
        each = func.regexp_split_to_array(func.lower(func.btrim(tags)), r"\s*[,;]\s*")
        return each.op("&&")(array([func.lower(one) for one in test.values]))
    return _compare(test, tags)
