"""`avtale late` and `/api/late`: seen first, decided at once, each at most once."""

from orchestrator.sender import drain
from orchestrator.wiring import App
from tests.commands.test_people import avtale
from tests.flows.test_late import outage, planned, restore, rows


async def test_it_is_shown_before_it_is_done(app: App) -> None:
    await planned(app, 3)
    await outage(app, 48)
    assert await drain(app) == 0
    assert "3" in await avtale(app, "late")
    shown = await avtale(app, "late", "send", "--limit", "2")
    assert shown.count("Ola Hansen: test, hello") == 2
    assert await drain(app) == 0
    await avtale(app, "late", "send", "--limit", "2", "--yes")
    assert await drain(app) == 2
    await avtale(app, "late", "stop", "--yes")
    await avtale(app, "late", "send", "--yes")  # nothing is left to be sent
    assert await drain(app) == 0
    assert await rows(app, "select state, count(*) from enrollments group by 1 order by 1") == [
        ("active", 2),
        ("stopped", 1),
    ]


async def test_after_a_restore_all_three_words_fit_what_is_in_doubt(app: App) -> None:
    await planned(app, 3)
    await restore(app, snapshot_hours=1)
    for word in ("send", "skip", "stop"):
        await avtale(app, "late", word, "--reason", "restored", "--limit", "1", "--yes")
    assert await drain(app) == 1
    assert await rows(app, "select state, count(*) from messages group by 1 order by 1") == [
        ("abandoned", 1),
        ("sent", 2),
    ]
    assert await rows(app, "select count(*) from tasks where state = 'open'") == [(0,)]


async def test_what_is_said_before_the_word_counts_like_what_is_said_behind_it(app: App) -> None:
    await planned(app, 2)
    await restore(app, snapshot_hours=1)
    await avtale(app, "late", "--sender", "nobody", "stop", "--yes")
    await avtale(app, "late", "--reason", "late", "stop", "--yes")
    assert "nothing" in await avtale(
        app, "late", "--sender", "kari", "stop", "--sender", "ola", "--yes", code=2
    )
    assert await rows(app, "select count(*) from tasks where state = 'open'") == [(2,)]
    await avtale(app, "late", "--reason", "restored", "stop", "--yes")
    assert await rows(app, "select count(*) from tasks where state = 'open'") == [(0,)]
