"""The words of the pages, one TOML file a language, and which of them a prospect reads."""

import tomllib
from functools import lru_cache
from pathlib import Path

import orchestrator

FOLDER = Path(orchestrator.__file__).parents[1] / "templates" / "pages"
LANGUAGES = ("nb", "sv", "da", "en", "de")
FALLBACK = "en"
_ALIKE = {"no": "nb", "nn": "nb"}  # one who reads these reads that


class Words:
    """The words of one language: `words("later.month")`, with values for its {placeholders}."""

    def __init__(self, language: str, sections: dict[str, dict[str, str]]) -> None:
        self.language = language
        self.texts = {
            f"{section}.{name}": text
            for section, texts in sections.items()
            for name, text in texts.items()
        }

    def __call__(self, key: str, **values: object) -> str:
        """The text of `key` as plain text; the template escapes it. Raises KeyError."""
        return self.texts[key].format(**values)


@lru_cache(maxsize=len(LANGUAGES))
def words_in(language: str) -> Words:
    """The words of `language`, one of LANGUAGES."""
    with (FOLDER / "words" / f"{language}.toml").open("rb") as file:
        return Words(language, tomllib.load(file))


def choose_language(prospect: str | None, accept: str | None = None) -> str:
    """The prospect's own language, else the first we have of Accept-Language (RFC 9110, 12.5.4),
    else English."""
    wanted = [prospect or "", *_accepted((accept or "")[:400])]
    return next((known for tag in wanted if (known := _known(tag))), FALLBACK)


def _known(tag: str) -> str | None:
    code = tag.replace("_", "-").split("-")[0].strip().lower()
    code = _ALIKE.get(code, code)
    return code if code in LANGUAGES else None


def _accepted(header: str) -> list[str]:
    """Language tags by falling weight; what cannot be read or has no weight is left out."""
    weighted = []
    for part in header.split(","):
        tag, _, parameter = part.partition(";")
        name, _, number = parameter.strip().partition("=")
        try:
            weight = float(number) if name.strip() == "q" else 1.0
        except ValueError:
            continue
        if 0 < weight <= 1:
            weighted.append((weight, tag))
    return [tag for _, tag in sorted(weighted, key=lambda pair: -pair[0])]
