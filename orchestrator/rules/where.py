"""The language of `--where`: which prospects are meant.

    country = NO and language in (nb, sv) and fact.pain exists and not tag = customer

A value that is missing is like no other: `title = CFO` is false without a title, and `title != CFO`
and `not title = CFO` are true. Comparing ignores case; `~` finds a part of the text.
"""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Literal

from orchestrator.rules import places
from orchestrator.rules.import_columns import CHANNELS

COLUMNS = ("first_name", "last_name", "title", "language", "country", "zone", "phone")
COMPANY = ("company.name", "company.domain", "company.country")
FLAGS = ("opted_out", "paused", "company")
FIELDS = (*COLUMNS, *COMPANY, *CHANNELS, "tag", "sequence", *FLAGS)
_READ: dict[str, Callable[[str], str]] = {
    "country": places.country,
    "company.country": places.country,
    "language": places.language,
    "zone": places.zone,
}
_DEPTH = 50  # of brackets and `not`
_LENGTH = 10_000  # characters
_TERMS = 500

_TOKEN = re.compile(
    r"""\s*(?:(?P<text>"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*')|(?P<sign>!=|<>|==|=|!~|~|\(|\)|,)"""
    r"""|(?P<word>[^\s"'()=~!<>,]+)|(?P<other>\S))""",
    re.DOTALL,
)


class BadWhere(ValueError):
    """The expression cannot be read; `column` counts from 1."""

    def __init__(self, message: str, column: int) -> None:
        super().__init__(f"column {column}: {message}")
        self.column = column


@dataclass(frozen=True, slots=True)
class Comparison:
    """One comparison. `field` is of FIELDS, or fact.<name>, or attributes.<name>."""

    field: str
    operator: Literal["is", "contains", "exists"]
    values: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Not:
    """What `inner` is not."""

    inner: "Node"


@dataclass(frozen=True, slots=True)
class Both:
    """All of `parts`."""

    parts: tuple["Node", ...]


@dataclass(frozen=True, slots=True)
class Either:
    """Any of `parts`."""

    parts: tuple["Node", ...]


Node = Comparison | Not | Both | Either


@dataclass(frozen=True, slots=True)
class _Token:
    kind: str  # text | sign | word | end
    value: str
    column: int

    def is_word(self, *words: str) -> bool:
        return self.kind == "word" and self.value.lower() in words


def parse(expression: str) -> Node:
    """Read an expression. Raises BadWhere, with the column of what it stumbled over."""
    if len(expression) > _LENGTH:
        raise BadWhere(f"is longer than {_LENGTH} characters", 1)
    reader = _Reader(list(_tokens(expression)))
    node = reader.either(0)
    rest = reader.peek()
    if rest.kind != "end":
        raise BadWhere(f"expected `and` or `or`, not `{rest.value}`", rest.column)
    return node


def _tokens(expression: str) -> Iterator[_Token]:
    end = len(expression.rstrip())
    at = 0
    while at < end:
        found = _TOKEN.match(expression, at)
        assert found is not None
        assert found.lastgroup is not None
        kind, value = found.lastgroup, found[found.lastgroup]
        column = found.start(found.lastgroup) + 1
        if kind == "other":
            hint = "a quote that is not closed" if value in "\"'" else f"`{value}`"
            raise BadWhere(f"cannot read {hint}", column)
        if "\0" in value:
            raise BadWhere("a NUL character", column)
        if kind == "text":
            value = re.sub(r"\\(.)", r"\1", value[1:-1], flags=re.DOTALL)
        yield _Token(kind, value, column)
        at = found.end()
    yield _Token("end", "the end", end + 1)


class _Reader:
    """Recursive descent: either -> both -> one."""

    def __init__(self, tokens: list[_Token]) -> None:
        self._tokens = tokens
        self._at = 0
        self._terms = 0

    def peek(self) -> _Token:
        return self._tokens[self._at]

    def _next(self) -> _Token:
        token = self._tokens[self._at]
        self._at += token.kind != "end"
        return token

    def either(self, depth: int) -> Node:
        parts = [self._both(depth)]
        while self.peek().is_word("or"):
            self._next()
            parts.append(self._both(depth))
        return parts[0] if len(parts) == 1 else Either(tuple(parts))

    def _both(self, depth: int) -> Node:
        parts = [self._one(depth)]
        while self.peek().is_word("and"):
            self._next()
            parts.append(self._one(depth))
        return parts[0] if len(parts) == 1 else Both(tuple(parts))

    def _one(self, depth: int) -> Node:
        token = self.peek()
        if depth > _DEPTH:
            raise BadWhere("too many brackets inside brackets", token.column)
        if token.is_word("not"):
            self._next()
            return Not(self._one(depth + 1))
        if token.kind == "sign" and token.value == "(":
            self._next()
            node = self.either(depth + 1)
            self._sign(")")
            return node
        return self._test()

    def _test(self) -> Node:
        self._terms += 1
        token = self._next()
        if self._terms > _TERMS:
            raise BadWhere(f"more than {_TERMS} comparisons", token.column)
        name = _field(token)
        follow = self.peek()
        if name in FLAGS and not follow.is_word("exists", "is", "missing"):
            return Comparison(name, "exists")
        self._next()
        if follow.is_word("exists"):
            return Comparison(name, "exists")
        if follow.is_word("missing"):
            return Not(Comparison(name, "exists"))
        if follow.is_word("in"):
            return Comparison(name, "is", self._list(name))
        if follow.is_word("not") and self.peek().is_word("in"):
            self._next()
            return Not(Comparison(name, "is", self._list(name)))
        if follow.kind == "sign" and follow.value in ("=", "==", "!=", "<>"):
            test = Comparison(name, "is", (self._value(name),))
            return test if follow.value in ("=", "==") else Not(test)
        if follow.kind == "sign" and follow.value in ("~", "!~"):
            part = Comparison(name, "contains", (self._value(None),))
            return part if follow.value == "~" else Not(part)
        raise BadWhere(
            f"expected =, !=, ~, in, not in, exists or missing after `{name}`, not"
            f" `{follow.value}`",
            follow.column,
        )

    def _list(self, name: str) -> tuple[str, ...]:
        self._sign("(")
        values = [self._value(name)]
        while self.peek() == _Token("sign", ",", self.peek().column):
            self._next()
            values.append(self._value(name))
        self._sign(")")
        return tuple(values)

    def _value(self, name: str | None) -> str:
        token = self._next()
        if token.kind not in ("text", "word"):
            raise BadWhere(f"expected a value, not `{token.value}`", token.column)
        try:
            return _READ[name](token.value) if name in _READ else token.value
        except ValueError as error:
            raise BadWhere(str(error), token.column) from None

    def _sign(self, sign: str) -> None:
        token = self._next()
        if (token.kind, token.value) != ("sign", sign):
            raise BadWhere(f"expected `{sign}`, not `{token.value}`", token.column)


def _field(token: _Token) -> str:
    if token.kind not in ("word", "text"):
        raise BadWhere(f"expected a field, not `{token.value}`", token.column)
    kind, dot, name = token.value.partition(".")
    if kind.lower() == "fact" and dot and name:
        return f"fact.{name.lower()}"
    if kind.lower() == "attributes" and dot and name:
        return f"attributes.{name}"
    if token.value.lower() in FIELDS:
        return token.value.lower()
    raise BadWhere(
        f"there is no field `{token.value}`: {', '.join(FIELDS)}, fact.<name>, attributes.<name>",
        token.column,
    )
