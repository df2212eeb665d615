"""First stage: is every field known, present and of the right type?"""

from typing import Any

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from orchestrator.rules.sequence_file.desk import Desk, did_you_mean
from orchestrator.rules.sequence_file.schema import (
    ITEMS,
    KINDS,
    CallPart,
    CasePart,
    NotedPart,
    SendPart,
    SequenceFile,
    TrackingPart,
    WindowPart,
    WordsPart,
    kind_of,
)
from orchestrator.rules.sequence_file.values import Path

PARTS: dict[str, type[BaseModel]] = {
    "window": WindowPart,
    "tracking": TrackingPart,
    "send": SendPart,
    "call": CallPart,
}
_TYPES = {
    "string_type": "text",
    "bool_type": "true or false",
    "list_type": "a list",
    "dict_type": "a group of fields",
    "model_type": "a group of fields",
    "model_attributes_type": "a group of fields",
    "int_type": "a whole number",
}
_EXAMPLES = {
    "wait": "`3 business days`",
    "within": "`10 business days`",
    "length": "`20 minutes`",
    "hours": '`"08:00-16:00"`',
    "channels": "`[email, slack]`",
    "needs": "`[fact.pain]`",
    "except_countries": "`[DE, FR]`",
    "window": '`{days: mon-fri, hours: "08:00-16:00"}`',
    "call": "`{host: sales-oslo, length: 20 minutes}`",
    "new_channel": "`signed off by NAME`",
    "send": "`subject:` and `text:` below it, indented further",
    "branch": "`- {when: clicked, go: STEP}` below it",
}


def check_shape(desk: Desk) -> tuple[SequenceFile | None, set[Path]]:
    """The file as a model, and the paths that are wrong. Faults go to `desk`."""
    raw = desk.tree.value
    if not isinstance(raw, dict):
        desk.value((), "a sequence file is a list of fields: it starts with `sequence: NAME`")
        return None, {()}
    try:
        return SequenceFile.model_validate(raw), set()
    except ValidationError as error:
        wrong: set[Path] = set()
        for one in error.errors(include_url=False):
            path = _path(one["loc"])
            wrong.add(path)
            _tell(desk, path, one, keyed=one["loc"][-1:] == ("[key]",))
        return None, wrong


def _path(loc: tuple[int | str, ...]) -> Path:
    """The path in the file of pydantic's location, which also names the tag of the step."""
    path = tuple(part for part in loc if part != "[key]")
    if len(path) > 2 and path[0] == "steps" and path[2] in KINDS:
        path = (*path[:2], *path[3:])
    return path


def _tell(desk: Desk, path: Path, error: ErrorDetails, *, keyed: bool) -> None:
    name = str(path[-1]) if path else ""
    kind = error["type"]
    label = f"`{name}`" if path and isinstance(path[-1], str) else "this"
    if kind == "extra_forbidden":
        desk.key(path, _unknown(desk, path))
    elif kind == "missing":
        desk.value(path[:-1], f"{_around(path)} needs {label}{_example(name)}")
    elif kind.startswith("union_tag"):
        _tell_kind(desk, path)
    elif kind == "value_error":
        message = str(error.get("ctx", {}).get("error", error["msg"]))
        (desk.key if keyed else desk.value)(path, message)
    elif kind == "literal_error":
        desk.value(path, f"{label} is {error['ctx']['expected']}, nothing else".replace("'", "`"))
    elif kind == "too_long":
        most = error["ctx"]["max_length"]
        desk.value(path, f"{label} has more than {most} entries: make it two sequences")
    elif kind in ("too_short", "string_too_short"):
        desk.value(path, f"{label} is empty{_example(name) or ': write at least one'}")
    else:
        wanted = _TYPES.get(kind, "something else")
        hint = _example(name)
        if not hint and kind == "string_type":
            hint = ": put it in quotes" if error["input"] is not None else ": it is empty"
        desk.value(path, f"{label} must be {wanted}{hint}")


def _example(name: str) -> str:
    return f": write {_EXAMPLES[name]}" if name in _EXAMPLES else ""


def _around(path: Path) -> str:
    """What the field at `path` belongs to, in words."""
    if len(path) == 1:
        return "a sequence"
    if len(path) == 3 and path[0] == "steps":
        return "this step"
    return f"`{path[-2]}`" if isinstance(path[-2], str) else "this"


def _model(desk: Desk, path: Path) -> type[BaseModel]:
    """The model of the mapping at `path`."""
    if not path:
        return SequenceFile
    if len(path) == 2 and path[0] == "steps":
        return ITEMS[_kind(desk, path) or "send"]
    if isinstance(path[-1], int):
        return CasePart
    other = NotedPart if _kind(desk, path) == "send" else WordsPart  # a sibling language
    return PARTS.get(str(path[-1]), other)


def _kind(desk: Desk, path: Path) -> str | None:
    return kind_of(desk.tree.value["steps"][path[1]])


def _unknown(desk: Desk, path: Path) -> str:
    """`unknown field` with where it belongs, or what it may have been meant to be."""
    name, around = str(path[-1]), path[:-1]
    model = _model(desk, around)
    if around[:1] == ("steps",):
        kind = _kind(desk, around)
        if model is CallPart and name in ("channels", "thread", "new_channel"):
            return f"a call has no `{name}`: its offer goes where the answer came from"
        inner = PARTS.get(kind or "")
        if len(around) == 2 and inner and name in inner.model_fields:
            return f"`{name}` belongs inside `{kind}`: indent it below `{kind}:`"
        if len(around) == 3 and kind and name in ITEMS[kind].model_fields:
            return f"`{name}` belongs beside `{kind}:`, at the step"
        if model in (WordsPart, NotedPart) and inner and name in inner.model_fields:
            return f"`{name}` holds for every language: write it in `{kind}`"
    return f"unknown field `{name}`{did_you_mean(name, model.model_fields)}"


def _tell_kind(desk: Desk, path: Path) -> None:
    value: Any = desk.tree.value["steps"][path[1]]
    every = ", ".join(KINDS)
    if not isinstance(value, dict):
        desk.value(path, f"a step is a group of fields with one of {every}")
        return
    found = [key for key in value if key in KINDS]
    if found:
        message = f"a step does one thing, this one has {' and '.join(f'`{k}`' for k in found)}"
        desk.key((*path, found[1]), f"{message}: make it two steps")
        return
    known = [*KINDS, "id", "next", "then", "otherwise", "within", "text"]
    for key in value:
        if key not in known:
            desk.key((*path, key), f"unknown kind of step `{key}`{did_you_mean(key, KINDS)}")
            return
    desk.value(path, f"a step does one thing, this one has none: add one of {every}")
