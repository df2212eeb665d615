"""Templates into what a person reads: sandboxed, strict, and small (L6).

A template is data from a file that somebody uploaded. It may print known names, ask `if`, and use
five filters (`rules.wording.problems`); anything else is refused here again, whatever was
published. Values are plain strings and are never rendered a second time: `{{ 7*7 }}` in a
prospect's name arrives as it stands.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from jinja2 import StrictUndefined, Template
from jinja2.exceptions import TemplateError
from jinja2.runtime import Context
from jinja2.sandbox import ImmutableSandboxedEnvironment

from orchestrator.rules import wording as rules
from orchestrator.rules.letter import html_of_text
from orchestrator.rules.mail.html import as_text
from orchestrator.rules.program import Wording

MAX_BYTES = 256 * 1024
_UNTIDY = ("\r", " \n", "\t\n", "\n\n\n")


class MissingValues(Exception):
    """Homework is missing: every variable of the message that is unknown or blank."""

    def __init__(self, names: Iterable[str]) -> None:
        self.names: tuple[str, ...] = tuple(sorted(set(names)))
        super().__init__("missing: " + ", ".join(self.names))


class CannotRender(Exception):
    """The template says what no template may, or what it makes is too large."""


@dataclass(frozen=True, slots=True)
class Rendered:
    """A message before the footer. `subject` "" when the wording has none."""

    subject: str
    text: str
    html: str


class _Environment(ImmutableSandboxedEnvironment):
    """A dot reaches the values of a mapping and nothing else: no attribute and no method of any
    object, so that a fact called `items` is the fact."""

    def getattr(self, obj: Any, attribute: str) -> Any:
        if isinstance(obj, dict) and attribute in obj:
            return obj[attribute]
        return self.undefined(obj=obj, name=attribute)


def _environment(*, autoescape: bool) -> ImmutableSandboxedEnvironment:
    made = _Environment(
        undefined=StrictUndefined, autoescape=autoescape, keep_trailing_newline=True, cache_size=0
    )
    made.globals.clear()  # no range, no cycler, nothing to call
    made.filters = {name: made.filters[name] for name in sorted(rules.FILTERS)}
    made.tests = {}
    return made


_TEXT = _environment(autoescape=False)
_HTML = _environment(autoescape=True)
# What a rendering looks names up in. No template here defines or exports anything, so that all of
# one person's in one environment may share it.
_TEXT_CONTEXT = _TEXT.from_string("").new_context
_HTML_CONTEXT = _HTML.from_string("").new_context


@dataclass(frozen=True, slots=True)
class _Compiled:
    template: Template
    required: frozenset[str]
    optional: frozenset[str]  # asked for by `{% if %}` and used under its roof only


@lru_cache(maxsize=4096)
def _compile(source: str, html: bool) -> _Compiled:
    """Compiled once a source: compiling costs 5 ms, rendering 30 us. Raises CannotRender."""
    problems = rules.problems(source)
    if problems:
        raise CannotRender(problems[0])
    environment = _HTML if html else _TEXT
    required = rules.required(source)
    return _Compiled(environment.from_string(source), required, rules.variables(source) - required)


@dataclass(frozen=True, slots=True)
class _Name:
    """A dotted name, taken apart once."""

    dotted: str
    path: tuple[str, ...]

    @classmethod
    def of(cls, dotted: str) -> "_Name":
        return cls(dotted, tuple(dotted.split(".")))

    def found(self, context: Mapping[str, Any]) -> str | None:
        """Its value in `context`; None when it is unknown or blank."""
        value: Any = context
        for part in self.path:
            if type(value) is not dict and not isinstance(value, Mapping):
                return None
            if part not in value:
                return None
            value = value[part]
        if not isinstance(value, str) or not value.strip():
            return None
        return value if type(value) is str else str(value)  # what marks itself as safe is not


class Letter:
    """A wording, compiled: made once for each, by `letter`, and good for every person."""

    __slots__ = ("_html", "_needed", "_optional", "_subject", "_text", "facts")

    def __init__(
        self, subject: str | None, text: str, html: str | None, needs: tuple[str, ...]
    ) -> None:
        self._subject = _compile(subject, False) if subject else None
        self._text = _compile(text, False) if text else None
        self._html = _compile(html, True) if html else None
        parts = [part for part in (self._subject, self._text, self._html) if part is not None]
        needed = frozenset(needs).union(*(part.required for part in parts))
        optional = frozenset[str]().union(*(part.optional for part in parts)) - needed
        self._needed = tuple(map(_Name.of, sorted(needed)))
        self._optional = tuple(map(_Name.of, sorted(optional)))
        # Of the facts that are known of a person, those that this one asks for.
        self.facts = frozenset(
            name.removeprefix("fact.") for name in needed | optional if name.startswith("fact.")
        )

    def missing(self, context: Mapping[str, Any]) -> tuple[str, ...]:
        """The names that it needs and `context` lacks, in the order of the alphabet."""
        return tuple(name.dotted for name in self._needed if name.found(context) is None)

    def render(self, context: Mapping[str, Any]) -> Rendered:
        """Subject, text and HTML for one person. Raises MissingValues and CannotRender."""
        values = self._values(context)
        plain = _TEXT_CONTEXT(values)  # of both: it is half of what rendering a subject costs
        subject = _render(self._subject, plain)
        text = _render(self._text, plain)
        html = _render(self._html, _HTML_CONTEXT(values)) if self._html is not None else ""
        if not text or text.isspace():
            text = as_text(html) if html.strip() else ""
        text = _tidy(text)
        if not text or text.isspace():
            raise CannotRender("the message says nothing")
        html = html_of_text(text) if not html or html.isspace() else html
        return Rendered(" ".join(subject.split()), text, html)

    def _values(self, context: Mapping[str, Any]) -> dict[str, Any]:
        """What the templates are given: the strings that they name, and nothing else at all."""
        values: dict[str, Any] = {}
        missing = []
        for name in self._needed:
            value = name.found(context)
            if value is None:
                missing.append(name.dotted)
            else:
                _set(values, name.path, value)
        if missing:
            raise MissingValues(missing)
        for name in self._optional:
            _set(values, name.path, name.found(context) or "")
        return values


@lru_cache(maxsize=1024)
def _letter(subject: str | None, text: str, html: str | None, needs: tuple[str, ...]) -> Letter:
    return Letter(subject, text, html, needs)


def letter(wording: Wording, needs: Iterable[str] = ()) -> Letter:
    """`wording`, compiled, and with the names that `needs` asks for besides. Kept by content, so
    that it is never another one's. Raises CannotRender."""
    return _letter(wording.subject, wording.text, wording.html, tuple(needs))


def missing_values(
    wording: Wording, context: Mapping[str, Any], needs: Iterable[str] = ()
) -> tuple[str, ...]:
    """The names that `wording` and `needs` ask for and `context` lacks. Raises CannotRender."""
    return letter(wording, needs).missing(context)


def render_wording(
    wording: Wording, context: Mapping[str, Any], needs: Iterable[str] = ()
) -> Rendered:
    """Subject, text and HTML of one message.

    The text is made from the HTML when there is none, and the other way round. Raises
    MissingValues naming all that is missing at once, and CannotRender.
    """
    return letter(wording, needs).render(context)


def _render(compiled: _Compiled | None, context: Context) -> str:
    if compiled is None:
        return ""
    try:
        made = "".join(compiled.template.root_render_func(context))
    except TemplateError as error:
        raise CannotRender(str(error)) from error
    # A character has at most four bytes: most messages need not be encoded to be measured.
    if len(made) > MAX_BYTES // 4 and len(made.encode("utf-8", "replace")) > MAX_BYTES:
        raise CannotRender("the message is larger than 256 KiB")
    return made


def _set(values: dict[str, Any], path: tuple[str, ...], value: str) -> None:
    for part in path[:-1]:
        values = values.setdefault(part, {})
    values[path[-1]] = value


def _tidy(text: str) -> str:
    """No spaces at line ends, at most one empty line in a row, none at either end."""
    if not any(map(text.__contains__, _UNTIDY)):  # as most write: 1 us where the lines take 5
        return text.lstrip("\n").rstrip("\n \t")
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    lines = [line.rstrip(" \t") for line in text.split("\n")]
    kept = [line for at, line in enumerate(lines) if line or (at and lines[at - 1])]
    return "\n".join(kept).strip("\n")
