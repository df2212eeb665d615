"""The base of what comes in and of what goes out, and the types that both use."""

from datetime import UTC, datetime
from typing import Annotated, Any

from pydantic import (
    AfterValidator,
    AwareDatetime,
    BaseModel,
    ConfigDict,
    Field,
    StringConstraints,
    model_validator,
)

_FIRST, _LAST = datetime(2000, 1, 1, tzinfo=UTC), datetime(2200, 1, 1, tzinfo=UTC)


def _storable(value: Any, depth: int = 0) -> None:
    """PostgreSQL stores neither U+0000 nor half a surrogate pair, wherever in a body it hides."""
    if depth > 20:
        raise ValueError("the body is nested too deeply")
    if isinstance(value, str):
        if "\0" in value or any("\ud800" <= char <= "\udfff" for char in value):
            raise ValueError("a text holds a character that cannot be stored")
    elif isinstance(value, dict):
        for key, item in value.items():
            _storable(key, depth + 1)
            _storable(item, depth + 1)
    elif isinstance(value, list):
        for item in value:
            _storable(item, depth + 1)


class In(BaseModel):
    """What a caller may say. A field that is not listed is refused: nothing is set by accident."""

    model_config = ConfigDict(extra="forbid", str_strip_whitespace=True)

    @model_validator(mode="before")
    @classmethod
    def _only_storable(cls, value: Any) -> Any:
        _storable(value)
        return value


class Out(BaseModel):
    """What a caller gets to see: exactly the fields that are listed."""

    model_config = ConfigDict(from_attributes=True)


def _in_range(value: datetime) -> datetime:
    if not _FIRST <= value <= _LAST:
        raise ValueError("an instant between the years 2000 and 2200 is meant")
    return value.astimezone(UTC)


When = Annotated[AwareDatetime, AfterValidator(_in_range)]
Short = Annotated[str, StringConstraints(max_length=200)]
Name = Annotated[str, StringConstraints(min_length=1, max_length=200)]
Long = Annotated[str, StringConstraints(max_length=20_000)]
Country = Annotated[str, StringConstraints(pattern=r"^[A-Za-z]{2}$", to_upper=True)]
Count = Annotated[int, Field(ge=0, le=1_000_000)]
