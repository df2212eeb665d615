"""What the sandbox asks the database: its clock, and what the service is doing just now."""

from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection


async def sender_addresses(conn: AsyncConnection) -> set[str]:
    """Addresses of every email sender, in lower case."""
    rows = await conn.execute(text("select lower(address) from senders where channel = 'email'"))
    return set(rows.scalars())


async def ahead(conn: AsyncConnection) -> timedelta:
    """How far the sandbox's clock is ahead of the database's."""
    found: timedelta = (await conn.execute(text("select ahead from clock"))).scalar_one()
    return found


async def move_clock(conn: AsyncConnection, by: timedelta) -> None:
    """Move time forward. Never back: due times and leases only know forward."""
    await conn.execute(
        text("update clock set ahead = ahead + :by where :by > interval '0'"), {"by": by}
    )


async def in_flight(conn: AsyncConnection) -> int:
    """Messages that a worker holds just now: a jump of the clock would end their leases."""
    rows = await conn.execute(
        text("select count(*) from messages where state in ('leased', 'sending')")
    )
    return int(rows.scalar_one())


async def next_due(conn: AsyncConnection, now: datetime) -> datetime | None:
    """When the next thing happens by itself, strictly after `now`."""
    rows = await conn.execute(
        text(
            """
            select min(due) from (
              select due_at as due from enrollments where state = 'active' and due_at is not null
              union all
              select greatest(m.due_at, l.free_at, l.parked_until)
              from messages m join lanes l using (sender_id)
              where m.phase = 'open' and m.state in ('pending', 'retry_wait')
            ) as everything where due > :now
            """
        ),
        {"now": now},
    )
    found: datetime | None = rows.scalar()
    return found


async def counts(conn: AsyncConnection) -> dict[str, list[dict[str, Any]]]:
    """Messages and enrollments by state, tasks by kind, and the calls."""
    statements = {
        "messages": "select state as name, count(*) as n from messages group by 1 order by 2 desc",
        "enrollments": "select state as name, count(*) as n from enrollments"
        " group by 1 order by 2 desc",
        "tasks": "select kind as name, count(*) as n from tasks where state = 'open'"
        " group by 1 order by 2 desc",
        "calls": "select 'unlocked' as name, count(*) as n from unlocks union all"
        " select state, count(*) from bookings group by 1",
    }
    return {
        name: [dict(row) for row in (await conn.execute(text(statement))).mappings()]
        for name, statement in statements.items()
    }


async def lately(conn: AsyncConnection, limit: int) -> list[dict[str, Any]]:
    """The newest lines of the history, newest first, with the name of the person."""
    rows = await conn.execute(
        text(
            """
            select h.id, h.at, h.kind, h.detail,
                   trim(p.first_name || ' ' || p.last_name) as prospect
            from history h left join prospects p on p.id = h.prospect_id
            order by h.id desc limit :limit
            """
        ),
        {"limit": limit},
    )
    return [dict(row) for row in rows.mappings()]


async def upcoming(conn: AsyncConnection, limit: int) -> list[dict[str, Any]]:
    """What is due next: who, which step, when."""
    rows = await conn.execute(
        text(
            """
            select due, what, step, trim(p.first_name || ' ' || p.last_name) as prospect
            from (
              select due_at as due, 'looks at' as what, step, prospect_id from enrollments
              where state = 'active' and due_at is not null
              union all
              select greatest(m.due_at, l.free_at, l.parked_until), 'message', m.step,
                     m.prospect_id
              from messages m join lanes l using (sender_id)
              where m.phase = 'open' and m.state in ('pending', 'retry_wait')
            ) as everything join prospects p on p.id = prospect_id
            order by due limit :limit
            """
        ),
        {"limit": limit},
    )
    return [dict(row) for row in rows.mappings()]


async def lanes(conn: AsyncConnection) -> list[dict[str, Any]]:
    """Senders with the state of their lanes."""
    rows = await conn.execute(
        text(
            """
            select s.name, s.address, s.daily_cap, s.paused_at, l.used, l.day, l.free_at,
                   l.parked_until, l.park_reason
            from senders s join lanes l on l.sender_id = s.id order by s.name
            """
        )
    )
    return [dict(row) for row in rows.mappings()]


async def people(conn: AsyncConnection) -> list[dict[str, Any]]:
    """Everybody who can get mail here: prospects, hosts and senders, with what they are."""
    rows = await conn.execute(
        text(
            """
            select trim(p.first_name || ' ' || p.last_name) as name, lower(i.address) as address,
                   coalesce(c.name, '') as company, 'prospect' as role, p.language, 1 as place
            from identities i join prospects p on p.id = i.prospect_id
            left join companies c on c.id = p.company_id where i.channel = 'email'
            union all
            select display_name, lower(email), '', 'host', null, 2 from hosts
            union all
            select display_name, lower(address), '', 'sender', null, 3
            from senders where channel = 'email'
            order by place, name
            """
        )
    )
    return [dict(row) for row in rows.mappings()]
