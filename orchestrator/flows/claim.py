"""Claim: lease what may leave now, hold what may not yet, drop what may never (T1)."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection

from channels.crash_points import point
from orchestrator.clock import steady
from orchestrator.db import transaction
from orchestrator.flows.ask_about_late import ask_about_late
from orchestrator.flows.claiming import OpenLane, Row, Weighing, hours_of, zones_of
from orchestrator.flows.request_caps import within_request_caps
from orchestrator.keys import Keys
from orchestrator.rules import late, leaving, pacing
from orchestrator.rules.outgoing import OF_STEPS, MessageRow
from orchestrator.rules.program import Program
from orchestrator.rules.watermark import START, Mark, Watermarks
from orchestrator.rules.window import Window, is_open, next_opening
from orchestrator.stages import observe
from orchestrator.store import due, history, leases, sequences, tasks
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
    claimed_clock: float  # `clock.steady()` when the claim began, which `claimed_at` precedes
    request_stays: timedelta = timedelta(days=21)  # how long an invitation waits to be accepted

    def now(self) -> datetime:
        """The database's time now, by this machine's steady clock since the claim: a night that a
        laptop slept through has passed."""
        return self.claimed_at + timedelta(seconds=steady() - self.claimed_clock)

    def window_open(self) -> bool:
        """Whether prospect's and sender's windows are open at this very moment (L5)."""
        if self.hours is None:
            return True
        now = self.now()
        return is_open(self.program.window, self.zones, self.country, now) and is_open(
            self.hours, frozenset({self.sender_zone}), None, now
        )


async def claim(
    app: App,
    now: datetime,
    *,
    owner: str,
    batch: int,
    busy: Sequence[UUID] = (),
    watermarks: Watermarks | None = None,
) -> list[Claimed]:
    """Lease up to `batch` messages for `owner`, from lanes that are not in `busy`, after the
    `watermarks` that earlier claims of this process left.

    Confirmations come first. Cap, gap, window and every reason to stop are checked under the row
    locks; they are checked again at the point of no return.
    """
    clock = steady()  # a claim that takes long must not make the window look open (L5)
    marks = watermarks.at(clock) if watermarks else {}
    async with transaction(app.engine) as conn:
        rows = list(await due.confirmations(conn, now=now, batch=batch))
        lanes: _Lanes = {}
        if len(rows) < batch:
            lanes = await _open_lanes(conn, now, busy=busy, room=batch - len(rows), marks=marks)
            seen = {row["id"] for row in rows}
            more = await _of_lanes(conn, lanes, now, marks)
            rows.extend(row for row in more if row["id"] not in seen)
        programs = {
            version: await sequences.load_program(conn, version)
            for version in {row["version_id"] for row in rows}
        }
        most = late.limit(app.settings.late_after_hours, sandbox=app.settings.sandbox)
        going = await _sort_out(conn, rows, Weighing(now, lanes, programs, most))
        going = await within_request_caps(conn, app, going, now)
        leased = await leases.lease(
            conn, [row["id"] for row in going], owner=owner, seconds=app.settings.lease_seconds
        )
        await _take_from_lanes(conn, app.keys, going, lanes, now)
        if leased:
            point("claim.before_commit")
    if watermarks:
        watermarks.note(_last_of(rows, lanes), full=2 * len(rows) >= batch)
    if leased:
        point("claim.after_commit")
        observe("claim", steady() - clock, len(leased))
    return [
        _claimed(row, leased[row["id"]], programs, lanes, now, clock)
        for row in going
        if row["id"] in leased
    ]


_Lanes = dict[UUID, OpenLane]


async def _of_lanes(
    conn: AsyncConnection, lanes: _Lanes, now: datetime, marks: Mapping[UUID, Mark]
) -> Sequence[Row]:
    wanted = [
        due.Wanted(sender_id, one.room.count, marks.get(sender_id, START))
        for sender_id, one in lanes.items()
    ]
    return await due.candidates(conn, wanted=wanted, now=now) if wanted else []


def _last_of(rows: Sequence[Row], lanes: _Lanes) -> dict[UUID, Mark]:
    """Where the claim ended in each lane. One that keeps a gap needs no mark: it has few behind."""
    return {
        row["sender_id"]: Mark(row["due_at"], row["id"])
        for row in rows  # in the order of due time and id, and the last one of a lane stays
        if row["kind"] in OF_STEPS
        and (lane := lanes.get(row["sender_id"])) is not None
        and lane.room.count > 1
    }


async def _open_lanes(
    conn: AsyncConnection,
    now: datetime,
    *,
    busy: Sequence[UUID],
    room: int,
    marks: Mapping[UUID, Mark],
) -> _Lanes:
    """Lanes that may send now, each with its room; closed ones are put off to their opening."""
    open_lanes: _Lanes = {}
    closed = []
    openings: dict[tuple[Window, str], datetime | None] = {}
    found = await due.free_lanes(conn, now=now, busy=busy, lanes=min(LANES, room), marks=marks)
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
        hours = hours_of(row["hours"])
        has = pacing.room(lane, now, share)
        if (hours, lane.zone) not in openings:
            openings[hours, lane.zone] = next_opening(hours, frozenset({lane.zone}), None, now)
        opening = openings[hours, lane.zone]
        if opening is None or opening > now or not has.count:
            later = pacing.next_day(lane, now) if opening is None or opening <= now else opening
            closed.append({"id": row["sender_id"], "free_at": later} | _day(has))
        else:
            open_lanes[row["sender_id"]] = OpenLane(lane, has, hours)
    await leases.pace(conn, closed)
    return open_lanes


def _day(room: pacing.Room) -> dict[str, object]:
    return {"day": room.day, "used": room.used}


async def _sort_out(conn: AsyncConnection, rows: Sequence[Row], weighing: Weighing) -> list[Row]:
    """Those that go; the others are held or dropped, with a line of history each."""
    now = weighing.now
    going: list[Row] = []
    holds: dict[UUID, tuple[datetime, str]] = {}
    drops: dict[UUID, tuple[str, str]] = {}
    for row in rows:
        match weighing.verdict(row):
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


async def _tell(conn: AsyncConnection, row: Row, kind: str, reason: str, now: datetime) -> None:
    await history.append(
        conn,
        kind,
        at=now,
        prospect_id=row["prospect_id"],
        enrollment_id=row["enrollment_id"],
        message_id=row["id"],
        reason=reason,
    )


async def _ask_for_zone(conn: AsyncConnection, row: Row, now: datetime) -> None:
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
    going: Sequence[Row],
    lanes: _Lanes,
    now: datetime,
) -> None:
    """Count what was claimed against cap and gap. An attempt counts even if it comes to nothing."""
    taken: defaultdict[UUID, list[UUID]] = defaultdict(list)
    for row in going:
        if row["kind"] in OF_STEPS:
            taken[row["sender_id"]].append(row["id"])
    paces = []
    for sender_id, own in taken.items():
        lane, has = lanes[sender_id].lane, lanes[sender_id].room
        free = pacing.free_at(lane, now, keys.fraction("gap", own[-1]))
        paces.append(
            {"id": sender_id, "free_at": free, "day": has.day, "used": has.used + len(own)}
        )
    await leases.pace(conn, paces)


def _claimed(
    row: Row,
    lease: Row,
    programs: dict[UUID, Program],
    lanes: _Lanes,
    now: datetime,
    clock: float,
) -> Claimed:
    own = lanes.get(row["sender_id"])
    windowed = own is not None and row["kind"] in OF_STEPS
    return Claimed(
        row=MessageRow.of(row),
        fence=lease["fence"],
        attempt=lease["attempt"],
        version_id=row["version_id"],
        sequence_id=row["sequence_id"],
        program=programs[row["version_id"]],
        zones=zones_of(row),
        country=row["country"],
        hours=own.hours if windowed and own else None,
        sender_zone=own.lane.zone if own else "UTC",
        claimed_at=now,
        claimed_clock=clock,
    )
