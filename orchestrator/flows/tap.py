"""A button on the prospect's own page was pressed: the human engagement that no scanner makes."""

import json
from datetime import date, datetime
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection

from orchestrator.errors import NotFound
from orchestrator.flows.engage import engage
from orchestrator.flows.stop_person import stop_person
from orchestrator.flows.view_page import view_page
from orchestrator.ids import uuid7
from orchestrator.keys import Keys
from orchestrator.rules.page_state import Choice
from orchestrator.store import pages, standing


async def tap(
    conn: AsyncConnection,
    keys: Keys,
    *,
    enrollment_id: UUID,
    choice: Choice,
    now: datetime,
    until: date | None = None,
) -> bool:
    """Do what the prospect chose: MORE, LATER (with `until`, checked by the caller) or NEVER.

    False, and nothing happened, when the page does not offer it any more: a second tap, or a page
    that was open for long. Raises NotFound.
    """
    row = await pages.page(conn, enrollment_id)
    if row is None:
        raise NotFound("There is no such page.")
    prospect_id: UUID = row["prospect_id"]
    # Two taps at once: the second one waits. Colleagues that an answer stops are locked with them,
    # in order of id, or two colleagues who tap at once would wait for each other.
    whole = await standing.stops_company(conn, prospect_id)
    colleagues = await standing.colleagues(conn, prospect_id) if whole else []
    await standing.lock_prospects(conn, [prospect_id, *colleagues])
    seen = await view_page(conn, enrollment_id=enrollment_id, now=now)
    if not seen.state.offers(choice):
        return False
    event = await pages.add_event(
        conn,
        source="page",
        external_id=f"tap:{uuid7()}",
        kind="tap",
        raw=json.dumps({"choice": choice, "until": until and until.isoformat()}).encode(),
        detail={"enrollment": str(enrollment_id), "choice": choice},
        prospect_id=prospect_id,
        message_id=None,
        now=now,
    )
    if choice is Choice.NEVER:
        await stop_person(conn, prospect_id=prospect_id, reason="opt_out", now=now)
        return True
    await engage(
        conn,
        keys,
        prospect_id=prospect_id,
        kind="tap",
        grade="human",
        meaning="interested" if choice is Choice.MORE else "not_now",
        reasons=("own_page",),
        enrollment_id=enrollment_id,
        provider_event_id=event,
        happened_at=now,
        now=now,
        until=until,
    )
    return True
