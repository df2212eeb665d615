"""Public holidays, weekends and business days of a country."""

from datetime import date, timedelta
from functools import lru_cache

import holidays

SATURDAY_SUNDAY = frozenset({5, 6})


@lru_cache(maxsize=4096)
def public_holidays(country: str | None, year: int) -> frozenset[date]:
    """The national public holidays of `country` (ISO 3166-1 alpha-2) in `year`.

    Empty for an unknown country and for one that the `holidays` library does not cover.
    """
    calendar = _calendar(country, year)
    return frozenset() if calendar is None else frozenset(calendar)


@lru_cache(maxsize=512)
def weekend(country: str | None) -> frozenset[int]:
    """The weekdays (Monday 0) on which `country` rests; Saturday and Sunday when unknown."""
    calendar = _calendar(country, 2026)
    return SATURDAY_SUNDAY if calendar is None else frozenset(calendar.weekend)


def is_holiday(country: str | None, day: date) -> bool:
    """Whether `day` is a national public holiday of `country`; never so when it is unknown."""
    return country is not None and day in public_holidays(country, day.year)


def is_business_day(country: str | None, day: date) -> bool:
    """Whether people of `country` are at work on `day`: no weekend, no public holiday."""
    return day.weekday() not in weekend(country) and not is_holiday(country, day)


def add_business_days(country: str | None, day: date, amount: int) -> date:
    """The `amount`-th business day after `day`; `day` itself when `amount` is 0."""
    while amount > 0:
        day += timedelta(days=1)
        amount -= is_business_day(country, day)
    return day


def _calendar(country: str | None, year: int) -> holidays.HolidayBase | None:
    if not country:
        return None
    try:
        return holidays.country_holidays(country.upper(), years=year)
    except NotImplementedError:  # the library's word for a country that it does not have
        return None
