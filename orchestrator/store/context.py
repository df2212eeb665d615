"""What a batch of messages needs to be written, in as many statements for one as for hundreds.

Rows come as the driver gives them: mapping objects of SQLAlchemy and values in classes of our own
took 140 us of Python for each message of a batch of 100, these take 12.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection

from orchestrator.rules.outgoing import MessageRow
from orchestrator.store.direct import Statement, plan_anew

Row = Mapping[str, Any]

_PEOPLE = Statement("""
select w.id, f.recipient, f.payload, f.frozen_at, e.version_id, i.address,
  p.first_name, p.last_name, p.title, p.language, p.country,
  c.name as company_name, c.domain as company_domain, c.country as company_country
from unnest(cast(:ids as uuid[]), cast(:enrollments as uuid[]), cast(:people as uuid[]),
  cast(:identities as uuid[])) as w(id, enrollment_id, prospect_id, identity_id)
join enrollments e on e.id = w.enrollment_id
join prospects p on p.id = w.prospect_id
left join companies c on c.id = p.company_id
left join identities i on i.id = w.identity_id and i.prospect_id = w.prospect_id
left join frozen f on f.message_id = w.id
""")


async def people(conn: AsyncConnection, rows: Sequence[MessageRow]) -> dict[UUID, Row]:
    """By message: the person with their company, the address that it was planned for (null when it
    is not theirs), the version of their sequence, and what is frozen already (null when nothing
    is)."""
    values = {
        "ids": [row.id for row in rows],
        "enrollments": [row.enrollment_id for row in rows],
        "people": [row.prospect_id for row in rows],
        "identities": [row.identity_id for row in rows],
    }
    await plan_anew(conn)
    found = await _PEOPLE.fetch(conn, values)
    await plan_anew(conn, anew=False)
    return {row["id"]: row for row in found}


_FACTS = Statement("""
select distinct on (prospect_id, name) prospect_id, name, value
from facts
where prospect_id = any(cast(:people as uuid[])) and name = any(cast(:names as text[]))
order by prospect_id, name, found_on desc nulls last, recorded_at desc, id desc
""")


async def facts(
    conn: AsyncConnection, prospect_ids: Iterable[UUID], names: Collection[str]
) -> dict[UUID, dict[str, str]]:
    """The newest facts of these names, by person; no statement when no name is asked for."""
    found: dict[UUID, dict[str, str]] = defaultdict(dict)
    if names:
        values = {"people": list(prospect_ids), "names": list(names)}
        for row in await _FACTS.fetch(conn, values):
            found[row["prospect_id"]][row["name"]] = row["value"]
    return found


# A message that may have reached the person: a later one may answer it.
_THREADS = Statement("""
select m.enrollment_id, m.id, m.thread_of, m.rfc_message_id, m.provider_ref, f.subject
from messages m join frozen f on f.message_id = m.id
where m.enrollment_id = any(cast(:enrollments as uuid[]))
  and m.state in ('sending', 'sent', 'in_doubt') and m.kind <> 'host_invitation'
order by f.frozen_at, m.id
""")


async def threads(conn: AsyncConnection, enrollment_ids: Collection[UUID]) -> dict[UUID, list[Row]]:
    """The messages of each enrollment that may have reached the person, oldest first: id,
    thread_of, rfc_message_id, provider_ref, subject."""
    found: dict[UUID, list[Row]] = defaultdict(list)
    if enrollment_ids:
        for row in await _THREADS.fetch(conn, {"enrollments": list(enrollment_ids)}):
            found[row["enrollment_id"]].append(row)
    return found
