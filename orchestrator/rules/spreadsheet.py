"""Cells that a spreadsheet shows as text and never runs as a formula."""

import unicodedata

_FORMULA = frozenset("=+-@\t\r\n")


def safe_cell(text: str) -> str:
    """`text`, with an apostrophe before it when a spreadsheet could take it for a formula.

    What decides is the first character that is neither space nor control, because spreadsheets
    skip those; full-width forms count, and so does a leading tab or line break.
    """
    if text[:1] in ("\t", "\r", "\n"):
        return "'" + text
    for character in text:
        if character.isspace() or unicodedata.category(character)[0] in "CZ":
            continue
        plain = unicodedata.normalize("NFKC", character)
        return "'" + text if plain[:1] in _FORMULA else text
    return text


def original_cell(text: str) -> str:
    """What `safe_cell` was given: undoes it for files of our own that come back."""
    return text[1:] if text[:1] == "'" and safe_cell(text[1:]) == text else text
