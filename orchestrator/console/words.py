"""The words of the console, one TOML file a language, and which of them somebody reads."""

import tomllib
from functools import lru_cache
from pathlib import Path

import orchestrator
from orchestrator.pages.words import Words, choose_language
from orchestrator.rules.accounts import LANGUAGES

FOLDER = Path(orchestrator.__file__).parents[1] / "templates" / "console"
_NORDIC = {"sv": "nb", "da": "nb"}  # who reads these reads Norwegian rather than English


@lru_cache(maxsize=len(LANGUAGES))
def words_in(language: str) -> Words:
    """The words of `language`, one of LANGUAGES."""
    with (FOLDER / "words" / f"{language}.toml").open("rb") as file:
        return Words(language, tomllib.load(file))


def words_for(chosen: str | None, accept: str | None) -> Words:
    """What the user chose, else the first language of the browser's that we have, else English."""
    if chosen in LANGUAGES:
        return words_in(str(chosen))
    asked = choose_language(None, accept)
    asked = _NORDIC.get(asked, asked)
    return words_in(asked if asked in LANGUAGES else "en")
