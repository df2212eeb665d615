"""Change what one may change of oneself."""

from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection

from orchestrator.errors import BadInput, NotFound
from orchestrator.rules.accounts import LANGUAGES, THEMES, name_fault
from orchestrator.store import users


async def change_account(conn: AsyncConnection, *, user_id: UUID, **values: str | None) -> bool:
    """Set `name`, `language` (None: what the browser asks for) or `theme`. False when all was so.

    Raises BadInput with the field at fault, NotFound.
    """
    row = await users.by_id(conn, user_id, lock=True)
    if row is None:
        raise NotFound("There is no such user.")
    name, theme = values.get("name", row["name"]), values.get("theme", row["theme"])
    if said := name_fault(name or ""):
        raise BadInput(said, field="name", fault="name")
    if theme not in THEMES:
        raise BadInput("There is no such theme.", field="theme")
    language = values.get("language", row["language"])
    if language is not None and language not in LANGUAGES:
        raise BadInput("There is no such language.", field="language")
    wanted = {"name": (name or "").strip(), "theme": theme, "language": language}
    changed = {column: value for column, value in wanted.items() if row[column] != value}
    if changed:
        await users.change(conn, user_id, **changed)
    return bool(changed)
