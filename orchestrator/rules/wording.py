"""What a template may say: the variables it uses, the constructs it may use, the language it is in.

Templates are Jinja2, cut down to output of known names, `{% if %}` and a few filters: a template
that can only say what it knows cannot loop, call or invent a default (L6).
"""

import difflib
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from jinja2 import TemplateSyntaxError, nodes
from jinja2.sandbox import SandboxedEnvironment

from orchestrator.rules.program import CallStep, Program, SendStep, Wording

FILTERS = frozenset({"upper", "lower", "capitalize", "title", "trim"})
VARIABLES = (
    "first_name", "last_name", "title", "language", "company.name", "company.domain",
    "sender.name", "sender.address", "organisation", "page_url",
)  # fmt: skip
_FACT = re.compile(r"fact\.[A-Za-z][A-Za-z0-9_]*")
_SPOKEN_ALIKE = {"no": ("nb", "nn"), "nb": ("no", "nn"), "nn": ("nb", "no")}

_PARSER = SandboxedEnvironment(keep_trailing_newline=True)
# What may stand in a template: everything else is a problem.
_PLAIN = (nodes.Template, nodes.Output, nodes.TemplateData, nodes.If, nodes.Const)
_LOGIC = (nodes.Not, nodes.And, nodes.Or, nodes.Compare, nodes.Operand)
_CALLED = {
    nodes.For: "a loop",
    nodes.Call: "a call",
    nodes.Assign: "`set`",
    nodes.AssignBlock: "`set`",
    nodes.Macro: "a macro",
    nodes.Include: "an include",
    nodes.Import: "an import",
    nodes.FromImport: "an import",
    nodes.Extends: "`extends`",
    nodes.Block: "a block",
    nodes.CondExpr: "an inline `if`",
    nodes.Test: "an `is` test",
    nodes.Getitem: "a lookup with [ ]",
}


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing wrong with a template. `line` counts from 1 inside the template; `near` is the text
    to look for on that line, empty when there is none."""

    line: int
    near: str
    message: str


def choose(
    wordings: Mapping[str, Wording], language: str | None, fallback: str
) -> tuple[str, Wording]:
    """The language that a prospect reads and its wording.

    Their own language first, then without its region (`nb-NO`: `nb`), then one that is written
    alike (`nn` reads `nb`), then `fallback`. Raises KeyError when even the fallback is missing,
    which the publisher refuses.
    """
    tried = [(language or fallback).replace("_", "-")]
    tried.append(tried[0].split("-")[0].lower())
    tried.extend(_SPOKEN_ALIKE.get(tried[1], ()))
    for candidate in tried:
        if candidate in wordings:
            return candidate, wordings[candidate]
    return fallback, wordings[fallback]


def uses(program: Program, name: str) -> bool:
    """Whether any message of `program` says `name`, a dotted name, in any language."""
    return any(
        name in variables(part)
        for step in program.steps
        if isinstance(step, SendStep | CallStep)
        for wording in step.wordings.values()
        for part in (wording.subject, wording.text, wording.html, wording.note)
        if part
    )


def variables(template_source: str) -> frozenset[str]:
    """The dotted names that a template uses, also those that only an `{% if %}` asks for.

    Raises jinja2.TemplateSyntaxError.
    """
    return frozenset(name for _, name in _names(_PARSER.parse(template_source)))


def variables_of(wording: Wording) -> frozenset[str]:
    """The names that subject, text and HTML use together."""
    parts = (wording.subject, wording.text, wording.html)
    return frozenset().union(*(variables(part) for part in parts if part))


def required(template_source: str) -> frozenset[str]:
    """The names that a template cannot be said without: `variables` but for those that it only says
    where it has asked for them. Raises jinja2.TemplateSyntaxError."""
    return frozenset(_required(_PARSER.parse(template_source), frozenset()))


def fixed_length(template_source: str) -> int:
    """Characters that a template says whatever the values are: its text without the variables, the
    shortest arm of each `{% if %}`. 0 for a template that cannot be read."""
    try:
        return _fixed(_PARSER.parse(template_source.strip()))
    except (TemplateSyntaxError, RecursionError):
        return 0


def problems(template_source: str) -> list[str]:
    """What is wrong with a template, one line each; empty when it may be sent."""
    return [problem.message for problem in find_problems(template_source)]


def find_problems(template_source: str) -> list[Problem]:
    """The same as `problems`, each with its place."""
    try:
        tree = _PARSER.parse(template_source)
    except TemplateSyntaxError as error:
        reason = (error.message or "it cannot be read").rstrip(".")
        return [Problem(error.lineno, "", f"template syntax: {reason}")]
    except RecursionError:
        return [Problem(1, "", "template syntax: nested too deeply")]
    return list(_problems(tree))


def unknown_variable(name: str) -> str | None:
    """Why no prospect could have `name`, with the likely name; None when one could."""
    if name in VARIABLES or _FACT.fullmatch(name):
        return None
    if name == "fact":
        return "`fact` alone says nothing: name the fact, such as `fact.pain`"
    inner = [known for known in VARIABLES if known.startswith(name + ".")]
    if inner:
        return f"`{name}` alone says nothing: write {' or '.join(f'`{one}`' for one in inner)}"
    last = name.rpartition(".")[2]
    if name.startswith(("facts.", "research.")) and last.isidentifier():
        return f"no prospect has `{name}`: did you mean `fact.{last}`?"
    by_end = [known for known in VARIABLES if known.replace(".", "_") == name.replace(".", "_")]
    close = by_end or difflib.get_close_matches(name, VARIABLES, n=1, cutoff=0.6)
    if close:
        return f"no prospect has `{name}`: did you mean `{close[0]}`?"
    could_be = _FACT.fullmatch(f"fact.{last}")
    hint = f", or `fact.{last}` when it is a fact of research" if could_be else ""
    return f"no prospect has `{name}`: use {', '.join(VARIABLES)}{hint}"


def _dotted(node: nodes.Node) -> str | None:
    """`a.b.c` of an attribute chain that starts at a name."""
    if isinstance(node, nodes.Name):
        return node.name
    if isinstance(node, nodes.Getattr):
        before = _dotted(node.node)
        return before and f"{before}.{node.attr}"
    return None


def _names(node: nodes.Node) -> Iterator[tuple[int, str]]:
    name = _dotted(node)
    if name is not None:
        yield node.lineno, name
        return
    for child in node.iter_child_nodes():
        yield from _names(child)


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


def _fixed(node: nodes.Node) -> int:
    if isinstance(node, nodes.TemplateData):
        return len(node.data)
    if isinstance(node, nodes.If):
        arms = (node.body, *(one.body for one in node.elif_), node.else_)
        return min(sum(map(_fixed, arm)) for arm in arms)
    return sum(map(_fixed, node.iter_child_nodes()))


def _problems(node: nodes.Node) -> Iterator[Problem]:
    """Every problem below `node`; what is inside of a refused construct is not told again."""
    name = _dotted(node)
    if name is not None:
        message = unknown_variable(name)
        if message:
            yield Problem(node.lineno, name, message)
        return
    if isinstance(node, nodes.Filter):
        message = _filter_problem(node)
        if message:
            yield Problem(node.lineno, node.name, message)
    elif not isinstance(node, (*_PLAIN, *_LOGIC)):
        what = _CALLED.get(type(node), f"`{type(node).__name__.lower()}`")
        yield Problem(
            node.lineno,
            "",
            f"{what} cannot stand in a message: only variables, `{{% if %}}` and the filters "
            f"{', '.join(sorted(FILTERS))}",
        )
        return
    for child in node.iter_child_nodes():
        yield from _problems(child)


def _filter_problem(node: nodes.Filter) -> str | None:
    if node.name in ("default", "d"):
        return (
            "the filter `default` would hide missing homework: guard the sentence with "
            "`{% if fact.x %}` instead"
        )
    if node.name not in FILTERS:
        close = difflib.get_close_matches(node.name, FILTERS, n=1)
        hint = f"did you mean `{close[0]}`?" if close else f"use {', '.join(sorted(FILTERS))}"
        return f"unknown filter `{node.name}`: {hint}"
    if node.args or node.kwargs or node.dyn_args or node.dyn_kwargs:
        return f"the filter `{node.name}` takes nothing in brackets"
    return None
