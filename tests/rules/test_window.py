"""L5 as properties: over all IANA zones and every change of the clocks from 2026 to 2036."""

from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import holidays
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from orchestrator.rules import calendar
from orchestrator.rules.program import Duration
from orchestrator.rules.window import (
    OFFICE,
    Window,
    add_duration,
    is_open,
    next_common_opening,
    next_opening,
)
from orchestrator.rules.zones import all_zones, jumps_of, known_zones, plausible_zones

ZONES = sorted(known_zones())
COUNTRIES = [None, "NO", "SE", "DK", "DE", "US", "IL", "AE", "JP", "XX"]
ALWAYS = Window.model_validate({"days": "mon-sun", "hours": "00:00-24:00"})

minutes = st.integers(0, 24 * 60 - 1)
countries = st.sampled_from(COUNTRIES)
some_zones = st.frozensets(st.sampled_from(ZONES), min_size=1, max_size=4)
# Every minute of eleven years.
SPAN = (datetime(2036, 12, 31, tzinfo=UTC) - datetime(2026, 1, 1, tzinfo=UTC)).days * 24 * 60
instants = st.integers(0, SPAN).map(
    lambda minute: datetime(2026, 1, 1, tzinfo=UTC) + timedelta(minutes=minute)
)


@st.composite
def windows(draw: st.DrawFn) -> Window:
    start, end = sorted(draw(st.lists(minutes, min_size=2, max_size=2, unique=True)))
    last = draw(st.sampled_from([time(end // 60, end % 60), time.max]))
    days = draw(st.frozensets(st.integers(0, 6), min_size=1))
    return Window(days=tuple(sorted(days)), start=time(start // 60, start % 60), end=last)


@st.composite
def near_a_jump(draw: st.DrawFn) -> tuple[str, datetime]:
    """A zone, and an instant within two days of a change of its clocks (if they change)."""
    zone = draw(st.sampled_from(ZONES))
    jumps = [jump for year in range(2026, 2037) for jump in jumps_of(zone, year)]
    base = draw(st.sampled_from(jumps) if jumps else instants)
    return zone, base + timedelta(minutes=draw(st.integers(-2880, 2880)))


def inside(window: Window, zone: str, country: str | None, at: datetime) -> bool:
    """The law in other words: what a clock and a calendar on the prospect's wall say."""
    local = at.astimezone(ZoneInfo(zone))
    seconds = local.hour * 3600 + local.minute * 60 + local.second
    start = window.start.hour * 3600 + window.start.minute * 60
    end = 86400 if window.end == time.max else window.end.hour * 3600 + window.end.minute * 60
    if local.weekday() not in window.days or not start <= seconds < end:
        return False
    try:
        return country is None or local.date() not in holidays.country_holidays(
            country, years=local.year
        )
    except NotImplementedError:
        return True


@settings(max_examples=400, deadline=None)
@given(windows(), some_zones, countries, instants)
def test_never_open_outside_the_window_of_any_zone(
    window: Window, zones: frozenset[str], country: str | None, at: datetime
) -> None:
    if is_open(window, zones, country, at):
        assert all(inside(window, zone, country, at) for zone in zones)


@settings(max_examples=400, deadline=None)
@given(windows(), near_a_jump(), countries)
def test_never_open_outside_the_window_around_a_change_of_the_clocks(
    window: Window, place: tuple[str, datetime], country: str | None
) -> None:
    zone, at = place
    assert not is_open(window, frozenset({zone}), country, at) or inside(window, zone, country, at)


@settings(max_examples=250, deadline=None)
@given(windows(), near_a_jump(), countries, some_zones, st.data())
@example(  # 02:30 does not exist in Oslo on this night: open from the jump on, 03:00
    Window(days=(6,), start=time(2, 30), end=time(4)),
    ("Europe/Oslo", datetime(2026, 3, 28, 20, tzinfo=UTC)),
    None,
    frozenset({"Europe/Oslo"}),
    None,
)
def test_next_opening_is_open_and_nothing_earlier_is(
    window: Window,
    place: tuple[str, datetime],
    country: str | None,
    others: frozenset[str],
    data: st.DataObject | None,
) -> None:
    zone, after = place
    zones = frozenset({zone})
    if data is not None and data.draw(st.booleans()):
        zones |= others
    opening = next_opening(window, zones, country, after, horizon_days=20)
    closed_until = after + timedelta(days=20) if opening is None else opening
    if opening is not None:
        assert opening >= after
        assert is_open(window, zones, country, opening)
        assert opening == after or not is_open(
            window, zones, country, opening - timedelta(microseconds=1)
        )
    step = timedelta(minutes=29)
    while after < closed_until:
        assert not is_open(window, zones, country, after)
        after += step


def test_every_change_of_the_clocks_of_every_zone() -> None:
    """Windows that begin inside the skipped or repeated hour, in each zone, for ten years."""
    checked = 0
    for zone in sorted(all_zones()):
        zones = frozenset({zone})
        for jump in (jump for year in range(2026, 2037) for jump in jumps_of(zone, year)):
            local = jump.astimezone(ZoneInfo(zone))
            begin = (local - timedelta(minutes=30)).time()
            if begin > time(23, 30):
                continue
            window = Window(days=tuple(range(7)), start=begin, end=time.max)
            opening = next_opening(window, zones, None, jump - timedelta(hours=12))
            assert opening is not None
            assert is_open(window, zones, None, opening)
            probe = opening - timedelta(seconds=1)
            assert opening == jump - timedelta(hours=12) or not is_open(window, zones, None, probe)
            checked += 1
    assert checked > 2000


@settings(max_examples=300, deadline=None)
@given(windows(), some_zones, some_zones, countries, instants)
def test_knowing_less_never_opens_more(
    window: Window, zones: frozenset[str], more: frozenset[str], country: str | None, at: datetime
) -> None:
    if is_open(window, zones | more, country, at):
        assert is_open(window, zones, country, at)
    wide = next_opening(window, zones | more, country, at, horizon_days=15)
    narrow = next_opening(window, zones, country, at, horizon_days=15)
    assert wide is None or (narrow is not None and narrow <= wide)


@settings(max_examples=200, deadline=None)
@given(st.integers(1, 15), instants, st.one_of(some_zones, st.just(all_zones())), countries)
def test_business_days_end_on_one_in_every_zone(
    amount: int, start: datetime, zones: frozenset[str], country: str | None
) -> None:
    end = add_duration(Duration(amount=amount, unit="business_days"), start, zones, country)
    assert end > start
    for zone in zones:
        day = end.astimezone(ZoneInfo(zone)).date()
        assert calendar.is_business_day(country, day)
        assert not calendar.is_holiday(country, day)


@settings(max_examples=150, deadline=None)
@given(instants, st.sampled_from(ZONES), st.integers(0, 60), countries)
def test_days_keep_the_wall_clock(
    start: datetime, zone: str, amount: int, country: str | None
) -> None:
    end = add_duration(Duration(amount=amount, unit="days"), start, frozenset({zone}), country)
    before, after = start.astimezone(ZoneInfo(zone)), end.astimezone(ZoneInfo(zone))
    drift = after.replace(tzinfo=None) - before.replace(tzinfo=None) - timedelta(days=amount)
    assert timedelta(0) <= drift <= timedelta(hours=1)  # a skipped hour becomes the one after


@given(instants, some_zones, st.integers(0, 5000))
def test_hours_are_elapsed_time(start: datetime, zones: frozenset[str], amount: int) -> None:
    hours = Duration(amount=amount, unit="hours")
    assert add_duration(hours, start, zones, "NO") - start == timedelta(hours=amount)


OSLO = frozenset({"Europe/Oslo"})


@pytest.mark.parametrize(
    ("after", "country", "opening"),
    [
        ("2026-11-24T05:00", "NO", "2026-11-24T07:00"),  # a Tuesday: 08:00 in winter
        ("2026-06-23T05:00", "NO", "2026-06-23T06:00"),  # 08:00 in summer
        ("2026-11-24T14:59", "NO", "2026-11-24T14:59"),  # a minute to closing
        ("2026-11-24T15:00", "NO", "2026-11-25T07:00"),  # closed at 16:00 sharp
        ("2026-11-27T16:00", "NO", "2026-11-30T07:00"),  # over a weekend
        ("2026-04-01T16:00", "NO", "2026-04-07T06:00"),  # over Easter: Thursday to Monday
        ("2026-04-01T16:00", None, "2026-04-02T06:00"),  # country unknown: weekends only
        ("2026-05-13T16:00", "NO", "2026-05-15T06:00"),  # Ascension Day
        ("2026-12-24T16:00", "NO", "2026-12-28T07:00"),  # Christmas on Friday and Saturday
    ],
)
def test_table_of_openings_in_oslo(after: str, country: str | None, opening: str) -> None:
    start = datetime.fromisoformat(after).replace(tzinfo=UTC)
    expected = datetime.fromisoformat(opening).replace(tzinfo=UTC)
    assert next_opening(OFFICE, OSLO, country, start) == expected


def test_a_window_of_weekdays_takes_the_weekend_of_the_country() -> None:
    jerusalem, friday = frozenset({"Asia/Jerusalem"}), datetime(2026, 11, 27, 8, tzinfo=UTC)
    assert not is_open(OFFICE, jerusalem, "IL", friday)
    named = Window.model_validate({"days": "sun-fri", "hours": "08:00-16:00"})
    assert is_open(named, jerusalem, "IL", friday)


def test_a_window_open_twice_in_a_repeated_hour() -> None:
    """02:30 comes twice in Oslo on 2026-10-25; the window 02:00-02:45 closes in between."""
    window = Window(days=(6,), start=time(2), end=time(2, 45))
    first = datetime(2026, 10, 25, 0, 0, tzinfo=UTC)
    assert next_opening(window, OSLO, None, first - timedelta(hours=3)) == first
    between = first + timedelta(minutes=50)
    assert not is_open(window, OSLO, None, between)
    assert next_opening(window, OSLO, None, between) == first + timedelta(hours=1)


def test_nothing_known_and_office_hours_have_no_opening() -> None:
    now = datetime(2026, 11, 24, 9, tzinfo=UTC)
    assert next_opening(OFFICE, all_zones(), None, now) is None
    assert next_opening(ALWAYS, all_zones(), None, now) == now


def test_prospect_and_sender_both_open() -> None:
    now = datetime(2026, 11, 24, 9, tzinfo=UTC)
    sender = (OFFICE, OSLO, None)
    new_york = (OFFICE, frozenset({"America/New_York"}), "US")
    assert next_common_opening([sender, new_york], now) == datetime(2026, 11, 24, 13, tzinfo=UTC)
    tokyo = (OFFICE, frozenset({"Asia/Tokyo"}), "JP")
    assert next_common_opening([new_york, tokyo], now) is None
    assert next_common_opening([], now) == now


def test_business_days_skip_holidays() -> None:
    start = datetime(2026, 3, 31, 8, tzinfo=UTC)  # the Tuesday before Easter
    end = add_duration(Duration(amount=3, unit="business_days"), start, OSLO, "NO")
    assert end == datetime(2026, 4, 8, 8, tzinfo=UTC)
    assert calendar.add_business_days("NO", date(2026, 3, 31), 0) == date(2026, 3, 31)


def test_openings_are_quick() -> None:
    """The worst of cases, 418 zones without a common opening, stays within a few milliseconds."""
    now = datetime(2026, 11, 24, 9, tzinfo=UTC)
    next_opening(OFFICE, all_zones(), None, now)
    started = datetime.now(UTC)
    for day in range(10):
        next_opening(OFFICE, all_zones(), None, now + timedelta(days=day))
        next_opening(OFFICE, plausible_zones(zone=None, country="US"), "US", now)
    assert datetime.now(UTC) - started < timedelta(seconds=2)
