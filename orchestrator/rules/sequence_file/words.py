"""Texts of a step: inline or by template, in each language, with every variable known."""

from orchestrator.rules.program import Wording
from orchestrator.rules.sequence_file.desk import Desk, did_you_mean
from orchestrator.rules.sequence_file.schema import CallPart, NotedPart, SendPart, WordsPart
from orchestrator.rules.sequence_file.values import Path
from orchestrator.rules.wording import find_problems, fixed_length, variables_of

OFFER = "offer"  # the template of a call step that brings no words of its own
# Characters that any network lets the note of an invitation have; most accounts have 200.
NOTE_MOST = 300


def wordings(
    desk: Desk, part: SendPart | CallPart, path: Path, language: str | None
) -> dict[str, Wording]:
    """The wordings of a step by language. `language` None: the file does not say which it is in."""
    told = len(desk.faults)
    found = _own(desk, part, path, language)
    for code, sibling in part.languages.items():
        here = (*path, "languages", code)
        if code == language and code in found and _says(part):
            desk.key(here, f"`{code}` is the language of the sequence: its text stands above")
        wording = _one(desk, sibling, here, code)
        if wording:
            found[code] = wording
    unsaid = len(desk.faults) == told and (_says(part) or bool(part.languages))
    if language and language not in found and unsaid:
        named = part.template is not None and "/" in part.template
        hint = f": `{part.template}` names another language" if named else ""
        desk.key(path, f"there is no text in `{language}`, the language of the sequence{hint}")
    if isinstance(part, CallPart) and len(desk.faults) == told:
        for code in (one for one in found if "page_url" not in variables_of(found[one])):
            desk.key(
                path, f"the offer in `{code}` lacks `{{{{ page_url }}}}`: where to pick a time"
            )
    return found


def needs_subject(desk: Desk, part: SendPart, path: Path, found: dict[str, Wording]) -> list[Path]:
    """Where a subject is missing, when the message has to have one."""
    missing: list[Path] = []
    for code, wording in found.items():
        if wording.subject is None:
            sibling = (*path, "languages", code)
            missing.append(sibling if code in part.languages else path)
    return list(dict.fromkeys(missing))


def _says(part: WordsPart) -> bool:
    return any(value is not None for value in (part.text, part.html, part.template))


def _own(
    desk: Desk, part: SendPart | CallPart, path: Path, language: str | None
) -> dict[str, Wording]:
    """What stands directly in the step, or every variant of the template that it names."""
    if not _says(part):
        if isinstance(part, CallPart):
            return _default_offer(desk, part, path, language)
        if not part.languages:
            desk.key(path, "a message needs `text`, `html` or `template`")
        return {}
    if part.template is None or part.text is not None or part.html is not None:
        wording = _one(desk, part, path, language or "")
        return {language: wording} if wording and language else {}
    variants = _template(desk, part.template, (*path, "template"))
    if language in variants:
        variants[language] = _beside(desk, part, path, variants[language])
    return variants


def _default_offer(
    desk: Desk, part: CallPart, path: Path, language: str | None
) -> dict[str, Wording]:
    variants = desk.library.variants(OFFER)
    if language and language not in variants and not part.languages:
        desk.key(path, f"there is no ready offer of a call in `{language}`: write `text`")
    if language in variants:
        variants[language] = _beside(desk, part, path, variants[language])
    return variants


def _beside(desk: Desk, part: WordsPart, path: Path, wording: Wording) -> Wording:
    """`wording` of a template, with the subject and the note that stand beside its name."""
    note = part.note if isinstance(part, NotedPart) else None
    own = {"subject": part.subject, "note": note}
    for name, source in own.items():
        if source is not None:
            _check(desk, source, (*path, name))
    return wording.model_copy(update={name: one.strip() for name, one in own.items() if one})


def _one(desk: Desk, part: WordsPart, path: Path, code: str) -> Wording | None:
    """One language's wording, None when it has a fault."""
    if part.template is not None and (part.text is not None or part.html is not None):
        desk.key((*path, "template"), "write a template or a text here, not both")
        return None
    if part.template is not None:
        return _template_in(desk, part, path, code)
    if part.text is None and part.html is None:
        desk.key(path, "this needs `text`, `html` or `template`")
        return None
    for name, source in (("text", part.text), ("html", part.html)):
        if source is not None:
            _check(desk, source, (*path, name))
    return _beside(desk, part, path, Wording(text=part.text or "", html=part.html))


def _template_in(desk: Desk, part: WordsPart, path: Path, code: str) -> Wording | None:
    name = part.template or ""
    if "/" in name and not name.startswith(code + "/"):
        message = f"`{name}` is not in `{code}`: write `{code}/{name.partition('/')[2]}`"
        desk.value((*path, "template"), message)
        return None
    bare = name.removeprefix(code + "/")
    wording = _template(desk, f"{code}/{bare}", (*path, "template")).get(code)
    return _beside(desk, part, path, wording) if wording else None


def _template(desk: Desk, name: str, path: Path) -> dict[str, Wording]:
    """The variants of `name` or `language/name`; the faults of a template are told here."""
    code, slash, bare = name.partition("/")
    found = desk.library.variants(bare if slash else name)
    if slash:
        found = {code: found[code]} if code in found else {}
    if not found:
        known = did_you_mean(name, desk.library.names())
        desk.value(path, f"there is no template `{name}`{known}")
    for language, wording in found.items():
        where = f"template `{language}/{bare if slash else name}`"
        for source in (wording.subject, wording.text, wording.html):
            for problem in find_problems(source or ""):
                desk.value(path, f"{where}, line {problem.line}: {problem.message}")
        for problem in find_problems(wording.note or ""):
            desk.value(path, f"{where}, line {problem.line} of its note: {problem.message}")
        if wording.note is not None and (fault := _too_long(wording.note)):
            desk.value(path, f"{where}: {fault}")
    return found


def _check(desk: Desk, source: str, path: Path) -> None:
    """Tell what is wrong with a text that stands in the file."""
    if not source.strip():
        desk.key(path, f"`{path[-1]}` is empty")
    if path[-1] == "subject" and "\n" in source.strip():
        desk.value(path, "a subject is one line")
    if path[-1] == "note" and (fault := _too_long(source)):
        desk.value(path, fault)
    for problem in find_problems(source):
        desk.inside(path, problem.line, problem.near, problem.message)


def _too_long(note: str) -> str | None:
    """What to do about a note that fits into no invitation, whatever its variables become."""
    length = fixed_length(note)
    if length <= NOTE_MOST:
        return None
    return (
        f"the note has {length} characters before any variable is filled in, and no invitation "
        f"takes more than {NOTE_MOST} (most accounts 200): say it shorter"
    )
