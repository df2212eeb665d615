"""`avtale tasks`, run as a person runs it."""

from orchestrator.db import transaction
from orchestrator.store.tasks import open_task
from orchestrator.wiring import App
from tests import make
from tests.commands.test_people import avtale


async def test_a_task_names_whom_it_is_about_and_an_id_that_can_be_copied(app: App) -> None:
    async with transaction(app.engine) as conn:
        ola = await make.prospect(conn, app.keys, first_name="Ola", last_name="Hansen")
        made = await open_task(
            conn, kind="manual", title="Ring back", prospect_id=ola, detail={}, now=make.NOW
        )
        other = await open_task(
            conn, kind="manual", title="No one", prospect_id=None, detail={}, now=make.NOW
        )
    listed = await avtale(app, "tasks", "list", columns=80)
    assert f"{made}" in listed
    assert f"{other}" in listed
    assert "Ola Hansen" in listed
    shown = await avtale(app, "tasks", "show", str(made))
    assert "Ring back" in shown
    assert f"avtale why {ola}" in shown
    assert "sent" in await avtale(app, "tasks", "decide", "--outcome", "nonsense", code=2)
