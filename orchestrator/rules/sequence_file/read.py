"""YAML or JSON text as plain values that remember where each of them was written."""

import json
import re
from dataclasses import dataclass, field
from io import StringIO
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

from orchestrator.rules.sequence_file.values import Fault, Path

MAX_CHARACTERS = 131_072
MAX_VALUES = 20_000  # what aliases may unfold to


@dataclass(slots=True)
class Tree:
    """What a file says. `value` is None when it could not be read at all."""

    value: Any = None
    faults: list[Fault] = field(default_factory=list)
    keys: dict[Path, tuple[int, int]] = field(default_factory=dict)
    values: dict[Path, tuple[int, int]] = field(default_factory=dict)
    last_lines: dict[Path, int] = field(default_factory=dict)
    lines: list[str] = field(default_factory=list)

    def at(self, path: Path) -> tuple[int, int]:
        """Line and column (from 1) of the value at `path`, else of what is around it."""
        while path and path not in self.values:
            path = path[:-1]
        return self.values.get(path, (1, 1))

    def at_key(self, path: Path) -> tuple[int, int]:
        """Line and column of the field name at `path`."""
        return self.keys.get(path) or self.at(path)

    def inside(self, path: Path, line: int, near: str) -> tuple[int, int]:
        """Where `near` stands in the text value at `path`, `line` (from 1) of the text."""
        first, column = self.at(path)
        raw = self.lines[first - 1][column - 1 :] if first <= len(self.lines) else ""
        block = raw[:1] in ("|", ">")
        guess = first + line - (0 if block else 1)
        last = max(self.last_lines.get(path, first), first)
        for number in [guess, *range(first, last + 1)] if near else []:
            if first <= number <= last and number <= len(self.lines):
                start = column - 1 if number == first else 0
                found = _in_braces(near).search(self.lines[number - 1], start)
                if found:
                    return number, found.start(1) + 1
        if first < guess <= last and guess <= len(self.lines):
            text = self.lines[guess - 1]
            return guess, len(text) - len(text.lstrip()) + 1
        return first, column


def read(text: str, *, is_json: bool = False) -> Tree:
    """Read `text`; syntax errors, repeated fields and oversize become faults."""
    tree = Tree(lines=text.splitlines())
    if len(text) > MAX_CHARACTERS:
        return _broken(tree, 1, 1, f"the file is larger than {MAX_CHARACTERS // 1024} KiB")
    is_json = is_json or text.lstrip("\ufeff \t\r\n").startswith("{")
    if is_json:
        # Tabs are fine in JSON and not in YAML, which then gives the positions.
        fault = _json_fault(text)
        if fault:
            tree.faults.append(fault)
            return tree
        text = text.replace("\t", " ")
    try:
        node = YAML(typ="safe", pure=True).compose(StringIO(text.removeprefix("\ufeff")))
        if node is None:
            return _broken(tree, 1, 1, "the file is empty: it starts with `sequence: NAME`")
        tree.value = _Reader(tree, surrogates=is_json).take(node, ())
    except MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line, column = (mark.line + 1, mark.column + 1) if mark else (1, 1)
        return _broken(tree, line, column, f"this is not YAML: {error.problem or error.context}")
    except (YAMLError, ValueError) as error:
        line, column = _position_of(error, text)
        return _broken(tree, line, column, f"this is not YAML: {_first_line(error)}")
    except RecursionError:
        return _broken(tree, 1, 1, "the file is nested too deeply")
    return tree


def _in_braces(near: str) -> re.Pattern[str]:
    """`near` as a word of its own inside of `{{ }}` or `{% %}`."""
    return re.compile(r"\{[{%][^}]*?(?<![\w.])(" + re.escape(near) + r")(?![\w])")


def _broken(tree: Tree, line: int, column: int, message: str) -> Tree:
    tree.value = None
    tree.faults = [Fault(line, column, message)]
    return tree


def _json_fault(text: str) -> Fault | None:
    try:
        json.loads(text.removeprefix("\ufeff"))
    except json.JSONDecodeError as error:
        return Fault(error.lineno, error.colno, f"this is not JSON: {error.msg}")
    except (ValueError, RecursionError):
        return Fault(1, 1, "this is not JSON: a number is too long, or it is nested too deeply")
    return None


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0]


def _position_of(error: Exception, text: str) -> tuple[int, int]:
    """A character that YAML forbids is told by its offset only."""
    offset = getattr(error, "position", None)
    if not isinstance(offset, int):
        return 1, 1
    before = text[:offset]
    return before.count("\n") + 1, offset - (before.rfind("\n") + 1) + 1


class _Reader:
    """Turns nodes into values and notes their marks in the tree."""

    def __init__(self, tree: Tree, *, surrogates: bool) -> None:
        self.tree = tree
        self.surrogates = surrogates
        self.count = 0

    def take(self, node: Node, path: Path) -> Any:
        self.count += 1
        if self.count > MAX_VALUES or len(path) > 40:
            raise ValueError("aliases unfold to more than a sequence could need")
        mark = node.start_mark
        self.tree.values[path] = (mark.line + 1, mark.column + 1)
        end = node.end_mark
        self.tree.last_lines[path] = end.line + (1 if end.column else 0)
        if isinstance(node, MappingNode):
            return self._mapping(node, path)
        if isinstance(node, SequenceNode):
            return [self.take(item, (*path, index)) for index, item in enumerate(node.value)]
        return self._scalar(node)

    def _mapping(self, node: MappingNode, path: Path) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for key_node, value_node in node.value:
            mark = key_node.start_mark
            line, column = mark.line + 1, mark.column + 1
            if not isinstance(key_node, ScalarNode):
                self.tree.faults.append(Fault(line, column, "a field name must be plain text"))
                continue
            key = str(key_node.value)
            here = (*path, key)
            if key in found:
                first = self.tree.keys[here][0]
                message = f"`{key}` is written twice here: keep the one of line {first} or this one"
                self.tree.faults.append(Fault(line, column, message))
                continue
            self.tree.keys[here] = (line, column)
            found[key] = self.take(value_node, here)
        return found

    def _scalar(self, node: Node) -> Any:
        text = str(node.value)
        if self.surrogates:
            text = text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
        match str(node.tag).rpartition(":")[2]:
            case "null":
                return None
            case "bool":
                return text.lower() == "true"
            case "int":
                return _number(text, int)
            case "float":
                return _number(text, float)
            case _:
                return text


def _number(text: str, kind: type[int] | type[float]) -> Any:
    try:
        return kind(text.replace("_", ""))
    except ValueError:
        return text
