"""Claim: lease what may leave now, hold what may not yet, drop what may never (T1)."""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import RowMapping
from sqlalchemy.ext.asyncio import AsyncConnection

from channels.crash_points import point
from orchestrator.db import transaction
from orchestrator.flows.ask_about_late import ask_about_late
from orchestrator.flows.request_caps import within_request_caps
from orchestrator.keys import Keys
from orchestrator.rules import late, leaving, pacing
from orchestrator.rules.outgoing import OF_STEPS, MessageRow, own_step
from orchestrator.rules.program import Program
from orchestrator.rules.window import Window, is_open, next_common_opening, next_opening
from orchestrator.rules.zones import plausible_zones
from orchestrator.store import history, leases, sequences, tasks
from orchestrator.wiring import App

LANES = 100  # lanes looked at in one claim
# What a person holds is looked at again after this, or when they let it go.
_NOBODY_ACTS_BEFORE = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class Claimed:
    """A leased message with what the sender needs to hand it over and to settle it."""

    row: MessageRow
    fence: int
    attempt: int
    version_id: UUID
    sequence_id: UUID
    program: Program
    zones: frozenset[str]
    country: str | None
    hours: Window | None  # the sender's; None when windows do not apply
    sender_zone: str
    claimed_at: datetime
    claimed_clock: float  # time.monotonic() when the claim began, which `claimed_at` precedes
    request_stays: timedelta = timedelta(days=21)  # how long an invitation waits to be accepted

    def now(self) -> datetime:
        """The database's time now, by this process's monotonic clock since the claim."""
        return self.claimed_at + timedelta(seconds=time.monotonic() - self.claimed_clock)

    def window_open(self) -> bool:
        """Whether prospect's and sender's windows are open at this very moment (L5)."""
        if self.hours is None:
            return True
        now = self.now()
        return is_open(self.program.window, self.zones, self.country, now) and is_open(
            self.hours, frozenset({self.sender_zone}), None, now
        )


async def claim(
    app: App, now: datetime, *, owner: str, batch: int, busy: Sequence[UUID] = ()
) -> list[Claimed]:
    """Lease up to `batch` messages for `owner`, from lanes that are not in `busy`.

    Confirmations come first. Cap, gap, window and every reason to stop are checked under the row
    locks; they are checked again at the point of no return.
    """
    clock = time.monotonic()  # a claim that takes long must not make the window look open (L5)
    async with transaction(app.engine) as conn:
        rows = list(await leases.confirmations(conn, now=now, batch=batch))
        lanes = {}
        if len(rows) < batch:
            lanes = await _open_lanes(conn, now, busy=busy, room=batch - len(rows))
            rooms = [(sender, room.count) for sender, (_, room, _) in lanes.items() if room.count]
            if rooms:
                seen = {row["id"] for row in rows}
                more = await leases.candidates(conn, rooms=rooms, now=now)
                rows.extend(row for row in more if row["id"] not in seen)
        programs = {
            version: await sequences.load_program(conn, version)
            for version in {row["version_id"] for row in rows}
        }
        most = late.limit(app.settings.late_after_hours, sandbox=app.settings.sandbox)
        going = await _sort_out(conn, rows, programs, lanes, now, most)
        going = await within_request_caps(conn, app, going, now)
        leased = await leases.lease(
            conn, [row["id"] for row in going], owner=owner, seconds=app.settings.lease_seconds
        )
        await _take_from_lanes(conn, app.keys, going, lanes, now)
        if leased:
            point("claim.before_commit")
    if leased:
        point("claim.after_commit")
    return [
        _claimed(row, leased[row["id"]], programs, lanes, now, clock)
        for row in going
        if row["id"] in leased
    ]


_Lanes = dict[UUID, tuple[pacing.Lane, pacing.Room, Window]]


async def _open_lanes(
    conn: AsyncConnection, now: datetime, *, busy: Sequence[UUID], room: int
) -> _Lanes:
    """Lanes that may send now, each with its room; closed ones are put off to their opening."""
    open_lanes: _Lanes = {}
    closed = []
    found = await leases.free_lanes(conn, now=now, busy=busy, lanes=min(LANES, room))
    share = max(1, room // max(1, len(found)))  # no lane takes the whole batch from the others
    for row in found:
        lane = pacing.Lane(
            daily_cap=row["daily_cap"],
            gap_seconds=row["gap_seconds"],
            jitter_seconds=row["gap_jitter_seconds"],
            zone=row["zone"],
            day=row["day"],
            used=row["used"],
            free_since=row["free_since"],
        )
        hours = Window.model_validate(row["hours"])
        has = pacing.room(lane, now, share)
        opening = next_opening(hours, frozenset({lane.zone}), None, now)
        if opening is None or opening > now or not has.count:
            later = pacing.next_day(lane, now) if opening is None or opening <= now else opening
            closed.append({"id": row["sender_id"], "free_at": later} | _day(has))
        else:
            open_lanes[row["sender_id"]] = (lane, has, hours)
    await leases.pace(conn, closed)
    return open_lanes


def _day(room: pacing.Room) -> dict[str, object]:
    return {"day": room.day, "used": room.used}


def _zones(row: RowMapping) -> frozenset[str]:
    return plausible_zones(
        zone=row["zone"],
        country=row["country"],
        phone=row["phone"],
        address=row["address"],
        language=row["language"],
    )


async def _sort_out(
    conn: AsyncConnection,
    rows: Sequence[RowMapping],
    programs: dict[UUID, Program],
    lanes: _Lanes,
    now: datetime,
    most: timedelta | None,
) -> list[RowMapping]:
    """Those that go; the others are held or dropped, with a line of history each."""
    going: list[RowMapping] = []
    holds: dict[UUID, tuple[datetime, str]] = {}
    drops: dict[UUID, tuple[str, str]] = {}
    for row in rows:
        verdict = leaving.decide(_circumstances(row, programs, lanes, now, most), now)
        match verdict:
            case leaving.Go():
                going.append(row)
            case leaving.Hold(reason=reason, until=until):
                holds[row["id"]] = (until or _later(now), reason)
                if reason == "no_window":
                    await _ask_for_zone(conn, row, now)
                elif reason == "late":
                    await ask_about_late(conn, row, now)
                if reason != row["last_class"]:  # once, however often it is looked at
                    await _tell(conn, row, "message.held", reason, now)
            case leaving.Drop(reason=reason, state=state):
                drops[row["id"]] = (state, reason)
                await _tell(conn, row, f"message.{state}", reason, now)
    await leases.hold(conn, holds)
    await leases.drop(conn, drops)
    return going


def _later(now: datetime) -> datetime:
    return now + _NOBODY_ACTS_BEFORE


def _circumstances(
    row: RowMapping,
    programs: dict[UUID, Program],
    lanes: _Lanes,
    now: datetime,
    most: timedelta | None,
) -> leaving.Circumstances:
    opening: datetime | None = now
    too_late = False
    if row["sender_id"] in lanes and row["kind"] in OF_STEPS:
        lane, _, hours = lanes[row["sender_id"]]
        windows: list[tuple[Window, frozenset[str], str | None]] = [
            (programs[row["version_id"]].window, _zones(row), row["country"]),
            (hours, frozenset({lane.zone}), None),
        ]
        opening = next_common_opening(windows, now)
        since = max(row["due_at"], lane.free_since or row["due_at"])
        if late.overdue(since, now, most):  # most are not, and ask for no second opening
            first = next_common_opening(windows, since)
            too_late = first is not None and late.overdue(first, now, most)
    return leaving.Circumstances(
        kind=row["kind"],
        step=own_step(row["kind"], row["step"]),
        enrollment_state=row["enrollment_state"],
        enrollment_step=row["enrollment_step"],
        answered=row["answered"],
        opted_out=row["opted_out"],
        suppressed=row["suppressed"],
        address_usable=row["address_usable"],
        prospect_paused=row["prospect_paused"],
        not_before=row["not_before"],
        sequence_active=row["sequence_active"],
        opening=opening,
        late=too_late,
    )


async def _tell(
    conn: AsyncConnection, row: RowMapping, kind: str, reason: str, now: datetime
) -> None:
    await history.append(
        conn,
        kind,
        at=now,
        prospect_id=row["prospect_id"],
        enrollment_id=row["enrollment_id"],
        message_id=row["id"],
        reason=reason,
    )


async def _ask_for_zone(conn: AsyncConnection, row: RowMapping, now: datetime) -> None:
    await tasks.open_task(
        conn,
        kind="missing_zone",
        title="No hour fits both the prospect's possible zones and the sender: add their zone",
        prospect_id=row["prospect_id"],
        enrollment_id=row["enrollment_id"],
        message_id=row["id"],
        step=row["step"],
        detail={},
        now=now,
    )


async def _take_from_lanes(
    conn: AsyncConnection,
    keys: Keys,
    going: Sequence[RowMapping],
    lanes: _Lanes,
    now: datetime,
) -> None:
    """Count what was claimed against cap and gap. An attempt counts even if it comes to nothing."""
    paces = []
    for sender_id, (lane, has, _) in lanes.items():
        own = [
            row["id"] for row in going if row["sender_id"] == sender_id and row["kind"] in OF_STEPS
        ]
        if own:
            free = pacing.free_at(lane, now, keys.fraction("gap", own[-1]))
            paces.append(
                {"id": sender_id, "free_at": free, "day": has.day, "used": has.used + len(own)}
            )
    await leases.pace(conn, paces)


def _claimed(
    row: RowMapping,
    lease: RowMapping,
    programs: dict[UUID, Program],
    lanes: _Lanes,
    now: datetime,
    clock: float,
) -> Claimed:
    lane = lanes.get(row["sender_id"])
    windowed = lane is not None and row["kind"] in OF_STEPS
    return Claimed(
        row=MessageRow.of(row),
        fence=lease["fence"],
        attempt=lease["attempt"],
        version_id=row["version_id"],
        sequence_id=row["sequence_id"],
        program=programs[row["version_id"]],
        zones=_zones(row),
        country=row["country"],
        hours=lane[2] if windowed and lane else None,
        sender_zone=lane[0].zone if lane else "UTC",
        claimed_at=now,
        claimed_clock=clock,
    )
