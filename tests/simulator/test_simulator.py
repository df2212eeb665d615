"""The simulation of opens and clicks: nothing but a tap opens a call, and no honest click is lost.

The whole of it is `python -m tests.simulator`; here a part, and a sample over HTTP.
"""

import pytest
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncEngine

from orchestrator.db import transaction
from orchestrator.keys import Keys
from orchestrator.models.engagement import engagements, unlocks
from orchestrator.models.people import prospects
from orchestrator.store import hits
from tests.pages import sample
from tests.simulator.replay import build, replay
from tests.simulator.score import judge, run
from tests.simulator.world import NO_LISTS, apples, lists, messages

APPLE = apples()
KNOWN = lists(APPLE)


@pytest.mark.parametrize("known", [KNOWN, NO_LISTS])
def test_nothing_but_a_tap_opens_a_call(known) -> None:  # type: ignore[no-untyped-def] # Lists
    score = run(messages(1500, seed=7, apple=APPLE), known)
    assert score.hits > 3000
    assert score.false_unlocks == 0
    assert set(score.moved_by_get) == {"note"}
    assert score.asked == score.honest > 200
    assert score.unlocks > 100
    assert score.recall("click", True) > 0.9
    assert score.recall("click", False) > 0.98
    assert score.recall("open", False) > 0.98
    assert score.precision("click", "machine") > 0.98


def test_a_seed_says_all() -> None:
    first = list(messages(50, seed=3, apple=APPLE))
    assert first == list(messages(50, seed=3, apple=APPLE))
    assert first != list(messages(50, seed=4, apple=APPLE))


@pytest.mark.slow
async def test_a_sample_over_http_comes_to_the_same(engine: AsyncEngine, keys: Keys) -> None:
    simulated = [one for one in messages(60, seed=11, apple=APPLE) if one.acts]
    start, made = await build(engine, keys, simulated, APPLE)
    app = sample.application(engine, keys)
    await replay(engine, keys, app, start, made)
    await app.state.avtale.redis.aclose()
    tapped = {one.prospect for one in made if any(act.kind == "tap" for act in one.message.acts)}
    async with transaction(engine) as conn:
        opened = list((await conn.execute(select(unlocks.c.prospect_id))).scalars())
        people = (await conn.execute(select(prospects))).mappings().all()
        humans = await conn.execute(
            select(engagements.c.kind).where(engagements.c.grade == "human")
        )
        kinds = set(humans.scalars())
        stored = {one.row: await hits.of_message(conn, one.row) for one in made}
    assert sorted(opened) == sorted(tapped)
    assert kinds == {"tap"}
    assert all(row["opted_out_at"] is None for row in people)
    # Until they have pressed it, whoever clicks is asked for the tap.
    assert all(one.asked[0] for one in made if one.asked)
    for one in made:
        known = {str(link): str(number) for number, link in enumerate(one.links)}
        expected = {
            (act.kind, str(act.link) if act.kind == "click" else "", final.grade)
            for act, _, final in judge(one.message, KNOWN)
        }
        found = {
            (row["kind"], known.get(row["detail"].get("link", ""), ""), row["grade"])
            for row in stored[one.row]
        }
        assert found == expected, one.message
