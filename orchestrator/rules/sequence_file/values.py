"""The values that reading a sequence file gives: faults, and the program when there are none."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from channels.registry import NAMES as CHANNELS
from orchestrator.rules.program import Program, Wording

__all__ = ["CHANNELS", "Fault", "Parsed", "Path", "TemplateLibrary"]

Path = tuple[str | int, ...]


@dataclass(frozen=True, slots=True, order=True)
class Fault:
    """One thing that is wrong. Line and column count from 1."""

    line: int
    column: int
    message: str


@dataclass(frozen=True, slots=True)
class Parsed:
    """What a file became. `program` is None when there is a fault."""

    program: Program | None
    faults: list[Fault]


@dataclass(frozen=True, slots=True)
class TemplateLibrary:
    """Templates by (language, name): what `template:` can name. A value; a door loads it."""

    wordings: Mapping[tuple[str, str], Wording] = field(default_factory=dict)

    def variants(self, name: str) -> dict[str, Wording]:
        """The wordings of `name` by language, empty when there is none."""
        return {
            language: wording
            for (language, one), wording in sorted(self.wordings.items(), key=lambda item: item[0])
            if one == name
        }

    def names(self) -> list[str]:
        """Every way to name a template: `short-follow-up` and `nb/short-follow-up`."""
        plain = {name for _, name in self.wordings}
        return sorted(plain | {f"{language}/{name}" for language, name in self.wordings})
