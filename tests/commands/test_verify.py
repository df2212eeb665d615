"""`avtale verify`, run as an operator and as the fault suite run it."""

import asyncio
import json
import os
import sys
from typing import Any

from sqlalchemy import text

from orchestrator.db import transaction
from orchestrator.wiring import App
from tests.conftest import SECRET
from tests.flows.verify_world import town


async def run(app: App, *arguments: str, **env: str) -> tuple[int, str, str]:
    """Exit code, stdout and stderr of `avtale verify`."""
    known = {name: value for name, value in os.environ.items() if not name.startswith("AVTALE_")}
    child = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "orchestrator.cli", "verify", "--settle", "0", *arguments),
        env=known
        | {
            "AVTALE_ENV_FILE": "",
            "AVTALE_DATABASE_URL": app.settings.database_url or "",
            "AVTALE_REDIS_URL": app.settings.redis_url or "",
            "AVTALE_SECRET_KEY": SECRET.decode(),
        }
        | env,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    out, err = await child.communicate()
    return child.returncode or 0, out.decode(), err.decode()


async def test_its_exit_code_says_what_it_found(app: App) -> None:
    """0 clean, 1 differences, 2 could not look."""
    found = await town(app)
    code, out, err = await run(app, "--json")
    report: dict[str, Any] = json.loads(out)
    assert (code, report["clean"], err) == (0, True, "")
    async with transaction(app.engine) as conn:
        await conn.execute(
            text("update enrollments set due_at = null where prospect_id = :one"),
            {"one": found.people["sent"]},
        )
    code, out, _ = await run(app, "--json")
    (difference,) = json.loads(out)["differences"]
    assert (code, difference["check"]) == (1, "enrollment_undue")
    assert difference["prospect_id"] == str(found.people["sent"])
    assert difference["means"]
    assert difference["act"]
    code, out, _ = await run(app)
    assert code == 1
    assert "nothing says when to look at it" in out
    code, _, err = await run(app, "--check", "nonsense")
    assert (code, "enrollment_undue" in err) == (2, True)
    away = app.settings.database_url.replace("@/", "@/gone_") if app.settings.database_url else ""
    assert (await run(app, AVTALE_DATABASE_URL=away))[0] == 2


async def test_another_secret_key_is_seen(app: App) -> None:
    """A restored database with the wrong key suppresses nobody: that must not go unseen (L4)."""
    await town(app)
    code, out, _ = await run(app, "--json", AVTALE_SECRET_KEY="another key, 32 bytes long and more")
    checks = {one["check"] for one in json.loads(out)["differences"]}
    assert code == 1
    assert {"address_hash", "message_id"} <= checks
