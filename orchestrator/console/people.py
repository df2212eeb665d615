"""People: found while somebody types, or by what `enroll --where` takes."""

from urllib.parse import urlencode
from uuid import UUID

from fastapi import Request, Response
from sqlalchemy.ext.asyncio import AsyncConnection

from orchestrator.clock import database_now
from orchestrator.console.frame import Pages, app_of, render
from orchestrator.db import transaction
from orchestrator.errors import BadInput
from orchestrator.flows.list_people import People, list_people
from orchestrator.store import finding

router = Pages()
LINES = 50
# Each is an expression that could be typed as well.
QUICK = {
    "running": "sequence exists and not opted_out and not paused",
    "idle": "sequence missing",
    "paused": "paused",
    "opted_out": "opted_out",
    "no_zone": "zone missing",
}


@router.page("/console/people", "prospects:read", scoped=True)
async def show_people(request: Request) -> Response:
    """The newest who fit: `q` as it is typed, `where` as for enrolling; `before` goes on. Three
    queries, however many people there are."""
    asked = {
        name: value
        for name, most in (("q", 200), ("where", 10_000))
        if (value := request.query_params.get(name, "").replace("\0", "").strip()[:most])
    }
    wrong = ""
    async with transaction(app_of(request).engine) as conn:
        try:
            people, running = await _people(conn, asked, _id(request, "before"))
        except BadInput as error:
            people, running, wrong = People([], {}), {}, error.message
        now = await database_now(conn)
    rows = people.rows[:LINES]
    older = rows[-1]["id"] if len(people.rows) > LINES else None
    part = request.headers.get("hx-request") == "true"
    more = part and "before" in request.query_params
    template = "people_lines.html" if more else "people_found.html" if part else "people.html"
    return render(
        request,
        template,
        status=422 if wrong and not part else 200,
        people=rows,
        identities=people.identities,
        sequences=running,
        now=now,
        older=older,
        asked=asked,
        query=urlencode(asked),
        quick={name: (where, urlencode({"where": where})) for name, where in QUICK.items()},
        wrong=wrong,
    )


async def _people(
    conn: AsyncConnection, asked: dict[str, str], before: UUID | None
) -> tuple[People, dict[UUID, list[dict[str, object]]]]:
    found = await list_people(
        conn, typed=asked.get("q", ""), where=asked.get("where", ""), after=before, limit=LINES
    )
    ids = [row["id"] for row in found.rows[:LINES]]
    return found, await finding.sequences_of(conn, ids)


def _id(request: Request, name: str) -> UUID | None:
    """A parameter that is an id; None for anything else."""
    try:
        return UUID(request.query_params.get(name, ""))
    except ValueError:
        return None
