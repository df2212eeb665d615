"""The small words of a sequence file and what they mean: durations, languages, days, names.

Each check raises ValueError with what to write instead.
"""

import re
from typing import Annotated

from babel import Locale, UnknownLocaleError
from pydantic import AfterValidator, Field, ValidationError, WithJsonSchema

from orchestrator.rules.program import END, Duration
from orchestrator.rules.window import Window

_DURATION = re.compile(r"(\d{1,6}) +(minute|hour|day|business day)s?")
_LIMIT = {"minutes": 525_600, "hours": 8_760, "days": 365, "business_days": 250}
_DURATION_PATTERN = r"^[0-9]{1,6} +(minute|hour|day|business day)s?$"


def duration(text: str) -> Duration:
    """`3 business days` as a value. Raises ValueError with what to write."""
    match = _DURATION.fullmatch(text.strip())
    if match is None:
        raise ValueError(
            f"`{text}` is no duration: write `3 business days`, `2 days`, `4 hours` or `90 minutes`"
        )
    amount, unit = int(match[1]), match[2].replace(" ", "_") + "s"
    if amount == 0:
        raise ValueError("a wait of nothing is no wait: give it a length, or leave the step out")
    if amount > _LIMIT[unit]:
        raise ValueError(f"`{text}` is more than a year: shorten it")
    return Duration.model_validate({"amount": amount, "unit": unit})


def minutes(text: str) -> int:
    """`20 minutes` or `1 hour` as minutes. Raises ValueError."""
    match = re.fullmatch(r"(\d{1,4}) +(minute|hour)s?", text.strip())
    if match is None:
        raise ValueError(f"`{text}` is no length of a call: write `20 minutes`")
    length = int(match[1]) * (60 if match[2] == "hour" else 1)
    if not 5 <= length <= 480:
        raise ValueError(f"a call takes 5 to 480 minutes, not {length}")
    return length


def _checked_duration(text: str) -> str:
    duration(text)
    return text


def _checked_length(text: str) -> str:
    minutes(text)
    return text


def checked_days(text: str) -> str:
    """`mon-fri`, when these are days."""
    return _checked_window(text, days=text, hours="00:00-24:00")


def checked_hours(text: str) -> str:
    """`08:00-16:00`, when these are hours of one day."""
    return _checked_window(text, days="mon-sun", hours=text)


def _checked_window(text: str, **parts: str) -> str:
    try:
        Window.model_validate(parts)
    except ValidationError as error:
        raise ValueError(error.errors()[0]["msg"].removeprefix("Value error, ")) from None
    return text


def checked_language(code: str) -> str:
    """`code` when it is a language that people write. Raises ValueError."""
    if code == "no":
        raise ValueError("`no` is two written languages: write nb (bokmål) or nn (nynorsk)")
    try:
        if not re.fullmatch(r"[a-z]{2,3}(-[A-Z]{2})?", code):
            raise ValueError(code)
        Locale.parse(code, sep="-")
    except (UnknownLocaleError, ValueError):
        raise ValueError(f"`{code}` is no language code: write nb, sv, da, en, de ...") from None
    return code


def _checked_country(code: str) -> str:
    if not re.fullmatch(r"[A-Z]{2}", code) or code not in Locale("en").territories:
        raise ValueError(f"`{code}` is no country code: write two capitals, such as NO or DE")
    return code


def _checked_sign_off(text: str) -> str:
    text = " ".join(text.split())
    if not re.fullmatch(r"signed off by \S.{0,99}", text):
        raise ValueError(f"`{text}` signs nothing off: write `signed off by NAME`")
    return text


def _checked_id(name: str) -> str:
    if name == END:
        raise ValueError("`end` is the way out of a sequence and cannot be the id of a step")
    if not re.fullmatch(r"[a-z0-9][a-z0-9-]{0,62}", name):
        raise ValueError(
            f"`{name}` is no name: use small letters, digits and hyphens (first-touch)"
        )
    return name


NameText = Annotated[
    str,
    AfterValidator(_checked_id),
    WithJsonSchema({"type": "string", "pattern": "^[a-z0-9][a-z0-9-]{0,62}$"}),
]
Edge = Annotated[str, Field(min_length=1, description="the id of a step, or `end`")]
DurationText = Annotated[
    str,
    AfterValidator(_checked_duration),
    WithJsonSchema(
        {
            "type": "string",
            "pattern": _DURATION_PATTERN,
            "examples": ["3 business days", "2 days", "4 hours", "90 minutes"],
        }
    ),
]
LengthText = Annotated[
    str,
    AfterValidator(_checked_length),
    WithJsonSchema(
        {
            "type": "string",
            "pattern": "^[0-9]{1,4} +(minute|hour)s?$",
            "examples": ["20 minutes"],
        }
    ),
]
Language = Annotated[
    str,
    AfterValidator(checked_language),
    WithJsonSchema({"type": "string", "pattern": "^[a-z]{2,3}(-[A-Z]{2})?$"}),
]
Country = Annotated[
    str,
    AfterValidator(_checked_country),
    WithJsonSchema({"type": "string", "pattern": "^[A-Z]{2}$"}),
]
SignOff = Annotated[
    str,
    AfterValidator(_checked_sign_off),
    WithJsonSchema(
        {
            "type": "string",
            "pattern": r"^\s*signed\s+off\s+by\s+\S",
            "examples": ["signed off by Ingrid, head of sales"],
        }
    ),
]
Channels = Annotated[list[str], Field(min_length=1)]
