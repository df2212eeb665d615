"""Today: where a visit begins."""

from fastapi import Request, Response

from orchestrator.console.frame import Pages, app_of, render
from orchestrator.db import transaction
from orchestrator.flows.view_today import view_today

router = Pages()


@router.page("/console/today", "today:read", scoped=True)
async def show_today(request: Request) -> Response:
    """What leaves and what comes, and what waits for a person."""
    async with transaction(app_of(request).engine) as conn:
        today = await view_today(conn)
    return render(request, "today.html", today=today)
