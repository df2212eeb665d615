"""People are read whole: company, identities with their suppressions, newest facts."""

from datetime import date

from sqlalchemy import insert
from sqlalchemy.ext.asyncio import AsyncEngine

from orchestrator.db import transaction
from orchestrator.ids import uuid7
from orchestrator.keys import Keys
from orchestrator.models.people import facts, suppressions
from orchestrator.rules.context import template_context
from orchestrator.store.people import people_for_context
from tests import make


class _Sender:
    name = "kari"
    display_name = "Kari Nordmann"
    address = "kari@sender.example"


async def test_newest_fact_wins_and_suppressed_addresses_are_marked(
    engine: AsyncEngine, keys: Keys
) -> None:
    async with transaction(engine) as conn:
        one = await make.prospect(conn, keys, address="ola@acme.example", title=None)
        two = await make.prospect(conn, keys)
        for value, found_on in (
            ("new", date(2026, 3, 1)),
            ("old", date(2025, 3, 1)),
            ("none", None),
        ):
            await conn.execute(
                insert(facts).values(
                    id=uuid7(), prospect_id=one, name="pain", value=value, found_on=found_on
                )
            )
        await conn.execute(
            insert(suppressions).values(
                id=uuid7(),
                scope="address",
                channel="email",
                address_hash=keys.address_hash("email", "ola@acme.example"),
                reason="hard_bounce",
            )
        )
    async with transaction(engine) as conn:
        people = await people_for_context(conn, [one, two, uuid7()])
    assert set(people) == {one, two}
    assert people[one].facts["pain"].value == "new"
    assert people[one].identities[0].suppressed
    assert people[one].identity("email") is None
    assert people[two].identity("email") is not None


async def test_unknown_values_are_left_out_of_the_context(engine: AsyncEngine, keys: Keys) -> None:
    async with transaction(engine) as conn:
        one = await make.prospect(conn, keys, first_name="", title=" ")
        person = (await people_for_context(conn, [one]))[one]
    context = template_context(person, person.company, person.facts, _Sender(), "Avtale AS", "")
    assert context == {
        "last_name": "Hansen",
        "language": "en",
        "organisation": "Avtale AS",
        "company": {"name": "Acme AS"},
        "fact": {},
        "sender": {"name": "Kari Nordmann", "address": "kari@sender.example"},
    }
