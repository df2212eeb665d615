"""Free times of a host."""

from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orchestrator.rules.slots import HostHours, free_slots, spans, weekly_spans
from orchestrator.rules.zones import jumps_of, known_zones

WEEK = weekly_spans(
    {day: ["09:00-11:30", "12:30-16:00"] for day in ("mon", "tue", "wed", "thu", "fri")}
)
OSLO = HostHours("Europe/Oslo", WEEK, buffer_after_minutes=0, notice_minutes=0)
TUESDAY = date(2026, 11, 24)
NIGHT = datetime(2026, 11, 23, 23, tzinfo=UTC)


def walls(starts: list[datetime], zone: str = "Europe/Oslo") -> list[str]:
    return [start.astimezone(ZoneInfo(zone)).strftime("%H:%M") for start in starts]


def on(host: HostHours, day: date = TUESDAY, minutes: int = 30, **more: object) -> list[str]:
    values = {"exceptions": {}, "busy": [], "now": NIGHT} | more
    found = free_slots(
        host,
        values["exceptions"],  # type: ignore[arg-type]
        values["busy"],  # type: ignore[arg-type]
        minutes,
        values["now"],  # type: ignore[arg-type]
        first_day=day,
        days=1,
    )
    return walls(found, host.zone)


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def test_the_grid_of_a_day() -> None:
    morning = ["09:00", "09:30", "10:00", "10:30", "11:00"]
    assert on(OSLO) == [*morning, "12:30", "13:00", "13:30", "14:00", "14:30", "15:00", "15:30"]
    assert on(OSLO, minutes=60) == [*morning[:-1], "12:30", "13:00", "13:30", "14:00", "14:30",
                                    "15:00"]  # fmt: skip
    assert on(OSLO, minutes=240) == []
    assert on(OSLO, day=date(2026, 11, 28)) == []  # a Saturday


def test_notice_and_horizon() -> None:
    host = HostHours("Europe/Oslo", WEEK, notice_minutes=240, horizon_days=1)
    assert on(host, now=utc("2026-11-24T07:30"))[0] == "12:30"
    assert on(host, now=utc("2026-11-24T08:00"))[0] == "13:00"
    assert on(host, now=utc("2026-11-23T12:00"))[-1] == "13:00"


def test_exceptions_by_date() -> None:
    assert on(OSLO, exceptions={TUESDAY: ()}) == []
    assert on(OSLO, exceptions={TUESDAY: spans(["18:00-19:00"])}) == ["18:00", "18:30"]
    saturday = date(2026, 11, 28)
    assert on(OSLO, day=saturday, exceptions={saturday: spans(["10:00-11:00"])}) == [
        "10:00", "10:30"
    ]  # fmt: skip


def test_buffers_keep_calls_apart() -> None:
    host = HostHours("Europe/Oslo", WEEK, 30, 10, 15, 0)
    call = host.busy(utc("2026-11-24T09:00"), 30)  # 10:00 in Oslo
    assert call == (utc("2026-11-24T08:50"), utc("2026-11-24T09:45"))
    free = on(host, busy=[call])
    # After 09:30 the host is busy until 10:15, before 10:30 from 10:20 on: both too near to 10:00.
    assert free[:3] == ["09:00", "11:00", "12:30"]
    assert on(OSLO, busy=[(utc("2026-11-24T09:00"), utc("2026-11-24T09:30"))])[:3] == [
        "09:00", "09:30", "10:30"
    ]  # fmt: skip


def test_a_skipped_hour_is_not_offered() -> None:
    """Oslo, 29 March 2026: the clocks go from 02:00 to 03:00."""
    night = HostHours("Europe/Oslo", (spans(["01:00-05:00"]),) * 7, 30, 0, 0, 0)
    found = on(night, day=date(2026, 3, 29), now=utc("2026-03-28T12:00"))
    assert found == ["01:00", "01:30", "03:00", "03:30", "04:00", "04:30"]


def test_a_repeated_hour_is_offered_twice_and_a_call_never_leaves_the_hours() -> None:
    """Oslo, 25 October 2026: the clocks go from 03:00 back to 02:00."""
    night = HostHours("Europe/Oslo", (spans(["01:00-04:00"]),) * 7, 30, 0, 0, 0)
    day, now = date(2026, 10, 25), utc("2026-10-24T12:00")
    assert on(night, day=day, now=now) == [
        "01:00", "01:30", "02:00", "02:30", "02:00", "02:30", "03:00", "03:30"
    ]  # fmt: skip
    short = HostHours("Europe/Oslo", (spans(["01:00-02:45"]),) * 7, 30, 0, 0, 0)
    # A call of an hour from 01:45 on would be outside between 02:45 and the second 02:00.
    assert on(short, day=day, now=now, minutes=60) == ["01:00", "01:30"]
    assert on(short, day=day, now=now, minutes=90) == ["01:00"]


@pytest.mark.parametrize(
    ("weekly", "words"),
    [
        ({"monday": ["09:00-10:00"]}, "is no day"),
        ({"mon": ["9-10"]}, "are no hours"),
        ({"mon": ["10:00-09:00"]}, "ends before"),
        ({"mon": ["09:00-11:00", "10:00-12:00"]}, "overlap"),
    ],
)
def test_hours_that_are_none(weekly: dict[str, list[str]], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        weekly_spans(weekly)


@st.composite
def hours(draw: st.DrawFn) -> tuple[tuple[time, time], ...]:
    ends = sorted(draw(st.lists(st.integers(0, 95), min_size=2, max_size=4, unique=True)))
    walls = [time(quarter // 4, quarter % 4 * 15) for quarter in ends]
    return tuple(zip(walls[::2], walls[1::2], strict=False))


@settings(max_examples=300, deadline=None)
@given(
    st.sampled_from(sorted(known_zones())),
    hours(),
    st.sampled_from([15, 20, 30, 60]),
    st.integers(5, 180),
    st.tuples(st.integers(0, 60), st.integers(0, 60)),
    st.lists(st.tuples(st.integers(-600, 3000), st.integers(1, 300)), max_size=5),
    st.data(),
)
def test_what_is_offered_can_be_kept(
    zone: str,
    day_hours: tuple[tuple[time, time], ...],
    grid: int,
    minutes: int,
    buffers: tuple[int, int],
    calls: list[tuple[int, int]],
    data: st.DataObject,
) -> None:
    """In every zone, around every change of the clocks: inside the hours, clear of other calls."""
    host = HostHours(zone, (day_hours,) * 7, grid, *buffers, 60, 21)
    jumps = [jump for year in range(2026, 2037) for jump in jumps_of(zone, year)]
    base = data.draw(st.sampled_from(jumps)) if jumps else datetime(2026, 6, 1, tzinfo=UTC)
    now = base - timedelta(hours=12)
    busy = [
        (now + timedelta(minutes=first), now + timedelta(minutes=first + length))
        for first, length in calls
    ]
    first_day = now.astimezone(ZoneInfo(zone)).date()
    found = free_slots(host, {}, busy, minutes, now, first_day=first_day, days=3)
    assert found == sorted(set(found))
    for start in found:
        assert start >= now + timedelta(minutes=60)
        taken = host.busy(start, minutes)
        assert all(end <= taken[0] or taken[1] <= begin for begin, end in busy)
        local = [
            (start + timedelta(minutes=minute)).astimezone(ZoneInfo(zone))
            for minute in range(minutes)
        ]
        assert any(
            all(at.date() == local[0].date() and a <= at.time() < b for at in local)
            for a, b in day_hours
        )
