"""What a host is set to, checked before it is stored."""

from pydantic import BaseModel, ConfigDict, Field, field_validator

from orchestrator.rules import addresses
from orchestrator.rules.slots import weekly_spans
from orchestrator.rules.window import DAYS
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
