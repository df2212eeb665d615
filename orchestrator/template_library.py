"""Templates from folders: the ones that come with Avtale, and an operator's own over them.

`<folder>/<language>/<name>.md` is a text. A first line `Subject: ...` and a blank line before the
text are optional; `<name>.html` beside it is its HTML, `<name>.note` what an invitation says.
"""

from collections.abc import Mapping
from pathlib import Path

from orchestrator.errors import BadInput
from orchestrator.rules.program import Wording
from orchestrator.rules.sequence_file import TemplateLibrary
from orchestrator.rules.sequence_file.terms import checked_language

SHIPPED = Path(__file__).resolve().parent.parent / "templates"
MAX_BYTES = 131_072


def load_library(folder: Path | None = None) -> TemplateLibrary:
    """The shipped templates, overridden by those of `folder`.

    Raises BadInput for a file that cannot be a template, with its name and what to do.
    """
    wordings = dict(_read_folder(SHIPPED / "messages"))
    if folder is not None:
        if not folder.is_dir():
            raise BadInput(f"{folder} is no folder: templates stand in FOLDER/nb/NAME.md")
        wordings |= _read_folder(folder)
    return TemplateLibrary(wordings)


def read_wording(source: str, html: str | None = None, note: str | None = None) -> Wording:
    """The text of a template file as a wording."""
    wording = _said(source)
    note = note.removeprefix("\ufeff").strip() if note is not None else None
    return wording.model_copy(update={"html": html, "note": note or None})


def _said(source: str) -> Wording:
    source = source.removeprefix("\ufeff").replace("\r\n", "\n")
    first, _, rest = source.partition("\n")
    if first.lower().startswith("subject:"):
        return Wording(subject=first[8:].strip() or None, text=rest.strip("\n") + "\n")
    return Wording(text=source.strip("\n") + "\n")


def _read_folder(folder: Path) -> Mapping[tuple[str, str], Wording]:
    found: dict[tuple[str, str], Wording] = {}
    for path in sorted(folder.glob("*/*.md")):
        try:
            language = checked_language(path.parent.name)
        except ValueError as error:
            raise BadInput(f"{path.parent}: {error}") from None
        html, note = (
            _read(beside) if (beside := path.with_suffix(ending)).is_file() else None
            for ending in (".html", ".note")
        )
        found[(language, path.stem)] = read_wording(_read(path), html, note)
    return found


def _read(path: Path) -> str:
    try:
        if path.stat().st_size > MAX_BYTES:
            raise BadInput(f"{path} is larger than a message could be ({MAX_BYTES // 1024} KiB)")
        return path.read_text("utf-8")
    except UnicodeDecodeError:
        raise BadInput(f"{path} is not UTF-8: save it as UTF-8") from None
    except OSError as error:
        raise BadInput(f"{path} cannot be read: {error.strerror}") from None
