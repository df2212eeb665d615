"""Free times by day and week on the reader's own wall clock."""

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

from hypothesis import given
from hypothesis import strategies as st

from orchestrator.rules.reader_zone import COMMON, likely_zones, reader_zone
from orchestrator.rules.slot_days import slot_week
from orchestrator.rules.zones import is_zone
from tests.make import NOW

OSLO = ZoneInfo("Europe/Oslo")
TOKYO = ZoneInfo("Asia/Tokyo")


def test_days_are_the_readers_days() -> None:
    starts = [datetime(2026, 11, 24, 14, tzinfo=UTC), datetime(2026, 11, 24, 16, tzinfo=UTC)]
    in_oslo = slot_week(starts, OSLO, None)
    in_tokyo = slot_week(starts, TOKYO, None)
    assert in_oslo is not None
    assert in_tokyo is not None
    assert [day for day, _ in in_oslo.days] == [date(2026, 11, 24)]
    assert [day for day, _ in in_tokyo.days] == [date(2026, 11, 24), date(2026, 11, 25)]
    assert in_tokyo.days[1][1][0].start.hour == 1


def test_a_wall_time_that_comes_twice_shows_its_offset() -> None:
    first = datetime(2026, 10, 25, 0, 30, tzinfo=UTC)  # 02:30 in summer time, then again in winter
    week = slot_week([first, first + timedelta(hours=1), first + timedelta(hours=2)], OSLO, None)
    assert week is not None
    assert [(slot.start.hour, slot.twice) for slot in week.days[0][1]] == [
        (2, True),
        (2, True),
        (3, False),
    ]


def test_weeks_lead_to_weeks_with_free_times() -> None:
    starts = [datetime(2026, 11, day, 9, tzinfo=UTC) for day in (3, 19, 26)]
    week = slot_week(starts, OSLO, date(2026, 11, 10))  # nothing free: the next one is shown
    assert week is not None
    assert week.monday == date(2026, 11, 16)
    assert (week.earlier, week.later) == (date(2026, 11, 2), date(2026, 11, 23))
    late = slot_week(starts, OSLO, date(2030, 1, 1))
    assert late is not None
    assert (late.monday, late.later) == (date(2026, 11, 23), None)
    assert slot_week([], OSLO, None) is None


@given(
    st.lists(st.integers(0, 365 * 48), min_size=1, max_size=60),
    st.sampled_from(COMMON),
    st.none() | st.dates(),
)
def test_walking_the_weeks_shows_every_time_once(halves, name, wanted) -> None:
    starts = {datetime(2026, 1, 1, tzinfo=UTC) + half * timedelta(minutes=30) for half in halves}
    week = slot_week(sorted(starts), ZoneInfo(name), wanted)
    while week is not None and week.earlier is not None:
        week = slot_week(sorted(starts), ZoneInfo(name), week.earlier)
    seen = []
    while week is not None:
        seen += [slot.start for _, slots in week.days for slot in slots]
        week = slot_week(sorted(starts), ZoneInfo(name), week.later) if week.later else None
    assert seen == sorted(starts)


def test_the_zone_is_asked_known_or_guessed() -> None:
    def zone(**values):
        found = reader_zone(
            **{
                "wanted": None,
                "known": None,
                "country": None,
                "fallback": "Europe/Oslo",
                "now": NOW,
            }
            | values
        )
        return found.name, found.sure

    assert zone(wanted="Asia/Tokyo", known="Europe/Paris") == ("Asia/Tokyo", True)
    assert zone(wanted="../../etc/passwd", known="Europe/Paris") == ("Europe/Paris", True)
    assert zone(known="Nowhere/Town", country="SE") == ("Europe/Stockholm", True)
    assert zone(country="DE") == ("Europe/Berlin", True)  # Busingen keeps the same clock
    assert zone(country="US")[1] is False
    assert zone(country="US")[0].startswith("America/")
    assert zone() == ("Europe/Oslo", False)


def test_every_common_place_is_a_zone_and_likely_ones_come_once() -> None:
    assert all(is_zone(name) for name in COMMON)
    likely = likely_zones(
        shown="Europe/Oslo", known="Europe/Oslo", country="NO", host="Europe/Oslo"
    )
    assert likely == ["Europe/Oslo"]
    assert (
        likely_zones(shown="UTC", known=None, country="PT", host="Europe/Oslo")[-1] == "Europe/Oslo"
    )
