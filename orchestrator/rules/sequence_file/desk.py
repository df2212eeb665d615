"""Where the stages of reading put what they find, by the path of the value that it is about."""

import difflib
from collections.abc import Iterable
from dataclasses import dataclass, field

from orchestrator.rules.sequence_file.read import Tree
from orchestrator.rules.sequence_file.values import Fault, Path, TemplateLibrary


@dataclass(slots=True)
class Desk:
    """One file on its way to a program."""

    tree: Tree
    library: TemplateLibrary
    channels: tuple[str, ...]
    faults: list[Fault] = field(default_factory=list)

    def value(self, path: Path, message: str) -> None:
        """A fault of the value at `path`."""
        self.faults.append(Fault(*self.tree.at(path), message))

    def key(self, path: Path, message: str) -> None:
        """A fault of the field name at `path`."""
        self.faults.append(Fault(*self.tree.at_key(path), message))

    def inside(self, path: Path, line: int, near: str, message: str) -> None:
        """A fault within the text at `path`."""
        self.faults.append(Fault(*self.tree.inside(path, line, near), message))


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """`: did you mean X?` when something known looks like `word`, else what is known, else ""."""
    options = sorted(set(known))
    close = difflib.get_close_matches(word, options, n=1, cutoff=0.55)
    if close:
        return f": did you mean `{close[0]}`?"
    return f": use {', '.join(options)}" if options else ""
