"""Windows: when a message may leave, in the prospect's own time (L5)."""

from datetime import time
from typing import Any, Self

from pydantic import BaseModel, ConfigDict, model_serializer, model_validator

DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")


def _days(text: str) -> tuple[int, ...]:
    """`mon-fri`, `mon, wed, fri`, `sat-mon` as weekday numbers, Monday 0."""
    found: set[int] = set()
    for part in text.lower().replace(" ", "").split(","):
        first, _, last = part.partition("-")
        try:
            start, end = DAYS.index(first[:3]), DAYS.index((last or first)[:3])
        except ValueError:
            raise ValueError(f"`{text}` are no days: write mon-fri, or mon, wed, fri") from None
        found.update((start + step) % 7 for step in range((end - start) % 7 + 1))
    return tuple(sorted(found))


def _hours(text: str) -> tuple[time, time]:
    first, _, last = text.replace(" ", "").replace("–", "-").partition("-")
    try:
        # 24:00 is the end of the day, which `time` cannot say: the last microsecond stands for it.
        start = time.fromisoformat(first)
        end = time.max if last == "24:00" else time.fromisoformat(last)
    except ValueError:
        raise ValueError(f"`{text}` are no hours: write 08:00-16:00") from None
    if start >= end:
        raise ValueError(f"`{text}` ends before it starts; a window stays within one day")
    return start, end


class Window(BaseModel):
    """Days and hours on a wall clock, `{days: mon-fri, hours: "08:00-16:00"}`; no zone of its own."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    days: tuple[int, ...]
    start: time
    end: time

    @model_validator(mode="before")
    @classmethod
    def _from_words(cls, value: Any) -> Any:
        if isinstance(value, dict) and "hours" in value:
            unknown = set(value) - {"days", "hours"}
            if unknown:
                raise ValueError(f"a window has days and hours, not {', '.join(sorted(unknown))}")
            start, end = _hours(str(value["hours"]))
            return {"days": _days(str(value.get("days", "mon-fri"))), "start": start, "end": end}
        return value

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if not self.days or self.start >= self.end:
            raise ValueError("a window needs a day and an hour that ends after it starts")
        return self

    @model_serializer
    def _to_words(self) -> dict[str, str]:
        end = "24:00" if self.end == time.max else self.end.isoformat("minutes")
        return {
            "days": ", ".join(DAYS[day] for day in self.days),
            "hours": f"{self.start.isoformat('minutes')}-{end}",
        }


OFFICE = Window.model_validate({"days": "mon-fri", "hours": "08:00-16:00"})
