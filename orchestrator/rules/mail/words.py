"""How mail systems speak: the patterns of `rules/data/mail_systems.toml`, compiled once."""

import re
import tomllib
from functools import lru_cache
from importlib.resources import files


@lru_cache(maxsize=1)
def _lists() -> dict[str, list[str]]:
    source = files("orchestrator.rules").joinpath("data/mail_systems.toml").read_text("utf-8")
    return tomllib.loads(source)


@lru_cache(maxsize=64)
def words(name: str) -> re.Pattern[str]:
    """The patterns of one list as one, without regard to case."""
    return re.compile("|".join(f"(?:{one})" for one in _lists()[name]), re.IGNORECASE)


@lru_cache(maxsize=8)
def beginning(name: str) -> re.Pattern[str]:
    """The same at the start of a text, behind whatever is no letter."""
    return re.compile(rf"\W{{0,40}}(?:{words(name).pattern})", re.IGNORECASE)
