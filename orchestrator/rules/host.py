"""What a host is set to, checked before it is stored."""

from collections.abc import Mapping, Sequence

from pydantic import BaseModel, ConfigDict, Field, field_validator

from orchestrator.rules import addresses
from orchestrator.rules.slots import weekly_spans
from orchestrator.rules.window import DAYS, parse_days
from orchestrator.rules.zones import is_zone

_OFFICE = {day: ["09:00-11:30", "12:30-16:00"] for day in DAYS[:5]}


class HostValues(BaseModel):
    """A host as people set it. `weekly`: `{"mon": ["09:00-11:30", "12:30-16:00"]}` on the clock of
    `zone`; a day that is left out has no hours. Starts are offered every `slot_minutes`."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    display_name: str = Field(min_length=1, max_length=200)
    email: str = Field(min_length=3, max_length=320)
    zone: str
    weekly: dict[str, list[str]] = _OFFICE
    slot_minutes: int = Field(30, ge=5, le=480)
    buffer_before_minutes: int = Field(0, ge=0, le=480)
    buffer_after_minutes: int = Field(10, ge=0, le=480)
    notice_minutes: int = Field(240, ge=0, le=43_200)
    horizon_days: int = Field(21, ge=1, le=365)
    location: str = Field("", max_length=500)

    @field_validator("zone")
    @classmethod
    def _known_zone(cls, value: str) -> str:
        if not is_zone(value):
            raise ValueError(f"`{value}` is no zone: write Europe/Oslo")
        return value

    @field_validator("email")
    @classmethod
    def _mailbox(cls, value: str) -> str:
        return addresses.email(value)

    @field_validator("display_name", "location")
    @classmethod
    def _one_line(cls, value: str) -> str:
        if not value.isprintable():
            raise ValueError("write one line without control characters")
        return value.strip()

    @field_validator("weekly")
    @classmethod
    def _hours(cls, value: dict[str, list[str]]) -> dict[str, list[str]]:
        weekly_spans(value)
        return {day: value[day] for day in DAYS if value.get(day)}


def weekly_of(lines: Sequence[str]) -> dict[str, list[str]]:
    """`["mon-thu 09:00-11:30, 12:30-16:00", "fri 09:00-12:00"]` as `weekly`. Raises ValueError."""
    weekly: dict[str, list[str]] = {}
    for line in lines:
        days, _, hours = line.strip().partition(" ")
        spans = [span.strip() for span in hours.split(",") if span.strip()]
        if not spans:
            raise ValueError(f"`{line}` has no hours: write mon-fri 09:00-11:30, 12:30-16:00")
        for day in parse_days(days):
            weekly.setdefault(DAYS[day], []).extend(spans)
    weekly_spans(weekly)
    return weekly


def week_lines(weekly: Mapping[str, Sequence[str]]) -> list[str]:
    """The opposite of `weekly_of`: days in a row with the same hours share a line."""
    lines: list[tuple[list[str], str]] = []
    for day in DAYS:
        hours = ", ".join(weekly.get(day, ()))
        if lines and lines[-1][1] == hours:
            lines[-1][0].append(day)
        else:
            lines.append(([day], hours))
    return [
        f"{days[0] if len(days) == 1 else f'{days[0]}-{days[-1]}'} {hours}"
        for days, hours in lines
        if hours
    ]
