"""The header of a file of people: which column is which field."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from channels import registry

CHANNELS = registry.NAMES  # in the order in which a row finds its prospect

# Columns that the rejects file adds; a mended rejects file can be imported as it is.
LINE, REASONS = "avtale.line", "avtale.reasons"
IGNORE = "ignore"

_SYNONYMS: dict[str, str] = {
    **{name: f"{name} {entry.columns}" for name, entry in registry.CHANNELS.items()},
    "first_name": "first-name firstname given-name fornavn förnamn fornamn tilltalsnamn",
    "last_name": "last-name lastname surname family-name etternavn efternavn efternamn",
    "name": "name full-name fullname navn namn fullt-navn hele-navnet fullständigt-namn",
    "title": "title job-title role position tittel stilling rolle titel befattning roll",
    "language": "language lang språk sprak målform",
    "country": "country land country-code landkode landskod",
    "zone": "zone timezone time-zone tz tidssone tidszon tidzon",
    "phone": "phone telephone phone-number mobile mobile-phone cell telefon tlf mobil"
    " telefonnummer mobilnummer mobiltelefon",
    "company.name": "company company-name organisation organization employer account firma"
    " bedrift selskap arbeidsgiver firmanavn företag foretag bolag företagsnamn organisasjon",
    "company.domain": "company-domain domain website web-site company-website homepage domene"
    " hjemmeside nettside nettsted hemsida webbplats domän",
    "company.country": "company-country",
}  # fmt: skip
_BY_WORD = {word: name for name, words in _SYNONYMS.items() for word in words.split()}
FIELDS = frozenset(_SYNONYMS)
_FACT = re.compile(r"fact\.(?P<name>.+?)(?P<part>\.source|\.on)?", re.IGNORECASE | re.DOTALL)
_FACT_NAME = re.compile(r"[a-z][a-z0-9_]{0,62}", re.ASCII)
DELIMITERS = ",;\t|"


class BadHeader(ValueError):
    """The file as a whole cannot be read; the message says what to do."""


@dataclass(frozen=True, slots=True)
class Columns:
    """The header as it is written and, per column, its field (None: ignored)."""

    header: tuple[str, ...]
    fields: tuple[str | None, ...]

    @property
    def mended(self) -> bool:
        """Whether this is a rejects file of our own, come back."""
        return LINE in self.header

    def of(self, name: str) -> str:
        """The header of the column that became `name`."""
        return self.header[self.fields.index(name)] if name in self.fields else name


def field_of(column: str) -> str | None:
    """The field that a column's name or synonym means, None when it is none of ours.

    Raises BadHeader for a fact whose name no template could use.
    """
    word = column.strip()
    found = _FACT.fullmatch(word)
    if found:
        return f"fact.{fact_name(found['name'])}{(found['part'] or '').lower()}"
    if word.casefold().startswith("attributes."):
        return word
    if word in (LINE, REASONS):
        return IGNORE
    if word.casefold() in FIELDS:
        return word.casefold()
    return _BY_WORD.get(re.sub(r"[\s_./]+", "-", word.casefold()))


def fact_name(text: str) -> str:
    """`Recent news` -> `recent_news`: what templates call it. Raises BadHeader."""
    name = re.sub(r"[^a-z0-9_]+", "_", text.strip().casefold()).strip("_")
    # `fact.items` in a template would find the method of a dict instead of the fact.
    if not _FACT_NAME.fullmatch(name) or hasattr(dict, name):
        raise BadHeader(f"`fact.{text}` is no name that a template can use: rename that column")
    return name


def match(header: Sequence[str], overrides: Mapping[str, str]) -> Columns:
    """The columns of `header`. `overrides` is "their column" -> field, or `ignore`.

    A column that is none of ours is kept as attributes.<its name>. Raises BadHeader.
    """
    header = [cell.strip() for cell in header]
    wanted = {theirs.strip().casefold(): name.strip() for theirs, name in overrides.items()}
    unknown = set(wanted) - {cell.casefold() for cell in header}
    if unknown:
        raise BadHeader(
            f"--map names {_list(unknown)}, but the file has the columns {_list(header)}."
        )
    fields = tuple(_field(cell, wanted) for cell in header)
    _refuse_doubles(header, fields)
    if not any(channel in fields for channel in CHANNELS):
        raise BadHeader(
            f"No column is an address: the file has {_list(header)}. Name one `email`, or say"
            ' which it is: --map "Their column=email".'
        )
    return Columns(tuple(header), fields)


def _field(cell: str, wanted: Mapping[str, str]) -> str | None:
    asked = wanted.get(cell.casefold())
    if asked is None:
        found = (field_of(cell) or f"attributes.{cell}") if cell else None
        return None if found == IGNORE else found
    if asked in (IGNORE, "-", ""):
        return None
    found = field_of(asked)
    if found is None:
        raise BadHeader(
            f"--map: there is no field `{asked}`. Fields are {_list(sorted(FIELDS))},"
            " fact.<name>, fact.<name>.source, fact.<name>.on, attributes.<name> and ignore."
        )
    return found


def _refuse_doubles(header: Sequence[str], fields: Sequence[str | None]) -> None:
    seen: dict[str, str] = {}
    for cell, name in zip(header, fields, strict=True):
        if name is None:
            continue
        if name in seen:
            raise BadHeader(
                f"The columns `{seen[name]}` and `{cell}` would both be {name}:"
                f' say --map "{cell}=ignore" or another field.'
            )
        seen[name] = cell


def _list(names: Iterable[str]) -> str:
    return ", ".join(f"`{name}`" for name in names) or "none"


def sniff(line: str) -> str:
    """The delimiter of a header line: the one that gives the most columns that we know, then the
    most columns."""

    def worth(delimiter: str) -> tuple[int, int]:
        cells = [cell.strip().strip('"') for cell in line.strip("\r\n").split(delimiter)]
        return sum(_known(cell) for cell in cells), len(cells)

    return max(DELIMITERS, key=worth)


def _known(cell: str) -> bool:
    try:
        return field_of(cell) is not None
    except BadHeader:
        return False
