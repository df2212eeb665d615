"""Sequences as files: YAML or JSON in, a proved program out, or every fault with its place.

`parse` is the whole door. The stages: `read` (syntax and positions), `shape` (fields and types, by
the models of `schema`), `compile` (defaults, edges, `words`), `graph` (the plan as a whole, by
`proof`).
"""

from collections.abc import Iterator

from orchestrator.rules.sequence_file.compile import Compiler
from orchestrator.rules.sequence_file.desk import Desk
from orchestrator.rules.sequence_file.graph import check_graph
from orchestrator.rules.sequence_file.read import read
from orchestrator.rules.sequence_file.schema import json_schema
from orchestrator.rules.sequence_file.shape import check_shape
from orchestrator.rules.sequence_file.values import CHANNELS, Fault, Parsed, TemplateLibrary

__all__ = ["CHANNELS", "Fault", "Parsed", "TemplateLibrary", "json_schema", "parse"]


def parse(
    text: str,
    name: str,
    library: TemplateLibrary,
    channels: tuple[str, ...] = CHANNELS,
) -> Parsed:
    """Read the text of the file called `name` (its ending tells JSON from YAML).

    Never raises for what a file says: each fault has its line, its column and what to do. The
    program is there only when there is no fault, and then it is proved: no call without engagement.
    """
    tree = read(text, is_json=name.lower().endswith(".json"))
    desk = Desk(tree, library, channels, faults=list(tree.faults))
    if tree.value is None:
        return Parsed(None, _in_order(desk))
    file, wrong = check_shape(desk)
    if () in wrong:
        return Parsed(None, _in_order(desk))
    compiler = Compiler(desk, tree.value)
    steps = compiler.steps()
    if file is None or not compiler.sound:
        return Parsed(None, _in_order(desk))
    program = compiler.program(file, [step for _, step in steps])
    check_graph(desk, program, file)
    if any(not _storable(text) for text in _texts(program.model_dump())):
        message = "a text holds U+0000 or half of a surrogate pair, which nothing can store or send"
        desk.faults.append(Fault(1, 1, message))
    return Parsed(None if desk.faults else program, _in_order(desk))


def _in_order(desk: Desk) -> list[Fault]:
    """The faults from top to bottom, each once."""
    return sorted(set(desk.faults))


def _texts(value: object) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for key, one in value.items():
            yield from _texts(key)
            yield from _texts(one)
    elif isinstance(value, list | tuple):
        for one in value:
            yield from _texts(one)


def _storable(text: str) -> bool:
    """Whether PostgreSQL takes it (no U+0000) and it can be written in UTF-8."""
    return "\0" not in text and not any("\ud800" <= one <= "\udfff" for one in text)
