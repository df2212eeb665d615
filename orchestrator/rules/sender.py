"""What a sender is set to: its pace, its hours and its account, checked before it is stored."""

from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import BaseModel, ConfigDict, Field, field_validator

from orchestrator.rules.window import OFFICE, Window


class SenderValues(BaseModel):
    """A sender as people set it. `daily_cap` messages a day in `zone`; at least `gap_seconds` and
    up to `gap_jitter_seconds` more between two."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    channel: str = "email"
    address: str = Field(min_length=1, max_length=320)
    display_name: str = Field("", max_length=200)
    settings: dict[str, Any] = {}
    daily_cap: int = Field(50, ge=0, le=1_000_000)
    gap_seconds: int = Field(90, ge=0, le=86_400)
    gap_jitter_seconds: int = Field(60, ge=0, le=86_400)
    zone: str = "UTC"
    hours: Window = OFFICE

    @field_validator("zone")
    @classmethod
    def _known_zone(cls, value: str) -> str:
        try:
            ZoneInfo(value)
        except (ZoneInfoNotFoundError, ValueError, OSError):
            raise ValueError(f"`{value}` is no zone: write Europe/Oslo") from None
        return value

    @field_validator("display_name")
    @classmethod
    def _one_line(cls, value: str) -> str:
        if not value.isprintable():
            raise ValueError("a name is one line without control characters")
        return value.strip()
