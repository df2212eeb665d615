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

from jinja2 import StrictUndefined, Template, nodes
from jinja2.exceptions import TemplateError
from jinja2.sandbox import ImmutableSandboxedEnvironment

from orchestrator.rules import wording as rules
from orchestrator.rules.letter import html_of_text
from orchestrator.rules.mail.html import as_text
from orchestrator.rules.program import Wording

MAX_BYTES = 256 * 1024


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
    required = frozenset(_required(environment.parse(source), frozenset()))
    return _Compiled(environment.from_string(source), required, rules.variables(source) - required)


def _required(node: nodes.Node, guarded: frozenset[str]) -> Iterable[str]:
    """The names that must be known. `{% if fact.x %}` makes `fact.x` optional in its own arm: there
    the author has said in so many words what happens without it."""
    if isinstance(node, nodes.If):
        for arm in (node, *node.elif_):
            asked = _asked(arm.test)
            yield from (() if asked else _required(arm.test, guarded))
            for child in arm.body:
                yield from _required(child, guarded | asked)
        for child in node.else_:
            yield from _required(child, guarded)
        return
    name = _dotted(node)
    if name is not None:
        if name not in guarded:
            yield name
        return
    for child in node.iter_child_nodes():
        yield from _required(child, guarded)


def _asked(test: nodes.Node) -> frozenset[str]:
    """The names whose presence `test` asks for: `x`, `x and y`; empty for any other test."""
    if isinstance(test, nodes.And):
        left, right = _asked(test.left), _asked(test.right)
        return left | right if left and right else frozenset()
    name = _dotted(test)
    return frozenset() if name is None else frozenset({name})


def _dotted(node: nodes.Node) -> str | None:
    if isinstance(node, nodes.Name):
        return node.name
    if isinstance(node, nodes.Getattr):
        before = _dotted(node.node)
        return before and f"{before}.{node.attr}"
    return None


def missing_values(
    wording: Wording, context: Mapping[str, Any], needs: Iterable[str] = ()
) -> tuple[str, ...]:
    """The names that `wording` and `needs` ask for and `context` lacks. Raises CannotRender."""
    names = set(needs)
    for compiled in _parts(wording):
        names |= compiled.required
    return tuple(sorted(name for name in names if not _value(context, name)))


def render_wording(
    wording: Wording, context: Mapping[str, Any], needs: Iterable[str] = ()
) -> Rendered:
    """Subject, text and HTML of one message.

    The text is made from the HTML when there is none, and the other way round. Raises
    MissingValues naming all that is missing at once, and CannotRender.
    """
    missing = missing_values(wording, context, needs)
    if missing:
        raise MissingValues(missing)
    subject = _render(wording.subject, context, html=False)
    html = _render(wording.html, context, html=True)
    text = _render(wording.text, context, html=False)
    if not text.strip():
        text = as_text(html) if html.strip() else ""
    text = _tidy(text)
    if not text.strip():
        raise CannotRender("the message says nothing")
    return Rendered(" ".join(subject.split()), text, html if html.strip() else html_of_text(text))


def _parts(wording: Wording) -> list[_Compiled]:
    parts = ((wording.subject, False), (wording.text, False), (wording.html, True))
    return [_compile(source, html) for source, html in parts if source]


def _value(context: Mapping[str, Any], name: str) -> str:
    """The value of a dotted name, "" when unknown or blank."""
    value: Any = context
    for part in name.split("."):
        if not isinstance(value, Mapping) or part not in value:
            return ""
        value = value[part]
    return value.strip() if isinstance(value, str) else ""


def _render(source: str | None, context: Mapping[str, Any], *, html: bool) -> str:
    if not source:
        return ""
    compiled = _compile(source, html)
    values = _plain(context)
    for name in compiled.optional:
        if not _value(context, name):
            _set_blank(values, name)
    try:
        made = compiled.template.render(values)
    except TemplateError as error:
        raise CannotRender(str(error)) from error
    if len(made.encode("utf-8", "replace")) > MAX_BYTES:
        raise CannotRender("the message is larger than 256 KiB")
    return made


def _plain(context: Mapping[str, Any]) -> dict[str, Any]:
    """Strings and mappings of strings, one level deep; anything else does not reach a template."""
    made: dict[str, Any] = {}
    for name, value in context.items():
        if isinstance(value, Mapping):
            made[name] = {key: str(one) for key, one in value.items() if isinstance(one, str)}
        elif isinstance(value, str):
            made[name] = str(value)
    return made


def _set_blank(values: dict[str, Any], name: str) -> None:
    *path, last = name.split(".")
    for part in path:
        values = values.setdefault(part, {})
    values[last] = ""


def _tidy(text: str) -> str:
    """No spaces at line ends, at most one empty line in a row, none at either end."""
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    lines = [line.rstrip(" \t") for line in text.split("\n")]
    kept = [line for at, line in enumerate(lines) if line or (at and lines[at - 1])]
    return "\n".join(kept).strip("\n")
