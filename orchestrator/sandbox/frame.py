"""What every page of the sandbox has: the application, the clock, the people, and whose buttons."""

from typing import Annotated, Any
from urllib.parse import urlsplit

from fastapi import Depends, Request

from orchestrator.clock import database_now
from orchestrator.db import transaction
from orchestrator.errors import Forbidden
from orchestrator.store import sandbox
from orchestrator.wiring import App


def _app(request: Request) -> App:
    app: App = request.app.state.avtale
    return app


def _same_origin(request: Request) -> None:
    """No other site may press a button here."""
    origin = request.headers.get("origin")
    if origin is not None and urlsplit(origin).netloc != request.headers.get("host"):
        raise Forbidden("this button is pressed from another site")


Avtale = Annotated[App, Depends(_app)]
PRESSED = [Depends(_same_origin)]


async def frame_of(app: App) -> dict[str, Any]:
    """What every page shows: the clock and the people."""
    async with transaction(app.engine) as conn:
        return {
            "now": await database_now(conn),
            "ahead": await sandbox.ahead(conn),
            "people": await sandbox.people(conn),
        }
