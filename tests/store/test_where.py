"""What a filter means, asked of PostgreSQL."""

import pytest
from sqlalchemy import insert, update
from sqlalchemy.ext.asyncio import AsyncEngine

from orchestrator.db import transaction
from orchestrator.ids import uuid7
from orchestrator.keys import Keys
from orchestrator.models.people import facts, prospects
from orchestrator.rules.where import parse
from orchestrator.store.people import count_people, find_person, ids_by_address, list_people
from tests import make


@pytest.mark.parametrize(
    ("where", "who"),
    [
        ("country = NO", "o"),
        ("country != NO", "kx"),
        ("not country = Norge", "kx"),
        ("language in (nb, svenska)", "ok"),
        ('title ~ "100%"', "o"),
        ("title = cfo", "k"),
        ("title missing", "x"),
        ("fact.pain exists", "o"),
        ("fact.pain = old", ""),
        ("fact.pain = new", "o"),
        ("tag = vip", "o"),
        ("tag in (vip, cold)", "ok"),
        ("not tag = vip", "kx"),
        ("attributes.size = 40", "k"),
        ('company.name ~ "ACME"', "okx"),
        ("email ~ x.example", "x"),
        ("opted_out", "x"),
        ("not opted_out and not paused", "ok"),
        ("sequence = test", "k"),
        ("sequence missing", "ox"),
    ],
)
async def test_filters(engine: AsyncEngine, keys: Keys, where: str, who: str) -> None:
    async with transaction(engine) as conn:
        world = await make.world(conn)
        ids = {
            "o": await make.prospect(
                conn, keys, title="100% CFO", language="nb", attributes={"tags": "Hot; VIP"}
            ),
            "k": await make.prospect(
                conn, keys, title="CFO", language="sv", country="SE",
                attributes={"tag": "cold", "size": "40"},
            ),
            "x": await make.prospect(conn, keys, address="per@x.example", title="", country=None),
        }  # fmt: skip
        await conn.execute(
            update(prospects).where(prospects.c.id == ids["x"]).values(opted_out_at=make.NOW)
        )
        for value, hour in (("new", 2), ("old", 1)):
            await conn.execute(
                insert(facts).values(
                    id=uuid7(),
                    prospect_id=ids["o"],
                    name="pain",
                    value=value,
                    recorded_at=make.NOW.replace(hour=hour),
                )
            )
        await make.enrollment(conn, world, ids["k"])
        found = await list_people(conn, parse(where))
        assert set(found) == {ids[one] for one in who}
        assert await count_people(conn, parse(where)) == len(who)
        assert await find_person(conn, "Per@X.example") == ids["x"]
        assert await find_person(conn, str(ids["o"])) == ids["o"]
        assert await find_person(conn, "nobody") is None
        assert await ids_by_address(
            conn, [("email", "per@x.example"), ("email", "q@x.example")]
        ) == {("email", "per@x.example"): ids["x"]}
